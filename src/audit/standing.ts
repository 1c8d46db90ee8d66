/**
 * What stands beside the fires, from the rows so far: the cursor of each task, levels, pauses, skips that
 * go on without rows, the term in office. Decisions rest on it, so a snapshot keeps it. Streaming.
 */

import type { Cursor, Pending } from "../cursor.ts";
import { ALL_TASKS, decodeNote, encodeNote, levelCursor, pauseCursor } from "../cursor.ts";
import type { JournalRow } from "../event.ts";
import { attemptOf, rowOf } from "../event.ts";
import { TASK_NAME } from "../fire.ts";
import { DECLARES } from "./schedule_then.ts";

export interface Standing {
  take(row: JournalRow): void;
  /** The cursor of each task that is declared. It moves on with the rows: who keeps one, copies it. */
  readonly cursors: ReadonlyMap<string, Cursor>;
  /** Cursors of levels and pauses, by their names. Another map after each change. */
  readonly notes: ReadonlyMap<string, Cursor>;
  /** Skips that may go on without rows, by task. */
  readonly runs: ReadonlyMap<string, GoingRun>;
  /** `null` where none is known. */
  readonly term: StandingTerm | null;
}

/** What a policy was skipping when the row before was written. */
export interface GoingRun {
  readonly by: string;
  readonly reason: string;
  /** The last due time that has a row. Unix milliseconds. */
  readonly toMs: number;
  /** When that row was decided. Unix milliseconds. */
  readonly writtenMs: number;
}

/** The last term that began. */
export interface StandingTerm {
  readonly fence: number;
  readonly owner: string;
  /** Unix milliseconds; `endedMs` is `null` while no row says that it ended. */
  readonly sinceMs: number;
  readonly endedMs: number | null;
}

/** @param seed what stood before the first row */
export function standingOf(seed: Partial<Omit<Standing, "take">> = {}): Standing {
  const cursors = new Map<string, MovedCursor>(seed.cursors);
  const runs = new Map(seed.runs);
  let notes = seed.notes ?? new Map<string, Cursor>();
  let term = seed.term ?? null;

  function takeTerm({ type, fence, decidedMs, detail }: JournalRow): void {
    if (type === "term.ended" && term !== null) term = { ...term, endedMs: decidedMs };
    if (type !== "term.started") return;
    // Skips without rows are forgotten by who comes next.
    runs.clear();
    term = { fence, owner: String(detail.owner), sinceMs: decidedMs, endedMs: null };
  }

  return {
    take(row) {
      const { type, task } = row;
      // On the path of every row: most say only how a fire went on.
      if (!MATTERS.has(type)) return;
      if (MOVES.has(type)) {
        moveCursor(cursors, row);
        const run = runAfter(row);
        if (run !== null) runs.set(task, run);
        // Mostly there is none at all.
        else if (runs.size > 0) runs.delete(task);
      } else if (type.startsWith("term.")) takeTerm(row);
      else {
        const note = noteAfter(row, notes);
        if (note !== null) notes = new Map([...notes, note]);
      }
    },
    get notes() {
      return notes;
    },
    get term() {
      return term;
    },
    ...{ cursors, runs },
  };
}

type MovedCursor = Omit<Cursor, "dueMs"> & { dueMs: number };

/** Fires that somebody asked for have a name of their own, and move no cursor. */
function moveCursor(cursors: Map<string, MovedCursor>, row: JournalRow): void {
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
  } else if (DECIDES.has(type) && attemptOf(row) === 0) {
    // On the path of every fire: mostly there is nothing to make.
    if (known !== undefined && known.pending === undefined) known.dueMs = dueMs;
    else cursors.set(task, { dueMs, revision });
  }
}

function pendingOf({ decidedMs, detail: { untilMs, by, cause } }: JournalRow): Pending {
  return typeof untilMs === "number"
    ? { notBeforeMs: Math.max(untilMs, decidedMs + 1), by: String(by) }
    : { notBeforeMs: decidedMs, by: `${by}:${cause}` };
}

/** Rows that decide a due time for good. */
export const DECIDES: ReadonlySet<string> = new Set([
  ...["fire.published", "fire.skipped", "task.dropped"],
]);
const MOVES: ReadonlySet<string> = new Set([
  ...DECLARES,
  ...DECIDES,
  ...["fire.delayed", "task.retired"],
]);

/** Who decides by themselves, and not as a policy. */
export const NO_POLICY: ReadonlySet<unknown> = new Set(["catchup", "schedule"]);

/** The run that a decision begins or goes on with; `null` where it is none. */
function runAfter({ type, dueMs, decidedMs, detail }: JournalRow): GoingRun | null {
  const isSkip = type === "fire.skipped" || type === "task.dropped";
  if (!isSkip || NO_POLICY.has(detail.by) || dueMs === null) return null;
  const { by, reason } = detail;
  return { by: String(by), reason: String(reason), toMs: dueMs, writtenMs: decidedMs };
}

const NOTED: ReadonlySet<string> = new Set([
  ...["level.changed", "control.paused", "control.resumed"],
]);

const MATTERS: ReadonlySet<string> = new Set([
  ...MOVES,
  ...NOTED,
  ...["term.started", "term.ended"],
]);

/**
 * The cursor that a row about a level or a pause leaves; `null` for other rows.
 * @param notes those before the row
 */
function noteAfter(
  row: JournalRow,
  notes: ReadonlyMap<string, Cursor>,
): [name: string, cursor: Cursor] | null {
  const level = rowOf(row, "level.changed");
  if (level !== null) {
    const { key, to } = level.detail;
    return [levelCursor(key), { dueMs: row.decidedMs, revision: to }];
  }
  const name = pauseCursor(row.task === "" ? ALL_TASKS : row.task);
  const paused = rowOf(row, "control.paused");
  if (paused !== null) {
    const { who, note } = paused.detail;
    return [name, { dueMs: row.decidedMs, revision: encodeNote({ who, note, untilMs: null }) }];
  }
  const resumed = rowOf(row, "control.resumed");
  const standing = notes.get(name);
  if (resumed === null || standing === undefined) return null;
  // The order that is over keeps its words: what it held back is still told by them.
  const { who, note } = decodeNote(standing.revision);
  const revision = encodeNote({ who, note, untilMs: row.decidedMs });
  return [name, { dueMs: standing.dueMs, revision }];
}
