/** How much of a schedule a plan has to run: what was asked for, and what shares a worker with it. */

import type { JournalRow } from "../event.ts";
import type { PlanRow } from "../preview/plan_table.ts";
import { planRowOf } from "../preview/plan_table.ts";
import type { Pool } from "../preview/workers_model.ts";
import type { Config } from "../settings.ts";
import type { Task } from "../task.ts";

/** By name and by queue; what is not given takes all. */
export interface Scope {
  readonly task?: readonly string[];
  readonly queue?: readonly string[];
}

type Named = Pick<Task, "name" | "queue">;

export function isInScope({ task, queue }: Scope, each: Named): boolean {
  return (task?.includes(each.name) ?? true) && (queue?.includes(each.queue) ?? true);
}

/** The decisions that were asked for, as they are made. */
export function picker(
  scope: Scope,
  { tasks }: Pick<Config, "tasks">,
  onRow: (row: PlanRow) => void,
): (row: JournalRow) => void {
  const queueOf = new Map(tasks.map((each) => [each.name, each.queue]));
  return (row) => {
    const own = planRowOf(row, queueOf.get(row.task) ?? "");
    if (own !== null && isInScope(scope, { name: own.task, queue: own.queue })) onRow(own);
  };
}

type Held = Named & Pick<Task, "policies">;

/**
 * Whether what becomes of the tasks that were asked for depends on how busy workers are. Who asks for
 * queues asks for what waits in them, too.
 */
export function dependsOnWorkers(tasks: readonly Held[], scope: Scope): boolean {
  if (scope.task === undefined) return true;
  return tasks.some((task) => {
    const { overlap, pressure, slo } = task.policies;
    return isInScope(scope, task) && (overlap !== "allow" || pressure !== null || slo !== null);
  });
}

/** A fire that nobody asked for matters where it takes the time of a worker. */
export function tasksToRun<T extends Held>(
  tasks: readonly T[],
  scope: Scope,
  pools: readonly Pick<Pool, "queues">[],
): T[] {
  const own = tasks.filter((task) => isInScope(scope, task));
  if (!dependsOnWorkers(own, scope)) return own;
  const shared = sharedQueues(new Set(own.map(({ queue }) => queue)), pools);
  return tasks.filter((task) => isInScope(scope, task) || shared.has(task.queue));
}

/** Those that have workers, and all whose workers they share. */
function sharedQueues(
  own: ReadonlySet<string>,
  pools: readonly Pick<Pool, "queues">[],
): ReadonlySet<string> {
  const shared = new Set<string>();
  let size: number;
  do {
    size = shared.size;
    for (const { queues } of pools) {
      if (!queues.some((queue) => own.has(queue) || shared.has(queue))) continue;
      for (const queue of queues) shared.add(queue);
    }
  } while (shared.size > size);
  return shared;
}
