/** What the rows so far come to, as far as decisions rest on it: cursors, tasks, facts, runs of skips. */

import type { Fold } from "../audit/fold.ts";
import { foldOf } from "../audit/fold.ts";
import { DECLARES } from "../audit/schedule_then.ts";
import type { SnapshotState } from "../audit/snapshot.ts";
import { firesIn, standingIn } from "../audit/snapshot.ts";
import type { Standing } from "../audit/standing.ts";
import { standingOf } from "../audit/standing.ts";
import type { ReadyTask } from "../core/roster.ts";
import type { JournalRow } from "../event.ts";
import type { PastFacts } from "./past_facts.ts";
import { pastFacts, SLACK_MS } from "./past_facts.ts";
import { pastTask } from "./past_task.ts";

export interface Past extends Pick<Standing, "cursors" | "runs" | "term"> {
  take(row: JournalRow): void;
  /** Tasks that are declared; `null` where this build cannot read what a task is. */
  readonly declared: ReadonlyMap<string, ReadyTask | null>;
  readonly facts: PastFacts;
  /** Fires that have begun and not ended, by fire id. */
  readonly fires: Fold["fires"];
}

/** @param seed what the rows before the first came to */
export function pastOf(seed: SnapshotState | null): Past {
  const fold = foldOf(seed === null ? new Map() : firesIn(seed));
  const standing = standingOf(seed === null ? {} : standingIn(seed));
  const facts = pastFacts({ fires: fold.fires, notes: standing.notes });
  const declared = new Map<string, ReadyTask | null>();
  for (const { task, revision, definition, isRetired } of seed?.plans ?? []) {
    if (!isRetired) declared.set(task, pastTask(task, revision, definition));
  }

  function takeDeclared({ type, task, detail }: JournalRow): void {
    if (type === "task.retired") declared.delete(task);
    else if (DECLARES.has(type)) {
      declared.set(task, pastTask(task, String(detail.revision), detail.definition));
    }
  }

  return {
    take(row) {
      const { type, task, decidedMs } = row;
      standing.take(row);
      facts.take(row, fold.take(row), standing.notes);
      if (type.startsWith("task.")) takeDeclared(row);
      else if (!MOVES.has(type)) return;
      facts.trim(task, (standing.runs.get(task)?.writtenMs ?? decidedMs) - SLACK_MS);
    },
    get term() {
      return standing.term;
    },
    ...{ cursors: standing.cursors, runs: standing.runs, fires: fold.fires, declared, facts },
  };
}

/** Rows of fires that move a cursor. */
const MOVES: ReadonlySet<string> = new Set(["fire.published", "fire.delayed", "fire.skipped"]);
