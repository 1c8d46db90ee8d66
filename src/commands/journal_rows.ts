/** Reads the rows that are asked for, and goes on with new ones. */

import { systemClock } from "../clock.ts";
import { JournalUnavailableError } from "../errors.ts";
import type { JournalRow } from "../event.ts";
import { compareIds, NO_ID } from "../event.ts";
import type { Clock, Journal } from "../ports.ts";
import type { Query } from "./journal_query.ts";
import { isWanted } from "./journal_query.ts";
import type { Progress } from "./progress.ts";
import type { Shell } from "./shell.ts";
import { rangeOf } from "./time_option.ts";

/** Between two looks for new rows. */
const FOLLOW_MS = 500;

export interface Printing {
  readonly print: (row: JournalRow) => void;
  /** Of all rows that are read; its line is gone while one is printed. */
  readonly progress: Progress;
  readonly foreign: ForeignCounter;
  readonly signal: AbortSignal;
}

/**
 * Prints what there is, and returns the id of the newest entry seen, or null when there was none.
 * Only the newest `count` rows are ever held.
 */
export async function printRows(
  journal: Pick<Journal, "read" | "readBack">,
  query: Query,
  { print, progress, foreign, signal }: Printing,
): Promise<string | null> {
  const range = rangeOf(query);
  let newest: string | null = null;
  const onForeign = (id: string) => {
    foreign.note();
    newest = later(newest, id);
  };
  const rows = query.count === null
    ? journal.read(range, onForeign)
    : journal.readBack(range, onForeign);
  const kept: JournalRow[] = [];
  for await (const row of rows) {
    if (signal.aborted) break;
    newest = later(newest, row.id);
    progress.add(1);
    if (!isWanted(row, query)) continue;
    if (query.count === null) {
      progress.done();
      print(row);
    } else if (kept.push(row) >= query.count) break;
  }
  progress.done();
  for (const row of kept.reverse()) print(row);
  return newest;
}

/** Prints new rows until the signal comes. Redis may go away and come back meanwhile. */
export async function follow(
  journal: Pick<Journal, "read">,
  query: Query,
  lastId: string | null,
  { print, foreign, shell, clock = systemClock }: {
    readonly print: (row: JournalRow) => void;
    readonly foreign: ForeignCounter;
    readonly shell: Pick<Shell, "err" | "signal">;
    readonly clock?: Clock;
  },
): Promise<void> {
  let seen = lastId ?? NO_ID;
  let isAway = false;
  while (!shell.signal.aborted) {
    try {
      const onForeign = (id: string) => {
        if (id === seen) return;
        foreign.note();
        seen = id;
      };
      for await (const row of journal.read({ from: seen, to: "+" }, onForeign)) {
        if (row.id !== seen && isWanted(row, query)) print(row);
        seen = row.id;
      }
      if (isAway) shell.err("the journal is back\n");
      isAway = false;
    } catch (error) {
      if (!(error instanceof JournalUnavailableError) || error.retry === "fatal") throw error;
      if (!isAway) shell.err(`waiting for the journal: ${error.message}\n`);
      isAway = true;
    }
    foreign.tell(shell);
    await clock.sleep(FOLLOW_MS, shell.signal);
  }
}

/** The later of two stream ids. */
function later(one: string | null, other: string): string {
  return one === null || compareIds(other, one) > 0 ? other : one;
}

export interface ForeignCounter {
  note(): void;
  /** Says how many there were since it was last said. */
  tell(shell: Pick<Shell, "err">): void;
}

/** Counts entries that are not rows of Beat's. */
export function foreignCounter(): ForeignCounter {
  let count = 0;
  return {
    note: () => count++,
    tell(shell) {
      if (count === 0) return;
      shell.err(
        `${count === 1 ? "1 entry" : `${count} entries`} in the journal ` +
          "not written by Beat, passed over\n",
      );
      count = 0;
    },
  };
}
