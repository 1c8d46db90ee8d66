/** Draws the policies of a task: half of the tasks have some. */

import type { Importance, PolicySpecs, WindowSpec } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import type { Draw } from "./draws.ts";

export interface PolicySeason {
  readonly startMs: number;
  readonly zones: readonly string[];
}

export function drawPolicies(draw: Draw, { startMs, zones }: PolicySeason): PolicySpecs {
  if (!draw.chance(0.5)) return NO_POLICIES;
  const hasWindow = draw.chance(0.35);
  const hasJitter = draw.chance(0.5);
  return {
    ...NO_POLICIES,
    window: hasWindow ? drawWindow(draw, startMs, zones) : null,
    jitter: hasJitter
      ? {
        kind: draw.pick(["fixed", "per-fire", "even"]),
        maxMs: draw.pick([1_000, 5_000, 30_000, 120_000]),
        seed: "sim",
        place: { group: "herd", index: draw.below(7), count: 7 },
      }
      : null,
    overlap: draw.pick(["allow", "skip", "wait"]),
  };
}

/** Of a task that is not critical: how its queue's level holds it back. */
export function drawThrottle(draw: Draw): {
  readonly importance: Importance;
  readonly policies: Pick<PolicySpecs, "pressure" | "maxHoldMs">;
} | null {
  if (!draw.chance(0.5)) return null;
  const mode = draw.chance(0.85) ? "enforce" : "observe";
  return {
    importance: draw.pick(["normal", "deferrable"]),
    policies: {
      pressure: { mode, slowTo: draw.pick([2, 3, 4]) },
      maxHoldMs: draw.pick([20_000, 60_000, 300_000]),
    },
  };
}

/** Mostly with a bound that a run passes. */
function drawWindow(draw: Draw, startMs: number, zones: readonly string[]): WindowSpec | null {
  const tz = draw.pick(zones);
  const local = Temporal.Instant.fromEpochMilliseconds(startMs).toZonedDateTimeISO(tz);
  const from = local.add({ minutes: draw.between(-90, 55) });
  const to = from.add({ minutes: draw.pick([3, 10, 25, 100, 600, 1_380]) });
  // Where the clock is set back, a span may end at the reading that it began with.
  if (timeOf(from) === timeOf(to)) return null;
  const days = draw.chance(0.8) ? null : [from.dayOfWeek, draw.between(1, 7)];
  return {
    name: draw.chance(0.5) ? null : "night",
    ...{ from: timeOf(from), to: timeOf(to), tz },
    days: days === null ? null : [...new Set(days)].sort(),
  };
}

function timeOf({ hour, minute }: Temporal.ZonedDateTime): string {
  return `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`;
}
