/** Open fires by their Celery task ids. An id costs a hash, so it is made when somebody may ask for it. */

import { celeryTaskId } from "../celery/ids.ts";
import type { OpenFires, Tracked } from "./open_fires.ts";

/** Task ids made at once: fires that are due wait meanwhile. */
const NAMED_MAX = 2_000;

export interface TaskNames {
  taskIdOf(tracked: Tracked): string;
  /** Also finds fires that were added since the last call of `nameNew`. */
  find(taskId: string): Tracked | undefined;
  /** Among the fires that have an id. */
  named(taskId: string): Tracked | undefined;
  /** Makes the ids of some fires that were added. */
  nameNew(): void;
  /** Makes the ids of the fires that wait longest in a list. */
  nameOldest(list: string, limit: number): void;
  forget(tracked: Tracked): void;
}

export function taskNames(open: OpenFires, namespace: string): TaskNames {
  const ids = new Map<string, Tracked>();

  function taskIdOf(tracked: Tracked): string {
    if (tracked.taskId === "") {
      tracked.taskId = celeryTaskId(namespace, tracked.key);
      ids.set(tracked.taskId, tracked);
    }
    return tracked.taskId;
  }

  function nameNew(): boolean {
    const fresh = open.tracked.takeNew(NAMED_MAX);
    for (const tracked of fresh) taskIdOf(tracked);
    return fresh.length > 0;
  }

  /** A reload may have closed it without a word. */
  function named(taskId: string): Tracked | undefined {
    const tracked = ids.get(taskId);
    if (!tracked?.isClosed) return tracked;
    ids.delete(taskId);
    return undefined;
  }

  return {
    taskIdOf,
    named,
    nameNew,
    find: (taskId) => named(taskId) ?? (nameNew() ? named(taskId) : undefined),
    nameOldest(list, limit) {
      for (const tracked of open.tracked.waitingIn(list)) {
        if (limit-- <= 0) return;
        taskIdOf(tracked);
      }
    },
    forget(tracked) {
      if (ids.get(tracked.taskId) === tracked) ids.delete(tracked.taskId);
    },
  };
}
