/** From where an audit reads: a snapshot where the window lies behind one, else the first row that there is. */

import type { Snapshot, SnapshotState } from "../audit/snapshot.ts";
import { FOLD_FORMAT, snapshotOf } from "../audit/snapshot.ts";
import { checksumOf } from "../audit/snapshot_parts.ts";
import type { Ledger } from "../audit/ledger.ts";
import { compareIds, millisecondsOf, NO_ID } from "../event.ts";
import type { JournalRow } from "../event.ts";
import type { OnForeign } from "../ports.ts";
import type { Gone } from "../redis/read.ts";
import { newestSnapshot } from "../retain/newest_snapshot.ts";
import type { OpenedJournal } from "./open_journal.ts";

export interface AuditReading {
  /** What the rows before came to; `null` where the reading begins with the first row. */
  readonly seed: SnapshotState | null;
  /** Rows before the first are gone for good. */
  readonly isTrimmed: boolean;
  /** Rows that are to be read, about. */
  readonly rows: number;
  pages(onForeign: OnForeign): AsyncIterable<readonly JournalRow[]>;
  /** To be called before each row, where what Beat keeps is compared. */
  checkBefore(row: JournalRow, ledger: Ledger): void;
  /** What is wrong with the snapshot itself; `null` where nothing is, or there is none. */
  readonly problem: string | null;
}

/** @throws {ArchiveError | JournalUnavailableError} */
export async function auditReading(
  { hot, archive, pages }: OpenedJournal,
  { sinceMs, gone }: { sinceMs: number; gone: Gone },
): Promise<AuditReading> {
  const { snapshot } = await newestSnapshot(hot);
  const problem = typeof snapshot === "string" ? snapshot : null;
  const known = typeof snapshot === "string" ? null : snapshot;
  const { rows, firstId } = await hot.extent();
  // What is due in the window has all its rows after the cut: none comes before its time.
  if (known !== null && sinceMs > millisecondsOf(known.cutId)) {
    return {
      ...{ seed: known.state, isTrimmed: false, rows, problem },
      pages: (onForeign) => pages({ from: known.cutId, to: "+" }, onForeign),
      checkBefore() {},
    };
  }
  const segments = gone.count > 0 ? await archive.list() : [];
  const archived = segments
    .filter((each) => firstId === null || compareIds(each.firstId, firstId) < 0)
    .reduce((sum, each) => sum + each.rows, 0);
  return {
    ...{ seed: null, rows: rows + archived, problem },
    isTrimmed: gone.count > archived && gone.deletedId === NO_ID,
    pages: (onForeign) => pages({ from: "-", to: "+" }, onForeign),
    checkBefore: snapshotCheck(known),
  };
}

/** Holds the fold of all rows before the cut against what was kept of them. */
function snapshotCheck(known: Snapshot | null): AuditReading["checkBefore"] {
  let waiting = known;
  return (row, ledger) => {
    if (waiting === null || compareIds(row.id, waiting.cutId) < 0) return;
    const { id, cutId, rows, checksum, state } = waiting;
    waiting = null;
    // Of some tasks only, of a history that is not whole, or by another build nothing can be said.
    if (ledger.tasks !== null || !ledger.terms.isWhole || !state.isStandingKnown) return;
    if (state.format !== FOLD_FORMAT) return;
    if (checksumOf({ cutId, rows, state: snapshotOf(ledger) }) === checksum) return;
    ledger.findings.add({
      ...{ kind: "differs", task: "", fromMs: null, toMs: null, count: 1, times: [], rowId: id },
      text: `the rows before ${cutId} come to something else than the snapshot of them says`,
    });
  };
}
