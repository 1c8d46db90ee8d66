/** What the rows so far come to, as far as decisions rest on it: cursors, tasks, facts, runs of skips. */

import type { Fold } from "../audit/fold.ts";
import { foldOf } from "../audit/fold.ts";
import type { SnapshotState } from "../audit/snapshot.ts";
import type { ReadyTask } from "../core/roster.ts";
import type { Cursor } from "../cursor.ts";
import { decodeCursor } from "../cursor.ts";
import type { JournalRow } from "../event.ts";
import type { PastFacts } from "./past_facts.ts";
import { pastFacts, SLACK_MS } from "./past_facts.ts";
import type { PastRun } from "./past_run.ts";
import { runAfter } from "./past_run.ts";
import { pastTask } from "./past_task.ts";

export interface Past {
  take(row: JournalRow): void;
  /** By task. */
  readonly cursors: ReadonlyMap<string, Cursor>;
  /** Tasks that are declared; `null` where this build cannot read what a task is. */
  readonly declared: ReadonlyMap<string, ReadyTask | null>;
  /** Skips that may go on without rows, by task. */
  readonly runs: ReadonlyMap<string, PastRun>;
  readonly facts: PastFacts;
  /** Fires that have begun and not ended, by fire id. */
  readonly fires: Fold["fires"];
  /** The term in office; `null` where none is known. */
  readonly term: PastTerm | null;
}

export interface PastTerm {
  readonly fence: number;
  readonly owner: string;
  /** Unix milliseconds; `endedMs` is `null` while no row says that it ended. */
  readonly sinceMs: number;
  readonly endedMs: number | null;
}

const DECLARES: ReadonlySet<string> = new Set(["task.known", "task.changed"]);

/** @param seed what the rows before the first came to */
export function pastOf(seed: SnapshotState | null): Past {
  const fold = foldOf(seed === null ? {} : seedOf(seed));
  const facts = pastFacts(seed);
  const declared = new Map<string, ReadyTask | null>();
  const runs = new Map<string, PastRun>();
  let term: PastTerm | null = null;
  for (const { task, revision, definition, isRetired } of seed?.plans ?? []) {
    if (!isRetired) declared.set(task, pastTask(task, revision, definition));
  }

  function takeTerm({ type, fence, decidedMs, detail }: JournalRow): void {
    if (type === "term.ended" && term !== null) term = { ...term, endedMs: decidedMs };
    if (type !== "term.started") return;
    // Skips without rows are forgotten by who comes next.
    runs.clear();
    term = { fence, owner: String(detail.owner), sinceMs: decidedMs, endedMs: null };
  }

  function takeDeclared({ type, task, detail }: JournalRow): void {
    if (type === "task.retired") declared.delete(task);
    else if (DECLARES.has(type)) {
      declared.set(task, pastTask(task, String(detail.revision), detail.definition));
    }
  }

  return {
    take(row) {
      const folded = fold.take(row);
      facts.take(row, folded);
      if (row.type.startsWith("term.")) return takeTerm(row);
      if (row.type.startsWith("task.")) takeDeclared(row);
      else if (!MOVES.has(row.type)) return;
      const run = runAfter(row);
      if (run === null) runs.delete(row.task);
      else runs.set(row.task, run);
      facts.trim(row.task, (run?.writtenMs ?? row.decidedMs) - SLACK_MS);
    },
    get cursors() {
      return fold.cursors;
    },
    get fires() {
      return fold.fires;
    },
    get term() {
      return term;
    },
    ...{ declared, runs, facts },
  };
}

/** Rows of fires that move a cursor. */
const MOVES: ReadonlySet<string> = new Set(["fire.published", "fire.delayed", "fire.skipped"]);

function seedOf({ cursors, fires, levels }: SnapshotState): Partial<Omit<Fold, "take">> {
  return {
    cursors: new Map(cursors.map(([task, text]) => [task, decodeCursor(text)])),
    fires: new Map(
      fires.map(({ fireId, openId, state }) => [fireId, { openId, state, note: undefined }]),
    ),
    levels: new Map(levels),
  };
}
