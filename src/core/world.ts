/** What the leader knows: each task's cursor and the open fires; kept in step with the journal. */

import type { Cursor } from "../cursor.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { invariant } from "../errors.ts";
import { millisecondsOf } from "../event.ts";
import type { OpenFires } from "../follow/open_fires.ts";
import type { Loaded, Step } from "../ports.ts";
import { IDLE, lifeOf, stepLife } from "./life.ts";
import type { SkipRun } from "./skip_run.ts";

export interface World {
  /** Keyed by task; log cursors included. */
  readonly cursors: Map<string, Cursor>;
  readonly open: OpenFires;
  /**
   * Due times skipped that have no row yet, by task, for the cursor as it stands and for the one that
   * the steps of the last decision leave; see {@link skipRunOf}.
   */
  readonly runs: Map<string, readonly SkipRun[]>;
  /** When to ask again about what is held, by task, and the cursor that this belongs to. */
  readonly again: Map<string, { readonly base: string; readonly atMs: number }>;
  /** The server's time at the newest row known. A clock that is set back is behind it. Unix milliseconds. */
  recordedMs: number;
}

/** The text of a cursor as the scripts compare it; empty for none. */
export function cursorText(world: World, task: string): string {
  const cursor = world.cursors.get(task);
  return cursor === undefined ? "" : encodeCursor(cursor);
}

/** A world as it was loaded. @param open its open fires */
export function worldOf(
  { cursors, lastId }: Pick<Loaded, "cursors" | "lastId">,
  open: OpenFires,
): World {
  const recordedMs = millisecondsOf(lastId);
  return { cursors: new Map(cursors), open, runs: new Map(), again: new Map(), recordedMs };
}

/** What a policy skips of a task at present; `null` where the cursor has moved on since. */
export function skipRunOf(world: World, task: string): SkipRun | null {
  const runs = world.runs.get(task);
  if (runs === undefined) return null;
  const base = cursorText(world, task);
  return runs.find((run) => run.base === base) ?? null;
}

/** When to ask again about the held fire of a task; `null` where that was not said. Unix milliseconds. */
export function askAgainMs(world: World, task: string): number | null {
  const note = world.again.get(task);
  return note !== undefined && note.base === cursorText(world, task) ? note.atMs : null;
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
