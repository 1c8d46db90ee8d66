/** Backpressure: while the queue of a task is under pressure, what is not critical is held back. */

import { queueKey } from "../level.ts";
import type { PressureSpec, Task } from "../task.ts";
import type { Policy } from "./mod.ts";
import { throttle } from "./throttle.ts";
import type { Openings } from "./window.ts";

/**
 * What the levels do is in `throttle.ts`.
 * @param openings of the task's window; `null` for none
 */
export function pressure(
  { mode, slowTo }: PressureSpec,
  { queue }: Pick<Task, "queue">,
  openings: Openings | null,
): Policy {
  return throttle({ name: "pressure", key: queueKey(queue), mode, slowTo, openings });
}
