/**
 * The fold of the journal: what each row did to the fire or the task that it is about. Streaming: it
 * keeps the fires that are open and one cursor a task, however long the journal is.
 */

import type { Cursor, Pending } from "../cursor.ts";
import { IDLE, type LifeState, stepLife } from "../core/life.ts";
import { DETAIL, type FireEventType, type JournalRow } from "../event.ts";
import { openIdOf, TASK_NAME } from "../fire.ts";

/** A fire that has begun and not ended. */
export interface FoldedFire<Note = undefined> {
  /** The key of its present publish, see `openIdOf`. */
  readonly openId: string;
  readonly state: LifeState;
  /** Of whoever folds; `undefined` until they set it. */
  note: Note | undefined;
}

/** What became of a row. */
export type Folded<Note = undefined> =
  /** It moved a fire, which is no longer among the fires where that ended it. */
  | { readonly kind: "stepped"; readonly fire: FoldedFire<Note> }
  /** It may not follow what came before; `state` is `null` where the fire had not begun, or had ended. */
  | { readonly kind: "refused"; readonly openId: string; readonly state: LifeState | null }
  /** It is about no fire, changes nothing, or is of a type that this build does not know. */
  | { readonly kind: "passed" };

export interface Fold<Note = undefined> {
  take(row: JournalRow): Folded<Note>;
  /** By fire id; those that ended are not kept. */
  readonly fires: ReadonlyMap<string, FoldedFire<Note>>;
  /** The cursor of each task that is declared. */
  readonly cursors: ReadonlyMap<string, Cursor>;
  /** Throttles that are not normal, by key: the level, and since when. */
  readonly levels: ReadonlyMap<string, LevelSince>;
}

export interface LevelSince {
  readonly level: string;
  /** Unix milliseconds. */
  readonly sinceMs: number;
}

/** @param seed what was folded before the first row */
export function foldOf<Note = undefined>(
  seed: Partial<Omit<Fold<Note>, "take">> = {},
): Fold<Note> {
  const fires = new Map<string, Fire<Note>>(seed.fires);
  const cursors = new Map<string, Cursor>(seed.cursors);
  const levels = new Map<string, LevelSince>(seed.levels);
  return {
    fires,
    cursors,
    levels,
    take(row) {
      if (MOVES.has(row.type)) moveCursor(cursors, row);
      if (isFireRow(row) && row.dueMs !== null) return stepFire(fires, row, row.dueMs);
      if (row.type === "level.changed") moveLevel(levels, row);
      return PASSED;
    },
  };
}

function moveLevel(levels: Map<string, LevelSince>, { decidedMs, detail }: JournalRow): void {
  const { key, to } = detail;
  if (typeof key !== "string" || typeof to !== "string") return;
  if (to === "normal") levels.delete(key);
  else levels.set(key, { level: to, sinceMs: decidedMs });
}

/** One object for all of a life: this stands on the path of millions of rows. */
interface Fire<Note> extends FoldedFire<Note> {
  openId: string;
  state: LifeState;
}

const PASSED = { kind: "passed" } as const;

type FireRow = JournalRow & { readonly type: FireEventType };

const FIRE_TYPES: ReadonlySet<string> = new Set(
  Object.keys(DETAIL).filter((type) => type.startsWith("fire.")),
);

function isFireRow(row: JournalRow): row is FireRow {
  return FIRE_TYPES.has(row.type);
}

function stepFire<Note>(
  fires: Map<string, Fire<Note>>,
  row: FireRow,
  dueMs: number,
): Folded<Note> {
  const fireId = openIdOf(row.task, dueMs, 0);
  const known = fires.get(fireId);
  const attempt = attemptOf(row);
  const isAttempt = row.type === "fire.published" && attempt > 0;
  const openId = isAttempt ? openIdOf(row.task, dueMs, attempt) : known?.openId ?? fireId;
  // Another attempt is another life; the one before it has ended, or is given up.
  const isAnew = known === undefined || (isAttempt && openId !== known.openId);
  const before = isAnew ? IDLE : known.state;
  const state = stepLife(before, row.type) ?? (isAnew ? stepLife(DUE, row.type) : null);
  if (state !== null) {
    const fire = isAnew ? { openId, state, note: undefined } : known;
    fire.state = state;
    if (CLOSED.has(state)) fires.delete(fireId);
    else if (isAnew) fires.set(fireId, fire);
    return { kind: "stepped", fire };
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
  const { type, task, dueMs, decidedMs, detail } = row;
  const known = cursors.get(task);
  if (known === undefined && !TASK_NAME.test(task)) return;
  if (type === "task.retired") cursors.delete(task);
  const revision = DECLARES.has(type) ? detail.revision : known?.revision;
  if (dueMs === null || typeof revision !== "string") return;
  if (type === "fire.delayed") {
    cursors.set(task, { dueMs, revision, pending: pendingOf(row) });
  } else if (DECLARES.has(type)) {
    const isHeld = known?.pending !== undefined && known.dueMs === dueMs;
    const pending = isHeld ? { notBeforeMs: decidedMs, by: known.pending!.by } : undefined;
    cursors.set(task, pending === undefined ? { dueMs, revision } : { dueMs, revision, pending });
  } else if (DECIDES.has(type) && attemptOf(row) === 0) cursors.set(task, { dueMs, revision });
}

function pendingOf({ decidedMs, detail: { untilMs, by, cause } }: JournalRow): Pending {
  return typeof untilMs === "number"
    ? { notBeforeMs: Math.max(untilMs, decidedMs + 1), by: String(by) }
    : { notBeforeMs: decidedMs, by: `${by}:${cause}` };
}

const DECLARES: ReadonlySet<string> = new Set(["task.known", "task.changed"]);
const DECIDES: ReadonlySet<string> = new Set(["task.dropped", "fire.published", "fire.skipped"]);
const MOVES: ReadonlySet<string> = new Set([
  ...DECLARES,
  ...DECIDES,
  ...["fire.delayed", "task.retired"],
]);
