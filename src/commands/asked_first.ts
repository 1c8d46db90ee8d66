/** What was asked for under an id first: the leader knows requests by their ids alone. */

import type { JournalRow } from "../event.ts";
import { millisecondsOf, rowOf } from "../event.ts";
import type { Journal } from "../ports.ts";
import type { Request } from "../request.ts";

/** Rows read from the time at which it was asked: mostly it is taken up at once. */
const ROWS_MAX = 20_000;

/** A request, as far as the journal tells. */
export interface First {
  /** `null` where no row names it. */
  readonly kind: string | null;
  /** `null` for all tasks. */
  readonly task: string | null;
}

/**
 * Who asks for something else under an id that is taken must hear of it: nothing was done for them.
 *
 * @param firstId the entry that was taken up under the id
 * @returns `null` where the same was asked, or the rows of then do not tell
 */
export async function otherFirst(
  journal: Pick<Journal, "read">,
  { id, kind, task }: Pick<Request, "id" | "kind" | "task">,
  firstId: string,
): Promise<First | null> {
  const first = await firstOf(journal, id, firstId);
  if (first === null) return null;
  const isSame = first.task === task && (first.kind === null || first.kind === kind);
  return isSame ? null : first;
}

async function firstOf(
  journal: Pick<Journal, "read">,
  id: string,
  firstId: string,
): Promise<First | null> {
  let kind: string | null = null;
  let count = 0;
  for await (const row of journal.read({ from: String(millisecondsOf(firstId)), to: "+" })) {
    kind = kindIn(row, id) ?? kind;
    // Rows of another kind of request come just before the answer, in the same step.
    const answer = rowOf(row, "control.answered") ?? rowOf(row, "control.requested");
    if (answer?.detail.entryId === firstId) {
      return { kind, task: row.task === "" ? null : row.task };
    }
    if (++count >= ROWS_MAX) break;
  }
  return null;
}

const ORDERS: Readonly<Record<string, string>> = {
  "control.paused": "pause",
  "control.resumed": "resume",
};

function kindIn(row: JournalRow, id: string): string | null {
  if (row.detail.request !== id) return null;
  return rowOf(row, "control.requested")?.detail.kind ?? ORDERS[row.type] ?? null;
}
