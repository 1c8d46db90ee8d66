/** When windows are open, worked out without Beat's: by looking for the minute in which a clock gets there. */

import type { WindowSpec } from "../../src/task.ts";
import { minutesOf } from "./instants.ts";

/** The instants in [fromMs, endMs). */
export interface Opening {
  readonly fromMs: number;
  readonly endMs: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** No clock is further from UTC. */
const ZONE_MAX_MS = 15 * 3_600_000;
/** Shared by all tasks and runs. */
const reached = new Map<string, number>();

/** The opening that `ms` lies in; where it lies in none, the next. */
export function openingAt({ from, to, tz, days }: WindowSpec, ms: number): Opening {
  const startMs = ofDayMs(from);
  const lengthMs = (ofDayMs(to) - startMs + DAY_MS) % DAY_MS;
  const firstDay = Math.floor((ms - ZONE_MAX_MS) / DAY_MS) - 1;
  for (let day = firstDay; day < firstDay + 30; day++) {
    const weekday = new Date(day * DAY_MS).getUTCDay();
    if (days !== null && !days.includes(weekday === 0 ? 7 : weekday)) continue;
    const reading = day * DAY_MS + startMs;
    const endMs = firstReach(tz, reading + lengthMs);
    const fromMs = firstReach(tz, reading);
    if (fromMs < endMs && endMs > ms) return { fromMs, endMs };
  }
  throw new Error(`expected an opening of ${from} to ${to} ${tz} within a month of ${ms}`);
}

/** The first minute in which the clock of a zone shows `reading`, or more where it leaves that out. */
function firstReach(tz: string, reading: number): number {
  const key = `${tz} ${reading}`;
  const known = reached.get(key);
  if (known !== undefined) return known;
  for (let day = Math.floor((reading - ZONE_MAX_MS) / DAY_MS);; day++) {
    const minute = minutesOf(tz, day).find(({ local, atMs }) =>
      local >= reading && atMs >= reading - ZONE_MAX_MS
    );
    if (minute === undefined) continue;
    reached.set(key, minute.atMs);
    return minute.atMs;
  }
}

function ofDayMs(text: string): number {
  const [hours, minutes] = text.split(":").map(Number) as [number, number];
  return (60 * hours + minutes) * MINUTE_MS;
}
