/** What a plan begins with beyond what Redis holds: a leader that skips has decided more than it has written. */

import { SKIP_RUN_MS } from "../core/skip_run.ts";
import type { Cursor } from "../cursor.ts";
import type { Journal, Loaded } from "../ports.ts";
import type { Task } from "../task.ts";
import { hasSameTrigger, revisionOf } from "../task.ts";
import { triggerOf } from "../triggers/mod.ts";
import { lastFires } from "./last_fires.ts";

/** The cursors, those of tasks that a leader skips one after the other moved up to now. */
export async function cursorsNow(
  journal: Pick<Journal, "read" | "readBack">,
  tasks: readonly Task[],
  loaded: Pick<Loaded, "cursors" | "open" | "serverMs">,
): Promise<Map<string, Cursor>> {
  const cursors = new Map(loaded.cursors);
  const behind = tasks.flatMap((task) => movedUp(task, loaded) ?? []);
  const last = await lastFires(journal, behind.map(({ name }) => name), loaded);
  for (const { name, cursor } of behind) {
    if (last.get(name)?.state === "skipped") cursors.set(name, cursor);
  }
  return cursors;
}

/** Where due times have passed for which a run of skips may have no row yet. */
function movedUp(
  task: Task,
  { cursors, serverMs }: Pick<Loaded, "cursors" | "serverMs">,
): { name: string; cursor: Cursor } | null {
  const cursor = cursors.get(task.name);
  if (cursor === undefined || cursor.pending !== undefined) return null;
  if (!hasSameTrigger(cursor.revision, revisionOf(task))) return null;
  const dueMs = triggerOf(task.trigger).last(serverMs);
  if (dueMs === null || dueMs <= cursor.dueMs) return null;
  if (serverMs - cursor.dueMs > SKIP_RUN_MS) return null;
  return { name: task.name, cursor: { ...cursor, dueMs } };
}
