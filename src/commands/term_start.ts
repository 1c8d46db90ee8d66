/** Finds the row with which a term began, without reading the journal through. */

import type { JournalRow } from "../event.ts";
import { recordedMs, rowOf } from "../event.ts";
import type { Journal } from "../ports.ts";

export interface TermStart {
  /** The server's time. Unix milliseconds. */
  readonly atMs: number;
  readonly owner: string;
  readonly build: string;
}

type Reading = Pick<Journal, "read" | "readBack">;

/**
 * Fences never fall along a journal, so that the place where one begins is found by halving.
 *
 * @returns `null` where the row has not been written yet, or is not there any more
 * @throws {JournalUnavailableError}
 */
export async function termStart(journal: Reading, fence: number): Promise<TermStart | null> {
  const oldest = await firstRow(journal.read({ from: "-", to: "+" }));
  const newest = await firstRow(journal.readBack({ from: "-", to: "+" }));
  if (oldest === null || newest === null || newest.fence < fence) return null;
  let before = oldest;
  let [lowMs, highMs] = [recordedMs(oldest), recordedMs(newest)];
  while (before.fence < fence && lowMs + 1 < highMs) {
    const middleMs = Math.floor((lowMs + highMs) / 2);
    const row = await firstRow(journal.read({ from: String(middleMs), to: "+" }));
    if (row === null || row.fence >= fence) highMs = middleMs;
    else [before, lowMs] = [row, Math.max(middleMs, recordedMs(row))];
  }
  for await (const row of journal.read({ from: before.id, to: "+" })) {
    if (row.fence >= fence) return row.fence === fence ? startOf(row) : null;
  }
  return null;
}

function startOf(row: JournalRow): TermStart | null {
  const started = rowOf(row, "term.started");
  if (started === null) return null;
  const { owner, build } = started.detail;
  return { atMs: recordedMs(row), owner, build };
}

/** The first of some rows; `null` for none. */
export async function firstRow(rows: AsyncIterable<JournalRow>): Promise<JournalRow | null> {
  for await (const row of rows) return row;
  return null;
}
