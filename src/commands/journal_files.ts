/** All rows as files for DuckDB: the segments as they are, and what is in Redis in a few more. */

import { foreignLine, lineOf } from "../archive/line.ts";
import { segmentName } from "../archive/segments.ts";
import { compareIds, millisecondsOf } from "../event.ts";
import { decodeRow } from "../row_text.ts";
import type { ReadRange, Segment } from "../ports.ts";
import type { RowBytes } from "../redis/row_bytes.ts";
import type { RowFile, Span } from "../sql/tables.ts";
import type { OpenedJournal } from "./open_journal.ts";
import type { Progress } from "./progress.ts";
import { rangeOf } from "./time_option.ts";

interface Target {
  /** Where files may be made. */
  readonly dir: string;
  /** Takes a file as soon as it is whole. */
  add(file: RowFile): void;
  readonly progress: Progress;
}

/** Where Beat may write, from the working directory. */
const OWN_DIR = ".beat";

/** DuckDB reads one while the next is being written; it is quicker with few large ones. Bytes. */
const FILE_BYTES = 32 << 20;

/** A new one. Whoever wants it removes it. */
export async function ownDirectory(purpose: string): Promise<string> {
  await Deno.mkdir(OWN_DIR, { recursive: true });
  return await Deno.makeTempDir({ dir: OWN_DIR, prefix: `${purpose}-` });
}

/**
 * Gives all files to `target`.
 * @returns whether a row may be in more than one of them
 * @throws {ArchiveError | JournalUnavailableError}
 */
export async function writeFiles(
  { archive, archiveDir, hot }: OpenedJournal,
  span: Span,
  target: Target,
): Promise<{ isDoubled: boolean }> {
  const lastId = (await archive.list()).at(-1)?.lastId ?? null;
  await writeRows(hot.bytes(hotRange(span, lastId)), target);
  // What went to the archive meanwhile is there twice; nothing is there never.
  const segments = (await archive.list()).filter((each) => isWithin(each, span));
  for (const each of segments) {
    target.add({ path: `${archiveDir}/${segmentName(each)}`, kind: "ndjson" });
  }
  const hasMoved = segments.some((each) => lastId === null || compareIds(each.lastId, lastId) > 0);
  return { isDoubled: hasMoved || overlaps(segments) };
}

/** Rows up to `afterId` are left out. */
function hotRange(span: Span, afterId: string | null): ReadRange {
  const range = rangeOf(span);
  const isAfter = afterId !== null && millisecondsOf(afterId) >= (span.sinceMs ?? 0);
  return isAfter ? { ...range, from: `(${afterId}` } : range;
}

async function writeRows(
  pages: AsyncIterable<RowBytes>,
  { dir, add, progress }: Target,
): Promise<void> {
  using lines = chain((count) => ({ path: `${dir}/${count}`, kind: "lines" }), add);
  using others = chain((count) => ({ path: `${dir}/${count}.ndjson`, kind: "ndjson" }), add);
  for await (const page of pages) {
    progress.add(page.count);
    lines.write(page.lines);
    others.write(linesOf(page.others));
  }
  lines.end();
  others.end();
}

/** One file after the other, each of {@link FILE_BYTES} and a little more; none where nothing comes. */
function chain(fileAt: (count: number) => RowFile, add: Target["add"]) {
  let count = 0;
  let bytes = 0;
  let open: Deno.FsFile | null = null;
  function end(): void {
    if (open === null) return;
    open.close();
    [open, bytes] = [null, 0];
    add(fileAt(count++));
  }
  return {
    write(more: Uint8Array): void {
      if (more.length === 0) return;
      open ??= Deno.createSync(fileAt(count).path);
      writeAll(open, more);
      bytes += more.length;
      if (bytes >= FILE_BYTES) end();
    },
    end,
    [Symbol.dispose](): void {
      open?.close();
    },
  };
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
