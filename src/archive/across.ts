/**
 * One journal out of two: the segments of the archive, then the stream. A row is in the archive before it
 * leaves the stream, so whoever has begun with the stream and then looks again at the archive misses none.
 */

import type { JournalRow } from "../event.ts";
import { ArchiveError } from "../errors.ts";
import { compareIds, NO_ID } from "../event.ts";
import type { Archive, Journal, OnForeign, ReadRange, Segment } from "../ports.ts";
import { isForeign, readLine } from "./line.ts";

type Reading = Pick<Journal, "read" | "readBack">;
type Source = Pick<Archive, "list" | "read">;
/** As `Journal.read`, some rows at a time. */
export type ReadPages = (
  range: ReadRange,
  onForeign?: OnForeign,
  onMoved?: () => void,
) => AsyncIterable<readonly JournalRow[]>;

/** The stream. */
export interface Hot {
  /** The id of its first entry; `null` where it is empty. */
  firstId(): Promise<string | null>;
}

/** Rows in the order they were recorded, each once. @throws {ArchiveError} in the middle, too */
export function acrossJournal(archive: Source, hot: Reading & Hot): Reading {
  const pages: ReadPages = (...args) => oneByOne(hot.read(...args));
  const rowByRow = { firstId: () => hot.firstId(), pages };
  return {
    async *read(range, onForeign) {
      for await (const rows of acrossPages(archive, rowByRow, range, onForeign)) yield* rows;
    },
    readBack: (range, onForeign) => rowsBack(archive, hot, range, onForeign ?? (() => {})),
  };
}

/** Goes on behind a segment that cannot be read to its end, and says so. */
export function passingOver(archive: Source, onDamage: (error: ArchiveError) => void): Source {
  return {
    list: () => archive.list(),
    async *read(segment) {
      try {
        yield* archive.read(segment);
      } catch (error) {
        if (!(error instanceof ArchiveError)) throw error;
        onDamage(error);
      }
    },
  };
}

/** As `acrossJournal(…).read`, some rows at a time. */
export async function* acrossPages(
  archive: Source,
  hot: Hot & { pages: ReadPages },
  range: ReadRange,
  onForeign: OnForeign = () => {},
): AsyncGenerator<readonly JournalRow[]> {
  const { fromId, toId } = boundsOf(range);
  let lastId: string | null = null;
  const isNew = (id: string) => lastId === null || compareIds(id, lastId) > 0;
  /** What is archived after `lastId` and begins before `endId`. */
  async function* archived(endId: string): AsyncGenerator<readonly JournalRow[]> {
    for (const segment of await archive.list()) {
      const isWanted = isNew(segment.lastId) && compareIds(segment.lastId, fromId) >= 0 &&
        compareIds(segment.firstId, endId) < 0;
      if (!isWanted) continue;
      yield* pagesIn(archive, segment, (id) => isNew(id) && isWithin(id, fromId, toId), onForeign);
      lastId = segment.lastId;
    }
  }
  const foreign: [id: string, why: string][] = [];
  const tellForeign = () => {
    for (const [id, why] of foreign) if (isNew(id)) onForeign(id, why);
    return foreign.splice(0).at(-1)?.[0];
  };
  const note = (id: string | undefined) => {
    if (id !== undefined && isNew(id)) lastId = id;
  };
  const isHot = await beginsBefore(hot, fromId);
  if (!isHot) yield* archived(after(toId));
  // Rows may go to the archive at any time: before the first look at the stream, and between two.
  let hasMoved: boolean | null = isHot ? null : true;
  const mayMiss = async () => hasMoved ?? !await beginsBefore(hot, fromId);
  const from = lastId === null ? range.from : after(lastId);
  const onMoved = () => void (hasMoved = true);
  const pages = hot.pages({ from, to: range.to }, (...each) => foreign.push(each), onMoved);
  for await (const rows of pages) {
    const begins = rows[0]?.id;
    if (await mayMiss()) yield* archived(foreign[0]?.[0] ?? begins ?? after(toId));
    hasMoved = false;
    const lastForeign = tellForeign();
    yield begins === undefined || isNew(begins) ? rows : rows.filter(({ id }) => isNew(id));
    note(lastForeign);
    note(rows.at(-1)?.id);
  }
  if (await mayMiss()) yield* archived(after(toId));
  tellForeign();
}

/** Whether the stream has all there is from an id on. */
async function beginsBefore(hot: Hot, fromId: string): Promise<boolean> {
  const firstId = await hot.firstId();
  return firstId !== null && compareIds(fromId, firstId) >= 0;
}

async function* rowsBack(
  archive: Source,
  hot: Reading & Hot,
  range: ReadRange,
  onForeign: OnForeign,
): AsyncGenerator<JournalRow> {
  const { fromId, toId } = boundsOf(range);
  let oldestId = after(toId);
  const foreign = (id: string, why: string) => {
    oldestId = id;
    onForeign(id, why);
  };
  for await (const row of hot.readBack(range, foreign)) {
    oldestId = row.id;
    yield row;
  }
  // Not before: rows may have gone to the archive meanwhile.
  if (await beginsBefore(hot, fromId)) return;
  for (const segment of (await archive.list()).toReversed()) {
    const isWanted = compareIds(segment.firstId, oldestId) < 0 &&
      compareIds(segment.lastId, fromId) >= 0;
    if (!isWanted) continue;
    const entries = [];
    for await (const lines of archive.read(segment)) entries.push(...lines.map(readLine));
    for (const entry of entries.reverse()) {
      const isIn = compareIds(entry.id, oldestId) < 0 && compareIds(entry.id, fromId) >= 0;
      if (!isIn) continue;
      oldestId = entry.id;
      if (isForeign(entry)) onForeign(entry.id, entry.why);
      else yield entry;
    }
  }
}

async function* pagesIn(
  archive: Source,
  segment: Segment,
  isWanted: (id: string) => boolean,
  onForeign: OnForeign,
): AsyncGenerator<readonly JournalRow[]> {
  const isWhole = isWanted(segment.firstId) && isWanted(segment.lastId);
  for await (const lines of archive.read(segment)) {
    const rows: JournalRow[] = [];
    for (const line of lines) {
      const entry = readLine(line);
      if (!isWhole && !isWanted(entry.id)) continue;
      if (isForeign(entry)) onForeign(entry.id, entry.why);
      else rows.push(entry);
    }
    yield rows;
  }
}

function isWithin(id: string, fromId: string, toId: string): boolean {
  return compareIds(id, fromId) >= 0 && compareIds(id, toId) <= 0;
}

/** Beyond any id: its parts are compared as numbers. */
const LAST_SEQUENCE = Number.MAX_SAFE_INTEGER;

/** The ends of a range as ids, both included. A time takes in all of its millisecond. */
function boundsOf({ from, to }: ReadRange): { fromId: string; toId: string } {
  const fromId = from === "-" ? NO_ID : from.includes("-") ? from : `${from}-0`;
  const endMs = Number.MAX_SAFE_INTEGER;
  if (to === "+") return { fromId, toId: `${endMs}-${LAST_SEQUENCE}` };
  return { fromId, toId: to.includes("-") ? to : `${to}-${LAST_SEQUENCE}` };
}

function after(id: string): string {
  const [ms, sequence] = id.split("-");
  return `${ms}-${Number(sequence) + 1}`;
}

async function* oneByOne(rows: AsyncIterable<JournalRow>): AsyncGenerator<JournalRow[]> {
  for await (const row of rows) yield [row];
}
