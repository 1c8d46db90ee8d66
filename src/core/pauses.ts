/** The pauses that stand in the world: of one task, and of all. A task fires where neither keeps it back. */

import type { Cursor } from "../cursor.ts";
import { ALL_TASKS, decodeNote, pauseCursor } from "../cursor.ts";
import type { Pause } from "../policies/mod.ts";

const PREFIX = pauseCursor("");
const OF_ALL = pauseCursor(ALL_TASKS);

/** The order of a task (or `ALL_TASKS`) given last; `null` where there was none. */
export function pauseOf(cursors: ReadonlyMap<string, Cursor>, task: string): Pause | null {
  return pauseIn(cursors.get(pauseCursor(task)));
}

/** The order that keeps one due time of a task from being fired; its own before that of all. */
export function pauseAt(
  cursors: ReadonlyMap<string, Cursor>,
  task: string,
  dueMs: number,
): Pause | null {
  // On the path of every fire: nearly always there is neither.
  const own = cursors.get(cursorOf(task));
  const all = cursors.get(OF_ALL);
  if (own === undefined && all === undefined) return null;
  const keeps = (pause: Pause | null) =>
    pause !== null && (pause.untilMs === null || dueMs <= pause.untilMs);
  const ofTask = pauseIn(own);
  if (keeps(ofTask)) return ofTask;
  const ofAll = pauseIn(all);
  return keeps(ofAll) ? ofAll : null;
}

/**
 * Whether an order keeps back what comes due now: until it is lifted, and where that was done while
 * the server's clock was ahead, until it gets there again.
 */
export function isStanding({ untilMs }: Pause, nowMs: number): boolean {
  return untilMs === null || untilMs > nowMs;
}

/** The orders that stand, by task; `ALL_TASKS` among them. */
export function standingPauses(
  cursors: ReadonlyMap<string, Cursor>,
  nowMs: number,
): Map<string, Pause> {
  const standing = new Map<string, Pause>();
  for (const [name, cursor] of cursors) {
    if (!name.startsWith(PREFIX)) continue;
    const pause = pauseIn(cursor);
    if (pause !== null && isStanding(pause, nowMs)) standing.set(name.slice(PREFIX.length), pause);
  }
  return standing;
}

/** Names of cursors, made once for each task: making one costs more than to look it up. */
const names = new Map<string, string>();

function cursorOf(task: string): string {
  let name = names.get(task);
  if (name === undefined) {
    name = pauseCursor(task);
    names.set(task, name);
  }
  return name;
}

function pauseIn(cursor: Cursor | undefined): Pause | null {
  return cursor === undefined ? null : { sinceMs: cursor.dueMs, ...decodeNote(cursor.revision) };
}
