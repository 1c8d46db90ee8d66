/** All rows as files for DuckDB: the segments as they are, and what is in Redis in a few more. */

import { foreignLine, lineOf } from "../archive/line.ts";
import { segmentName } from "../archive/segments.ts";
import { compareIds, decodeRow } from "../event.ts";
import type { ReadRange, Segment } from "../ports.ts";
import type { RowBytes } from "../redis/row_bytes.ts";
import type { RowFiles } from "../sql/tables.ts";
import { DECLARING } from "../sql/tables.ts";
import type { OpenedJournal } from "./open_journal.ts";
import type { Progress } from "./progress.ts";

/** Recorded in between, both ends included; `null` for an open end. Unix milliseconds. */
export interface Span {
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
}

export interface JournalFiles extends RowFiles {
  /** A row may be in more than one of them. */
  readonly isDoubled: boolean;
  /** Removes what was made for this. */
  remove(): Promise<void>;
}

/** Where Beat may write, from the working directory. */
const OWN_DIR = ".beat";

/** @throws {ArchiveError | JournalUnavailableError} */
export async function journalFiles(
  { archive, archiveDir, hot }: OpenedJournal,
  span: Span,
  progress: Progress,
): Promise<JournalFiles> {
  await Deno.mkdir(OWN_DIR, { recursive: true });
  const dir = await Deno.makeTempDir({ dir: OWN_DIR, prefix: "rows-" });
  const remove = () => Deno.remove(dir, { recursive: true });
  try {
    const before = await archive.list();
    const range = hotRange(span, before.at(-1)?.lastId ?? null);
    const { lines, others, copies } = await writeHot(hot, dir, range, progress);
    // What went to the archive meanwhile is there twice; nothing is there never.
    const segments = (await archive.list()).filter((each) => isWithin(each, span));
    const isDoubled = segments.length > before.length || overlaps(segments);
    const segmentPaths = segments.map((each) => `${archiveDir}/${segmentName(each)}`);
    return { segments: [...segmentPaths, others], lines, copies, isDoubled, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Rows that the archive had are not read again. */
function hotRange({ sinceMs, untilMs }: Span, archivedId: string | null): ReadRange {
  const isSince = sinceMs !== null &&
    (archivedId === null || compareIds(archivedId, `${sinceMs}-0`) < 0);
  const from = isSince ? String(sinceMs) : archivedId === null ? "-" : `(${archivedId}`;
  return { from, to: untilMs === null ? "+" : String(untilMs) };
}

/** @returns paths */
async function writeHot(
  hot: OpenedJournal["hot"],
  dir: string,
  range: ReadRange,
  progress: Progress,
): Promise<{ readonly lines: string; readonly others: string; readonly copies: string }> {
  const paths = {
    lines: `${dir}/lines`,
    others: `${dir}/others.ndjson`,
    copies: `${dir}/copies.ndjson`,
  };
  using lines = await Deno.create(paths.lines);
  using others = await Deno.create(paths.others);
  using copies = await Deno.create(paths.copies);
  for await (const page of hot.bytes(range, DECLARING)) {
    progress.add(page.count);
    writeAll(lines, page.lines);
    writeAll(others, linesOf(page.others));
    writeAll(copies, linesOf(page.copies));
  }
  return paths;
}

function linesOf(entries: RowBytes["others"]): Uint8Array {
  const lines = entries.map(([id, fields]) => {
    const row = decodeRow(id, fields);
    return `${typeof row === "string" ? foreignLine({ id, why: row }) : lineOf(row)}\n`;
  });
  return new TextEncoder().encode(lines.join(""));
}

/** Nothing else is to be done meanwhile. */
function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

function isWithin({ firstId, lastId }: Segment, { sinceMs, untilMs }: Span): boolean {
  return (sinceMs === null || compareIds(lastId, `${sinceMs}-0`) >= 0) &&
    (untilMs === null || compareIds(firstId, `${untilMs + 1}-0`) < 0);
}

/** In order of their first ids. */
function overlaps(segments: readonly Segment[]): boolean {
  return segments.some(({ firstId }, index) =>
    index > 0 && compareIds(firstId, segments[index - 1]!.lastId) <= 0
  );
}
