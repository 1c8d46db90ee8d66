/**
 * The fold of the journal: what each row did to the fire or the task that it is about. Streaming: it
 * keeps the fires that are open and one cursor a task, however long the journal is.
 */

import type { Cursor } from "../cursor.ts";
import { IDLE, type LifeState, stepLife } from "../core/life.ts";
import { DETAIL, type FireEventType, type JournalRow } from "../event.ts";
import { openIdOf, TASK_NAME } from "../fire.ts";

/** A fire that has begun and not ended. */
export interface FoldedFire {
  /** The key of its present publish, see `openIdOf`. */
  readonly openId: string;
  readonly state: LifeState;
}

/** What became of a row. */
export type Folded =
  /** It moved a fire. */
  | { readonly kind: "stepped"; readonly openId: string; readonly state: LifeState }
  /** It may not follow what came before; `state` is `null` where the fire had not begun, or had ended. */
  | { readonly kind: "refused"; readonly openId: string; readonly state: LifeState | null }
  /** It is about no fire, changes nothing, or is of a type that this build does not know. */
  | { readonly kind: "passed" };

export interface Fold {
  take(row: JournalRow): Folded;
  /** By fire id; those that ended are not kept. */
  readonly fires: ReadonlyMap<string, FoldedFire>;
  /** The cursor of each task that is declared. */
  readonly cursors: ReadonlyMap<string, Cursor>;
}

export function foldOf(): Fold {
  const fires = new Map<string, FoldedFire>();
  const cursors = new Map<string, Cursor>();
  return {
    fires,
    cursors,
    take(row) {
      moveCursor(cursors, row);
      return isFireRow(row) && row.dueMs !== null ? stepFire(fires, row, row.dueMs) : PASSED;
    },
  };
}

const PASSED: Folded = { kind: "passed" };

type FireRow = JournalRow & { readonly type: FireEventType };

function isFireRow(row: JournalRow): row is FireRow {
  return row.type.startsWith("fire.") && Object.hasOwn(DETAIL, row.type);
}

function stepFire(fires: Map<string, FoldedFire>, row: FireRow, dueMs: number): Folded {
  const fireId = openIdOf(row.task, dueMs, 0);
  const known = fires.get(fireId);
  const openId = row.type === "fire.published"
    ? openIdOf(row.task, dueMs, attemptOf(row))
    : known?.openId ?? fireId;
  // Another attempt is another life; the one before it has ended, or is given up.
  const isAnew = known === undefined || (attemptOf(row) > 0 && openId !== known.openId);
  const before = isAnew ? IDLE : known.state;
  const state = stepLife(before, row.type) ?? (isAnew ? stepLife(DUE, row.type) : null);
  if (state !== null) {
    if (CLOSED.has(state)) fires.delete(fireId);
    else fires.set(fireId, { openId, state });
    return { kind: "stepped", openId, state };
  }
  // The fire is closed, and so forgotten; what comes for it later changes nothing.
  if (isAnew && row.type === "fire.late_ack") return PASSED;
  return { kind: "refused", openId, state: isAnew ? null : before };
}

function attemptOf({ detail }: JournalRow): number {
  return typeof detail.attempt === "number" ? detail.attempt : 0;
}

/** What has a row of its own only where something holds the fire; any other first row implies it. */
const DUE = stepLife(IDLE, "fire.due")!;

const CLOSED: ReadonlySet<LifeState> = new Set(["skipped", "expired", "acked.finished"]);

/** Fires that somebody asked for have a name of their own, and move no cursor. */
function moveCursor(cursors: Map<string, Cursor>, row: JournalRow): void {
  const { type, task, dueMs, detail } = row;
  if (!TASK_NAME.test(task)) return;
  if (type === "task.retired") cursors.delete(task);
  const revision = DECLARES.has(type) ? detail.revision : cursors.get(task)?.revision;
  if (dueMs === null || typeof revision !== "string") return;
  const isDecided = DECIDES.has(type) && attemptOf(row) === 0;
  if (DECLARES.has(type) || isDecided) cursors.set(task, { dueMs, revision });
}

const DECLARES: ReadonlySet<string> = new Set(["task.known", "task.changed"]);
const DECIDES: ReadonlySet<string> = new Set(["task.dropped", "fire.published", "fire.skipped"]);
