/** All rows as files for DuckDB: the segments as they are, and what is in Redis in a few more. */

import { foreignLine, lineOf } from "../archive/line.ts";
import { segmentName } from "../archive/segments.ts";
import { compareIds, decodeRow, millisecondsOf } from "../event.ts";
import type { JournalExtent, ReadRange, Segment } from "../ports.ts";
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
    const wanted = { ...span, afterId: before.at(-1)?.lastId ?? null };
    const hotFiles = await writeHot(hot, dir, wanted, progress);
    // What went to the archive meanwhile is there twice; nothing is there never.
    const segments = (await archive.list()).filter((each) => isWithin(each, span));
    const isDoubled = segments.length > before.length || overlaps(segments);
    const segmentPaths = segments.map((each) => `${archiveDir}/${segmentName(each)}`);
    return {
      segments: [...segmentPaths, ...hotFiles.map(({ others }) => others)],
      lines: hotFiles.map(({ lines }) => lines),
      copies: hotFiles.map(({ copies }) => copies),
      ...{ isDoubled, remove },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Paths of what was in a part of the stream. */
interface HotFiles {
  readonly lines: string;
  readonly others: string;
  readonly copies: string;
}

/** In two halves at once: Redis looks up rows of the one while those of the other are copied. */
async function writeHot(
  hot: OpenedJournal["hot"],
  dir: string,
  span: Span & { readonly afterId: string | null },
  progress: Progress,
): Promise<HotFiles[]> {
  const ranges = halves(span, await hot.extent());
  return await Promise.all(
    ranges.map((range, at) => writeRange(hot, `${dir}/${at}`, range, progress)),
  );
}

/** By time, as nothing tells where half of the rows are. Rows up to `afterId` are left out. */
function halves(
  { sinceMs, untilMs, afterId }: Span & { readonly afterId: string | null },
  { firstId, lastId }: Pick<JournalExtent, "firstId" | "lastId">,
): ReadRange[] {
  const afterMs = afterId === null ? 0 : millisecondsOf(afterId);
  const from = afterId !== null && afterMs >= (sinceMs ?? 0)
    ? `(${afterId}`
    : sinceMs === null
    ? "-"
    : String(sinceMs);
  const to = untilMs === null ? "+" : String(untilMs);
  if (firstId === null || lastId === null) return [{ from, to }];
  const fromMs = Math.max(millisecondsOf(firstId), sinceMs ?? 0, afterMs);
  const toMs = Math.min(millisecondsOf(lastId), untilMs ?? Infinity);
  if (fromMs >= toMs) return [{ from, to }];
  const middleMs = Math.floor((fromMs + toMs) / 2);
  return [{ from, to: String(middleMs) }, { from: String(middleMs + 1), to }];
}

async function writeRange(
  hot: OpenedJournal["hot"],
  prefix: string,
  range: ReadRange,
  progress: Progress,
): Promise<HotFiles> {
  const paths = {
    lines: `${prefix}-lines`,
    others: `${prefix}-others.ndjson`,
    copies: `${prefix}-copies.ndjson`,
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
