/**
 * The rule for local schedules when the clocks change, in full:
 *
 * 1. A schedule that names all 24 hours follows elapsed time. It is due at each instant whose local
 *    reading matches: nothing extra where the clocks go forward, both passes where they go back.
 * 2. Any other schedule is due once for each reading that it names: at the first instant after the
 *    gap for readings that are skipped, in the first pass for those that come twice. Readings that
 *    land on one instant are one fire.
 * 3. The answer depends on the schedule, the zone and the question alone.
 *
 * Rule 2 is one formula: a reading is due when the local clock first shows it *or anything later*.
 * So the due times after an instant belong to the readings above the clock's high-water mark there.
 */

import { countReadings, type LocalPattern, nextReading, previousReading } from "./local_pattern.ts";
import type { Reading, Trigger } from "./mod.ts";
import { OFFSET_MAX_MS, type Zone } from "./zone.ts";

/** The most by which a change can set a clock forward or back. */
const SHIFT_MAX_MS = 2 * OFFSET_MAX_MS;

/** Beyond about the year 200000, either way, nothing is due. Unix milliseconds. */
const HORIZON_MS = 6.3e15;

/** The trigger of a pattern in a zone. */
export function zonedTrigger(pattern: LocalPattern, zone: Zone): Trigger {
  return pattern.times.hours.size === 24 ? elapsed(pattern, zone) : fixed(pattern, zone);
}

/** Rule 2. */
function fixed(pattern: LocalPattern, zone: Zone): Trigger {
  return {
    next(afterMs) {
      if (afterMs >= HORIZON_MS) return null;
      const reading = nextReading(pattern, highWater(zone, clamp(afterMs)));
      return reading > HORIZON_MS ? null : firstReach(zone, reading);
    },
    last(atMs) {
      if (atMs < -HORIZON_MS) return null;
      const reading = previousReading(pattern, highWater(zone, clamp(atMs)));
      return reading < -HORIZON_MS ? null : firstReach(zone, reading);
    },
    count(afterMs, untilMs) {
      const [after, until] = [clamp(afterMs), clamp(untilMs)];
      if (until <= after) return 0;
      const range = { afterMs: highWater(zone, after), untilMs: highWater(zone, until) };
      let count = countReadings(pattern, range);
      for (let atMs = zone.at(after).endMs; atMs <= until; atMs = zone.at(atMs).endMs) {
        const landing = countReadings(pattern, risenAt(zone, atMs));
        if (landing > 1) count -= landing - 1;
      }
      return count;
    },
    explain(dueMs) {
      const risen = risenAt(zone, dueMs);
      const reading = nextReading(pattern, risen.afterMs);
      if (reading > risen.untilMs) return null;
      const shownMs = dueMs + zone.at(dueMs).offsetMs;
      const dst = reading < shownMs ? "moved" : isShownAgain(zone, dueMs) ? "first-pass" : null;
      return { local: textOf(reading), dst };
    },
  };
}

/** Rule 1. */
function elapsed(pattern: LocalPattern, zone: Zone): Trigger {
  return {
    next(afterMs) {
      return afterMs >= HORIZON_MS ? null : nextShown(pattern, zone, clamp(afterMs) + 1);
    },
    last(atMs) {
      return atMs < -HORIZON_MS ? null : lastShown(pattern, zone, clamp(atMs));
    },
    count(afterMs, untilMs) {
      const [after, until] = [clamp(afterMs), clamp(untilMs)];
      let count = 0;
      for (let fromMs = after + 1; fromMs <= until;) {
        const { endMs, offsetMs } = zone.at(fromMs);
        count += countReadings(pattern, {
          afterMs: fromMs - 1 + offsetMs,
          untilMs: Math.min(until, endMs - 1) + offsetMs,
        });
        fromMs = endMs;
      }
      return count;
    },
    explain(dueMs): Reading | null {
      const reading = dueMs + zone.at(dueMs).offsetMs;
      if (previousReading(pattern, reading) !== reading) return null;
      return { local: textOf(reading), dst: null };
    },
  };
}

/** The first instant at or after `startMs` whose reading matches. */
function nextShown(pattern: LocalPattern, zone: Zone, startMs: number): number | null {
  for (let fromMs = startMs;;) {
    const { endMs, offsetMs } = zone.at(fromMs);
    const reading = nextReading(pattern, fromMs - 1 + offsetMs);
    if (reading > HORIZON_MS) return null;
    if (reading - offsetMs < endMs) return reading - offsetMs;
    // A rare date may be years away: skip the changes before it. Close to a change the clock may
    // yet go back to readings below this one, so there the next stretch is looked at first.
    const isClose = fromMs > endMs - SHIFT_MAX_MS;
    fromMs = isClose ? endMs : Math.max(endMs, reading - SHIFT_MAX_MS);
  }
}

/** The last instant at or before `startMs` whose reading matches. */
function lastShown(pattern: LocalPattern, zone: Zone, startMs: number): number | null {
  for (let atMs = startMs;;) {
    const { fromMs, offsetMs } = zone.at(atMs);
    const reading = previousReading(pattern, atMs + offsetMs);
    if (reading < -HORIZON_MS) return null;
    if (reading - offsetMs >= fromMs) return reading - offsetMs;
    const isClose = atMs < fromMs + SHIFT_MAX_MS;
    atMs = isClose ? fromMs - 1 : Math.min(fromMs - 1, reading + SHIFT_MAX_MS);
  }
}

/** The highest reading that the local clock has shown at or before an instant. */
export function highWater(zone: Zone, instantMs: number): number {
  let stretch = zone.at(instantMs);
  let highest = instantMs + stretch.offsetMs;
  while (stretch.fromMs > instantMs - SHIFT_MAX_MS) {
    const lastMs = stretch.fromMs - 1;
    stretch = zone.at(lastMs);
    highest = Math.max(highest, lastMs + stretch.offsetMs);
  }
  return highest;
}

/** The first instant at which the local clock shows `reading` or anything later. */
export function firstReach(zone: Zone, reading: number): number {
  for (let stretch = zone.at(reading - OFFSET_MAX_MS);; stretch = zone.at(stretch.endMs)) {
    const instantMs = Math.max(stretch.fromMs, reading - stretch.offsetMs);
    if (instantMs < stretch.endMs) return instantMs;
  }
}

/** By how much the high-water mark rises at an instant: a millisecond, or a whole gap, or nothing. */
function risenAt(zone: Zone, instantMs: number): { afterMs: number; untilMs: number } {
  return { afterMs: highWater(zone, instantMs - 1), untilMs: highWater(zone, instantMs) };
}

/** Whether the clock will go back to what it shows at an instant. */
function isShownAgain(zone: Zone, instantMs: number): boolean {
  let stretch = zone.at(instantMs);
  const reading = instantMs + stretch.offsetMs;
  while (stretch.endMs < instantMs + SHIFT_MAX_MS) {
    stretch = zone.at(stretch.endMs);
    const againMs = reading - stretch.offsetMs;
    if (againMs >= stretch.fromMs && againMs < stretch.endMs) return true;
  }
  return false;
}

/** Due times are whole, so fractions of a millisecond in a question do not matter. */
function clamp(instantMs: number): number {
  return Math.max(-HORIZON_MS, Math.min(HORIZON_MS, Math.floor(instantMs)));
}

/** A reading as `2026-03-08T02:30:00`. */
function textOf(reading: number): string {
  return Temporal.Instant.fromEpochMilliseconds(reading).toString().slice(0, -1);
}
