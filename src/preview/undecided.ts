/** Due times that passed and have no decision: the schedule changed before, or the journal ends before. */

import type { Pending } from "../cursor.ts";
import { policyOf } from "../cursor.ts";
import type { JournalRow } from "../event.ts";
import { recordedMs } from "../event.ts";
import type { Past } from "./past.ts";

/** Due times of a task that no row decides. */
export interface Undecided {
  readonly task: string;
  readonly count: number;
  /** The first and the last of them. Unix milliseconds. */
  readonly fromMs: number;
  readonly toMs: number;
  /** What came in the place of a decision. */
  readonly why: "changed" | "retired" | "history lost" | "end";
  /** A policy skipped the one before: skips that follow are written within the hour. */
  readonly isSkipping: boolean;
}

export interface UndecidedBook {
  /** Looks at a row before it is taken. */
  before(row: JournalRow, past: Past): void;
  close(nowMs: number, past: Past): void;
  readonly list: readonly Undecided[];
}

/** Held until a time that has passed. What waits for something else may do so still. */
function isOverdue(pending: Pending | undefined, nowMs: number): boolean {
  return pending !== undefined && pending.by === policyOf(pending) &&
    pending.notBeforeMs < nowMs;
}

export function undecidedBook(
  { sinceMs, untilMs, tasks }: {
    readonly sinceMs: number;
    readonly untilMs: number;
    readonly tasks: ReadonlySet<string> | null;
  },
): UndecidedBook {
  const list: Undecided[] = [];

  function note(task: string, nowMs: number, why: Undecided["why"], past: Past): void {
    const ready = past.declared.get(task) ?? null;
    const cursor = past.cursors.get(task);
    if (ready === null || cursor === undefined || (tasks !== null && !tasks.has(task))) return;
    const { trigger } = ready;
    const isStuck = why === "end" && cursor.dueMs >= sinceMs && isOverdue(cursor.pending, nowMs);
    const afterMs = Math.max(cursor.dueMs, sinceMs - 1);
    const lastMs = Math.min(nowMs, untilMs - 1);
    const later = trigger.count(afterMs, lastMs);
    if (!isStuck && later === 0) return;
    list.push({
      ...{ task, count: later + (isStuck ? 1 : 0), why },
      fromMs: isStuck ? cursor.dueMs : trigger.next(afterMs)!,
      toMs: later === 0 ? cursor.dueMs : trigger.last(lastMs)!,
      isSkipping: past.runs.has(task),
    });
  }

  return {
    list,
    before(row, past) {
      if (row.type === "task.retired") note(row.task, recordedMs(row), "retired", past);
      else if (row.type === "task.changed" && row.dueMs !== null) {
        // Where it is due as before, its cursor stays, and nothing lies in between.
        note(row.task, row.dueMs, "changed", past);
      } else if (row.type === "task.known" && row.dueMs !== null) {
        // Its cursor was gone: rows that declared it before are those of a history that was lost.
        note(row.task, row.dueMs, "history lost", past);
      }
    },
    close(nowMs, past) {
      for (const task of past.declared.keys()) note(task, nowMs, "end", past);
    },
  };
}
