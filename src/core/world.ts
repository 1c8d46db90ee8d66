/** What the leader knows: each task's cursor and the open fires; kept in step with the journal. */

import type { Cursor } from "../cursor.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { invariant } from "../errors.ts";
import type { Loaded, Step } from "../ports.ts";
import { IDLE, lifeOf, stepLife } from "./life.ts";
import type { OpenFires } from "../follow/open_fires.ts";

export interface World {
  /** Keyed by task; log cursors included. */
  readonly cursors: Map<string, Cursor>;
  readonly open: OpenFires;
  /** The server's time at the newest row known. A clock that is set back is behind it. Unix milliseconds. */
  recordedMs: number;
}

/** The text of a cursor as the scripts compare it; empty for none. */
export function cursorText(world: World, task: string): string {
  const cursor = world.cursors.get(task);
  return cursor === undefined ? "" : encodeCursor(cursor);
}

/** Takes in a committed step. */
export function applyStep(world: World, step: Step): void {
  if (step.next === "") world.cursors.delete(step.task);
  else world.cursors.set(step.task, decodeCursor(step.next));
  if (step.publish === null) return;
  const { open } = step.publish;
  if (lifeOf(open) !== PUBLISHED) invariant(false, `a new fire cannot be ${open.state}`);
  world.open.add(open);
}

/** The row of a published fire implies that it was due. */
const PUBLISHED = stepLife(stepLife(IDLE, "fire.due")!, "fire.published");

/** Takes in what was read again: for the tasks and open fires that were asked for, it stands. */
export function applyReload(
  world: World,
  asked: { tasks: readonly string[]; openIds: readonly string[] },
  loaded: Loaded,
): void {
  for (const task of asked.tasks) {
    const cursor = loaded.cursors.get(task);
    if (cursor === undefined) world.cursors.delete(task);
    else world.cursors.set(task, cursor);
  }
  for (const key of asked.openIds) world.open.remove(key);
  for (const open of loaded.open) world.open.add(open);
}
