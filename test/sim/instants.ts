/**
 * When tasks are due, worked out without Beat's triggers: intervals by plain arithmetic, expressions by
 * going through the minutes of each day, one by one.
 */

import type { Rhythm } from "./schedule.ts";

export interface Instants {
  /** First one strictly after `ms`; `null` for none. Unix milliseconds. */
  next(ms: number): number | null;
  /** Last one at or before `ms`. */
  last(ms: number): number | null;
  /** How many in (`fromMs`, `untilMs`]; `null` where counting would take too long. */
  count(fromMs: number, untilMs: number): number | null;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Days that are gone through for one answer. */
const DAYS_MAX = 40;

/** They are asked about again and again, and days are worked out once. */
const known = new WeakMap<Rhythm, Instants>();

export function instantsOf(rhythm: Rhythm): Instants {
  let instants = known.get(rhythm);
  if (instants === undefined) known.set(rhythm, instants = workOut(rhythm));
  return instants;
}

function workOut(rhythm: Rhythm): Instants {
  switch (rhythm.kind) {
    case "every":
      return every(rhythm.everyMs, rhythm.phaseMs);
    case "at":
      return {
        next: (ms) => ms < rhythm.atMs ? rhythm.atMs : null,
        last: (ms) => ms >= rhythm.atMs ? rhythm.atMs : null,
        count: (fromMs, untilMs) => fromMs < rhythm.atMs && rhythm.atMs <= untilMs ? 1 : 0,
      };
    case "cron":
    case "crontab":
      return byMinutes(rhythm);
  }
}

/** The k-th is at `floor(k * everyMs) + phaseMs`. */
function every(everyMs: number, phaseMs: number): Instants {
  const due = (k: number) => Math.floor(k * everyMs) + phaseMs;
  const indexAt = (ms: number) => {
    let k = Math.round((ms - phaseMs) / everyMs) - 2;
    while (due(k + 1) <= ms) k++;
    return k;
  };
  return {
    next: (ms) => due(indexAt(ms) + 1),
    last: (ms) => due(indexAt(ms)),
    count: (fromMs, untilMs) => Math.max(0, indexAt(untilMs) - indexAt(fromMs)),
  };
}

type Expression = Extract<Rhythm, { kind: "cron" | "crontab" }>;

function byMinutes(rhythm: Expression): Instants {
  const days = new Map<number, number[]>();
  const dayOf = (ms: number) => Math.floor(ms / DAY_MS);
  const dues = (day: number) => {
    let list = days.get(day);
    if (list === undefined) days.set(day, list = duesOfDay(rhythm, day));
    return list;
  };
  return {
    next(ms) {
      for (let day = dayOf(ms), end = day + DAYS_MAX; day < end; day++) {
        const found = dues(day).find((due) => due > ms);
        if (found !== undefined) return found;
      }
      return null;
    },
    last(ms) {
      for (let day = dayOf(ms), end = day - DAYS_MAX; day > end; day--) {
        const found = dues(day).findLast((due) => due <= ms);
        if (found !== undefined) return found;
      }
      return null;
    },
    count(fromMs, untilMs) {
      if (untilMs - fromMs > DAYS_MAX * DAY_MS) return null;
      let count = 0;
      for (let day = dayOf(fromMs); day <= dayOf(untilMs); day++) {
        for (const due of dues(day)) if (due > fromMs && due <= untilMs) count++;
      }
      return count;
    },
  };
}

/**
 * The due times in one day of UTC. An expression that names all hours follows the clock as it passes:
 * each minute that the clock shows. Any other is about local times: one that the clock leaves out is
 * due where the clock goes on, one that it shows twice is due the first time.
 */
function duesOfDay(rhythm: Expression, day: number): number[] {
  const table = minutesOf(rhythm.tz, day);
  const isEveryHour = rhythm.hours.length === 24;
  const dues = new Set<number>();
  for (const { atMs, local, isRepeated, skipped } of table) {
    if (matches(rhythm, local) && (isEveryHour || !isRepeated)) dues.add(atMs);
    if (!isEveryHour && skipped.some((each) => matches(rhythm, each))) dues.add(atMs);
  }
  return [...dues].sort((one, other) => one - other);
}

function matches({ minutes, hours, weekdays }: Expression, localMs: number): boolean {
  const minute = Math.floor(localMs / MINUTE_MS);
  // The first of January 1970 was a Thursday.
  const weekday = (Math.floor(localMs / DAY_MS) + 4) % 7;
  return minutes.includes(minute % 60) && hours.includes(Math.floor(minute / 60) % 24) &&
    weekdays.includes(weekday);
}

export interface Minute {
  readonly atMs: number;
  /** What the clock on the wall shows, as if it were UTC. */
  readonly local: number;
  /** The clock showed the same before. */
  readonly isRepeated: boolean;
  /** What the clock left out right before. */
  readonly skipped: readonly number[];
}

/** Shared by all tasks and runs. */
const tables = new Map<string, readonly Minute[]>();

/** The minutes of a day of UTC, as the clocks of a zone show them. */
export function minutesOf(tz: string, day: number): readonly Minute[] {
  const key = `${tz} ${day}`;
  let table = tables.get(key);
  if (table === undefined) tables.set(key, table = makeTable(tz, day));
  return table;
}

/** The greatest span by which clocks are set back. */
const REACH_MINUTES = 180;

function makeTable(tz: string, day: number): Minute[] {
  const offsets = new Map<number, number>();
  // No zone changes its offset within a quarter of an hour of the clock.
  const offsetAt = (ms: number) => {
    const quarter = Math.floor(ms / (15 * MINUTE_MS));
    let offset = offsets.get(quarter);
    if (offset === undefined) {
      const at = Temporal.Instant.fromEpochMilliseconds(quarter * 15 * MINUTE_MS);
      offset = at.toZonedDateTimeISO(tz).offsetNanoseconds / 1e6;
      offsets.set(quarter, offset);
    }
    return offset;
  };
  const table: Minute[] = [];
  let highest = -Infinity;
  for (let minute = -REACH_MINUTES; minute < DAY_MS / MINUTE_MS; minute++) {
    const atMs = day * DAY_MS + minute * MINUTE_MS;
    const local = atMs + offsetAt(atMs);
    const skipped: number[] = [];
    if (highest > -Infinity) {
      for (let each = highest + MINUTE_MS; each < local; each += MINUTE_MS) skipped.push(each);
    }
    const isRepeated = local <= highest;
    highest = Math.max(highest, local);
    if (minute >= 0) table.push({ atMs, local, isRepeated, skipped });
  }
  return table;
}
