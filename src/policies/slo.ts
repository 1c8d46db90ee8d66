/** Degradation: while the objective that a task names burns, it is thinned out where it is not critical. */

import { sloKey } from "../level.ts";
import type { SloSpec } from "../task.ts";
import type { Policy } from "./mod.ts";
import { throttle } from "./throttle.ts";
import type { Openings } from "./window.ts";

/**
 * What the levels do is in `throttle.ts`.
 * @param openings of the task's window; `null` for none
 */
export function slo(
  { objective, mode, slowTo }: SloSpec,
  openings: Openings | null,
): Policy {
  return throttle({ name: "slo", key: sloKey(objective), mode, slowTo, openings });
}
