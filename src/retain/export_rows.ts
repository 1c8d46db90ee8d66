/** Writes the oldest rows of the hot journal to the archive, and folds them on the way. */

import { auditFrom } from "../audit/audit.ts";
import { openLedger } from "../audit/ledger.ts";
import type { SnapshotState } from "../audit/snapshot.ts";
import { seedLedger, snapshotOf } from "../audit/snapshot.ts";
import { foreignLine, lineOf } from "../archive/line.ts";
import { covers } from "../archive/segments.ts";
import { ArchiveError } from "../errors.ts";
import { compareIds } from "../event.ts";
import { fireIdOf } from "../fire.ts";
import type { Archive, Clock, Journal, Segment } from "../ports.ts";

/** A segment is read whole by whoever wants a row of it. */
const SEGMENT_ROWS = 25_000;
/** And it is packed in one go: rows that declare tasks are long. Characters. */
const SEGMENT_LENGTH = 4_000_000;
/** A line from here on takes as much in Redis: rows of snapshots, and long definitions. Characters. */
const LONG_LENGTH = 1_000;
/** Rows that go in one call. */
const TRIM_ROWS = 10_000;
/** After so many rows others get their turn, so long. Milliseconds. */
const BREATH_ROWS = 250;
export const BREATH_MS = 5;

export interface ExportRequest {
  /** With which the journal begins. */
  readonly firstId: string;
  /** This row stays in any case. */
  readonly lastId: string;
  /** What the rows before came to; `null` where that is not known, or nothing. */
  readonly seed: SnapshotState | null;
  /** Whether no row was ever before the first. */
  readonly isBeginning: boolean;
  readonly openFires: ReadonlySet<string>;
  /** What a row takes in Redis that is not long. */
  readonly rowBytes: number;
  /** Whether a row is to go. @param row.bytes about what those before it take in Redis */
  goes(row: { id: string; bytes: number }): boolean;
}

export interface Exported {
  /** The first row that stays. */
  readonly cutId: string;
  /** Entries before it. */
  readonly count: number;
  /** Ids between, up to which can be cut on the way. */
  readonly stops: readonly string[];
  readonly state: SnapshotState;
  /** The open fire at whose first row it ended; `null` where all went that were to go. */
  readonly heldBy: string | null;
}

/**
 * @returns `null` where it was aborted, or found no row that stays
 * @throws {ArchiveError | JournalUnavailableError} what was written by then is harmless
 */
export async function exportRows(
  { journal, archive, clock }: {
    readonly journal: Pick<Journal, "read">;
    readonly archive: Archive;
    readonly clock: Clock;
  },
  request: ExportRequest,
  signal: AbortSignal,
): Promise<Exported | null> {
  const { firstId, lastId, seed, isBeginning, openFires, rowBytes, goes } = request;
  const breathe = () => clock.sleep(BREATH_MS, signal);
  const fold = await foldFrom(seed, isBeginning, breathe);
  const writer = await segmentWriter(archive, firstId);
  const stops: string[] = [];
  let count = 0;
  let bytes = 0;
  const takeForeign = (id: string, why: string) => {
    count++;
    bytes += rowBytes;
    writer.add(id, foreignLine({ id, why }));
  };
  for await (const row of journal.read({ from: firstId, to: lastId }, takeForeign)) {
    if (signal.aborted) return null;
    const fireId = row.dueMs === null ? "" : fireIdOf(row.task, row.dueMs);
    const isHeld = openFires.has(fireId);
    if (isHeld || compareIds(row.id, lastId) >= 0 || !goes({ id: row.id, bytes })) {
      await writer.flush();
      const state = snapshotOf(fold.ledger);
      return { cutId: row.id, count, stops, state, heldBy: isHeld ? fireId : null };
    }
    if (count > 0 && count % TRIM_ROWS === 0) stops.push(row.id);
    fold.take(row);
    const line = lineOf(row);
    bytes += line.length < LONG_LENGTH ? rowBytes : line.length;
    writer.add(row.id, line);
    if (writer.isFull) await writer.flush();
    if (++count % BREATH_ROWS === 0) await breathe();
  }
  return null;
}

async function foldFrom(
  seed: SnapshotState | null,
  isBeginning: boolean,
  breathe: () => Promise<void>,
) {
  const options = { ...FOLD_ALONE, isTrimmed: !isBeginning };
  if (seed === null) return auditFrom(openLedger(options));
  const { ledger, plans } = seedLedger(options, seed);
  while (!plans.next().done) await breathe();
  return auditFrom(ledger);
}

/** Nothing is looked for in it. */
const FOLD_ALONE = {
  sinceMs: Infinity,
  untilMs: Infinity,
  toleranceMs: Infinity,
  tasks: null,
  isShowingAll: false,
  sights: new Map(),
};

/** Those with rows from an id on: rows are cut off because they are there, so all of them must be. */
async function readableSegments(archive: Archive, fromId: string): Promise<Segment[]> {
  const readable: Segment[] = [];
  for (const segment of await archive.list()) {
    const isWanted = compareIds(segment.lastId, fromId) >= 0;
    if (isWanted && await isReadable(archive, segment)) readable.push(segment);
  }
  return readable;
}

async function isReadable(archive: Pick<Archive, "read">, segment: Segment): Promise<boolean> {
  let rows = 0;
  try {
    for await (const lines of archive.read(segment)) rows += lines.length;
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    return false;
  }
  return rows === segment.rows;
}

/** Collects lines into segments, without those that are in the archive. */
async function segmentWriter(archive: Archive, fromId: string) {
  const there = await readableSegments(archive, fromId);
  let lines: string[] = [];
  let ids: string[] = [];
  let length = 0;
  let isAfterGap = false;
  const waiting: Promise<void>[] = [];
  const cut = () => {
    if (lines.length === 0) return;
    const segment = { firstId: ids[0]!, lastId: ids.at(-1)!, rows: lines.length };
    const written = archive.write(segment, lines);
    // It is awaited in `flush`.
    written.catch(() => {});
    waiting.push(written);
    [lines, ids, length] = [[], [], 0];
  };
  return {
    get isFull() {
      return lines.length >= SEGMENT_ROWS || length >= SEGMENT_LENGTH;
    },
    add(id: string, line: string): void {
      const isThere = there.length > 0 && covers(there, id);
      if (isThere && !isAfterGap) cut();
      isAfterGap = isThere;
      if (isThere) return;
      lines.push(line);
      ids.push(id);
      length += line.length;
    },
    /** @throws {ArchiveError} */
    async flush(): Promise<void> {
      cut();
      await Promise.all(waiting.splice(0));
    },
  };
}
