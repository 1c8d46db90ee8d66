/**
 * The fold of the journal: what each row did to the fire that it is about. Streaming: it keeps the fires
 * that are open, however long the journal is. What stands beside them is in `standing.ts`.
 */

import { IDLE, type LifeState, stepLife } from "../core/life.ts";
import type { FireEventType, JournalRow } from "../event.ts";
import { attemptOf, DETAIL } from "../event.ts";
import { openIdOf } from "../fire.ts";

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
}

/** @param open fires before the first row */
export function foldOf<Note = undefined>(open: Fold<Note>["fires"] = new Map()): Fold<Note> {
  const fires = new Map<string, Fire<Note>>(open);
  return {
    fires,
    take: (row) => isFireRow(row) && row.dueMs !== null ? stepFire(fires, row, row.dueMs) : PASSED,
  };
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

/** What has a row of its own only where something holds the fire; any other first row implies it. */
const DUE = stepLife(IDLE, "fire.due")!;

const CLOSED: ReadonlySet<LifeState> = new Set(["skipped", "expired", "acked.finished"]);
