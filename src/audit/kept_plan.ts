/** A plan as a snapshot keeps it. */

import { FINISH_WITHIN_MS } from "../follow/verdict.ts";
import type { Plan } from "./schedule.ts";
import { deadlinesIn, triggerIn } from "./schedule.ts";

/** What of a plan is kept when the rows that made it are cut off: not the triggers of before. */
export type KeptPlan =
  & Pick<
    Plan,
    | "task"
    | "isRetired"
    | "revision"
    | "definition"
    | "cursorMs"
    | "heldMs"
    | "hold"
    | "skippedMs"
    | "sinceMs"
  >
  & {
    /** Ends of the gaps under the trigger in force, none where it is retired; see {@link Stretch}. */
    readonly gaps: readonly (readonly [afterMs: number, untilMs: number])[];
  };

/**
 * Whether it was retired so long ago that each of its fires has ended by now, be it given up. Else the
 * names of all time would stand in each snapshot. A task that comes back then is like a new one.
 *
 * @param nowMs when the newest row was recorded, for all who read the same rows to come to the same
 */
export function isOver({ isRetired, cursorMs, deadlines }: Plan, nowMs: number): boolean {
  return isRetired && nowMs > cursorMs + (deadlines.giveUpMs ?? 0) + FINISH_WITHIN_MS;
}

export function keptPlan(plan: Plan): KeptPlan {
  const { task, isRetired, revision, definition, cursorMs, heldMs, hold, skippedMs, sinceMs } =
    plan;
  const gaps = (isRetired ? [] : plan.holes).filter(({ trigger }) => trigger === plan.trigger)
    .map(({ afterMs, untilMs }) => [afterMs, untilMs] as const);
  return {
    ...{ task, isRetired, revision, definition, cursorMs, heldMs, hold, skippedMs, sinceMs, gaps },
  };
}

/** A plan as it was kept. */
export function planFrom({ gaps, definition, cursorMs, ...kept }: KeptPlan): Plan {
  const trigger = triggerIn(definition);
  const nextMs = trigger?.next(cursorMs) ?? null;
  const deadlines = deadlinesIn(definition);
  const holes = trigger === null
    ? []
    : gaps.map(([afterMs, untilMs]) => ({ afterMs, untilMs, trigger }));
  return { ...kept, definition, cursorMs, trigger, nextMs, deadlines, eras: [], holes };
}
