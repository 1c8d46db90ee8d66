/**
 * Due times that a policy skips one after the other: the first has a row of its own, the others are
 * kept in memory and written as one, so that a task of each second costs a few rows while its market
 * is closed. They stay undecided for the journal until then: a leader that dies leaves them to the next.
 */

import { decodeCursor, encodeCursor } from "../cursor.ts";
import type { Row } from "../event.ts";
import type { Step } from "../ports.ts";
import { freshUntil } from "./chain.ts";

/** The longest that a skipped due time goes without a row. Milliseconds. */
export const SKIP_RUN_MS = 3_600_000;

export interface SkipRun {
  /** The text of the cursor that it starts from; under another it means nothing. */
  readonly base: string;
  readonly by: string;
  readonly reason: string;
  /** When its last row was written. The server's time, Unix milliseconds. */
  readonly writtenMs: number;
  /** The first due time without a row, or `null` while there is none. */
  readonly fromMs: number | null;
  /** The last due time skipped. */
  readonly toMs: number;
  /** Due times without a row. */
  readonly count: number;
}

/** A row for what has none yet; `null` where all has. */
export function flushStep(task: string, run: SkipRun, nowMs: number): Step | null {
  const { base, by, reason, fromMs, toMs, count } = run;
  if (fromMs === null) return null;
  const { revision } = decodeCursor(base);
  const detail = { fromMs, toMs, count, by, reason };
  const row: Row = { type: "task.dropped", task, dueMs: toMs, decidedMs: nowMs, detail };
  const next = encodeCursor({ dueMs: toMs, revision });
  const notAfterMs = freshUntil(row);
  return { task, expect: base, next, notBeforeMs: toMs, notAfterMs, row, publish: null };
}
