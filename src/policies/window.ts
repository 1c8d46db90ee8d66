/**
 * Hours of the day in which fires go out; outside of them a fire waits for the next opening. The
 * hours are those of a local clock, by the rule of `triggers/zoned.ts` for schedules that name hours:
 * a bound that the clocks skip is the first instant after the gap, one that comes twice its first
 * pass. So a window has one opening for each of its days, shorter or longer where the clocks change,
 * and none where both of its bounds are skipped.
 */

import { invariant } from "../errors.ts";
import type { WindowSpec } from "../task.ts";
import { isoWeekday } from "../triggers/calendar.ts";
import { zoneOf } from "../triggers/zone.ts";
import { firstReach, highWater } from "../triggers/zoned.ts";
import type { Policy } from "./mod.ts";
import { PASS } from "./mod.ts";

/** The instants in [fromMs, endMs), throughout which a window is open. Unix milliseconds. */
export interface Opening {
  readonly fromMs: number;
  readonly endMs: number;
}

/** The openings of a window, as a pure function of an instant. */
export interface Openings {
  /** The opening that an instant lies in; where it lies in none, the next. */
  at(instantMs: number): Opening;
}

/**
 * Holds a fire until the window is open. Where the task is due again before that, the newer one would
 * take its place, so it is skipped at once: a task of each second would write two rows for each.
 */
export function window(spec: WindowSpec, openings: Openings): Policy {
  const reason = `outside ${windowText(spec)}`;
  return {
    name: "window",
    judge({ task, trigger, dueMs }, nowMs) {
      const { fromMs } = openings.at(nowMs);
      if (nowMs >= fromMs) return PASS;
      const nextMs = task.catchUp.policy === "all" ? null : trigger.next(dueMs);
      if (nextMs === null || nextMs > fromMs) return { kind: "delay", untilMs: fromMs, reason };
      return { kind: "skip", reason: `${reason}, and due again before it opens` };
    },
  };
}

const DAY_MS = 86_400_000;

/** Three weeks: a day of the week may be missing where a country moved across the date line. */
const DAYS_AHEAD_MAX = 21;

/**
 * The openings of a window.
 * @throws {TriggerError} the zone does not exist
 */
export function openingsOf({ from, to, tz, days }: WindowSpec): Openings {
  const zone = zoneOf(tz);
  const startMs = ofDayMs(from);
  const lengthMs = (ofDayMs(to) - startMs + DAY_MS) % DAY_MS;
  const isOn = (day: number) => days === null || days.includes(isoWeekday(day));
  /** The last answer, and since when it is the answer: fires ask about the same night again and again. */
  let known = { sinceMs: 0, fromMs: 0, endMs: 0 };

  function find(instantMs: number): typeof known {
    const shownMs = highWater(zone, instantMs);
    const today = Math.floor(shownMs / DAY_MS);
    // The one that began yesterday may go on.
    for (let day = today - 1; day <= today + DAYS_AHEAD_MAX; day++) {
      const reading = day * DAY_MS + startMs;
      if (!isOn(day) || reading + lengthMs <= shownMs) continue;
      const fromMs = firstReach(zone, reading);
      const endMs = firstReach(zone, reading + lengthMs);
      if (fromMs < endMs) return { sinceMs: Math.min(instantMs, fromMs), fromMs, endMs };
    }
    invariant(false, `expected an opening of ${from} to ${to} ${tz} within three weeks`);
  }

  return {
    at(instantMs) {
      if (instantMs < known.sinceMs || instantMs >= known.endMs) known = find(instantMs);
      return known;
    },
  };
}

function ofDayMs(time: string): number {
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  return (hours * 60 + minutes) * 60_000;
}

const DAY_NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/** `22:00 to 06:00 Europe/Paris`, and which days it begins on; before it its name, where it has one. */
export function windowText({ name, from, to, tz, days }: WindowSpec): string {
  const on = days === null ? "" : ` ${days.map((day) => DAY_NAMES[day - 1]).join(", ")}`;
  const hours = `${from} to ${to} ${tz}${on}`;
  return name === null ? hours : `${name} (${hours})`;
}
