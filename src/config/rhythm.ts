/** How often a trigger is due, as far as a look at some of its due times tells. */

import type { Trigger } from "../triggers/mod.ts";

/** 2026-01-01T00:00:00Z: looked at from there, a configuration is judged alike on every start. */
export const JUDGED_FROM_MS = 1_767_225_600_000;

const HOUR_MS = 3_600_000;

/** Stands for the period of a task that is due once. */
const ONCE_PERIOD_MS = 3_600_000;

/** Enough for each weekday of a month, or each hour of two days. */
const GAPS_MAX = 64;

/** The time between two due times, as far as one number can say it. Milliseconds. */
export function periodOf(trigger: Trigger): number {
  const firstMs = trigger.next(JUDGED_FROM_MS);
  const secondMs = firstMs === null ? null : trigger.next(firstMs);
  return firstMs === null || secondMs === null ? ONCE_PERIOD_MS : secondMs - firstMs;
}

/**
 * The longest time between two due times, as far as some of them tell; looked for only until one is
 * as long as `enoughMs`. The shorter gaps of an irregular schedule cap the jitter as they come.
 */
export function longestGap(trigger: Trigger, enoughMs: number): number {
  let longestMs = 0;
  let dueMs = trigger.next(JUDGED_FROM_MS);
  for (let gaps = 0; gaps < GAPS_MAX && longestMs < enoughMs; gaps++) {
    const nextMs = dueMs === null ? null : trigger.next(dueMs);
    if (dueMs === null || nextMs === null) return longestMs === 0 ? Infinity : longestMs;
    longestMs = Math.max(longestMs, nextMs - dueMs);
    dueMs = nextMs;
  }
  return longestMs;
}

/** Whether it is due in each of the 24 hours after its first due time. */
export function isDueEachHour(trigger: Trigger): boolean {
  const firstMs = trigger.next(JUDGED_FROM_MS);
  if (firstMs === null) return false;
  return Array.from({ length: 24 }, (_, hour) => firstMs - 1 + hour * HOUR_MS)
    .every((afterMs) => trigger.count(afterMs, afterMs + HOUR_MS) > 0);
}
