/** How much of a schedule a plan has to run: what was asked for, and what shares a worker with it. */

import type { Pool } from "../preview/workers_model.ts";
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

/** A fire that nobody asked for matters where it takes the time of a worker. */
export function tasksToRun<T extends Named>(
  tasks: readonly T[],
  scope: Scope,
  pools: readonly Pick<Pool, "queues">[],
): T[] {
  const own = tasks.filter((task) => isInScope(scope, task));
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
