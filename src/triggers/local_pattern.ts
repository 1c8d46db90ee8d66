/**
 * Which readings of a local calendar and clock a schedule names. Knows no zones: a reading is the
 * number of milliseconds that a clock in UTC would count for it.
 */

import {
  countTimes,
  DAY_S,
  type DayTimes,
  nextTime,
  previousTime,
  timesPerDay,
} from "./day_times.ts";
import { countDays, hasDay, type MonthDays, nextDay, previousDay } from "./month_days.ts";

export interface LocalPattern {
  readonly days: MonthDays;
  readonly times: DayTimes;
}

/** The first matching reading strictly after `afterMs`; `Infinity` when none comes. */
export function nextReading({ days, times }: LocalPattern, afterMs: number): number {
  const fromS = Math.floor(afterMs / 1000) + 1;
  const fromDay = Math.floor(fromS / DAY_S);
  const day = nextDay(days, fromDay);
  if (day === fromDay) {
    const time = nextTime(times, fromS - day * DAY_S);
    if (time >= 0) return (day * DAY_S + time) * 1000;
    return (nextDay(days, fromDay + 1) * DAY_S + nextTime(times, 0)) * 1000;
  }
  return (day * DAY_S + nextTime(times, 0)) * 1000;
}

/** The last matching reading at or before `atMs`; `-Infinity` when there is none. */
export function previousReading({ days, times }: LocalPattern, atMs: number): number {
  const toS = Math.floor(atMs / 1000);
  const toDay = Math.floor(toS / DAY_S);
  const day = previousDay(days, toDay);
  if (day === toDay) {
    const time = previousTime(times, toS - day * DAY_S);
    if (time >= 0) return (day * DAY_S + time) * 1000;
    return (previousDay(days, toDay - 1) * DAY_S + previousTime(times, DAY_S - 1)) * 1000;
  }
  return (day * DAY_S + previousTime(times, DAY_S - 1)) * 1000;
}

/** How many matching readings lie in (afterMs, untilMs]. */
export function countReadings(
  { days, times }: LocalPattern,
  { afterMs, untilMs }: { readonly afterMs: number; readonly untilMs: number },
): number {
  if (untilMs <= afterMs) return 0;
  const afterS = Math.floor(afterMs / 1000);
  const untilS = Math.floor(untilMs / 1000);
  const afterDay = Math.floor(afterS / DAY_S);
  const untilDay = Math.floor(untilS / DAY_S);
  let count = countDays(days, afterDay, untilDay) * timesPerDay(times);
  if (hasDay(days, afterDay)) count -= countTimes(times, afterS - afterDay * DAY_S);
  if (hasDay(days, untilDay)) count += countTimes(times, untilS - untilDay * DAY_S);
  return count;
}
