/** All rows as files for DuckDB: the segments as they are, and what is in Redis in one more. */

import { lineOfEntry } from "../archive/line.ts";
import { segmentName } from "../archive/segments.ts";
import { compareIds } from "../event.ts";
import type { Segment } from "../ports.ts";
import type { OpenedJournal } from "./open_journal.ts";
import type { Progress } from "./progress.ts";

/** Recorded in between, both ends included; `null` for an open end. Unix milliseconds. */
export interface Span {
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
}

export interface JournalFiles {
  readonly paths: readonly string[];
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
  const path = await Deno.makeTempFile({ dir: OWN_DIR, prefix: "rows-", suffix: ".ndjson" });
  const remove = () => Deno.remove(path);
  try {
    const before = await archive.list();
    await writeHot(hot, path, { ...span, afterId: before.at(-1)?.lastId ?? null }, progress);
    // What went to the archive meanwhile is there twice; nothing is there never.
    const segments = (await archive.list()).filter((each) => isWithin(each, span));
    const isDoubled = segments.length > before.length || overlaps(segments);
    return {
      paths: [...segments.map((each) => `${archiveDir}/${segmentName(each)}`), path],
      isDoubled,
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Rows are many: what is written at once. Characters. */
const CHUNK_MIN = 1 << 20;

async function writeHot(
  hot: OpenedJournal["hot"],
  path: string,
  { sinceMs, untilMs, afterId }: Span & { afterId: string | null },
  progress: Progress,
): Promise<void> {
  using file = await Deno.open(path, { write: true });
  const encoder = new TextEncoder();
  let text = "";
  const write = async () => {
    let bytes = encoder.encode(text);
    while (bytes.length > 0) bytes = bytes.subarray(await file.write(bytes));
    text = "";
  };
  const range = {
    from: sinceMs === null ? "-" : String(sinceMs),
    to: untilMs === null ? "+" : String(untilMs),
  };
  for await (const entries of hot.entries(range)) {
    progress.add(entries.length);
    const isOld = afterId !== null && entries.length > 0 &&
      compareIds(entries[0]![0], afterId) <= 0;
    for (const [id, fields] of entries) {
      if (!isOld || compareIds(id, afterId) > 0) text += `${lineOfEntry(id, fields)}\n`;
    }
    if (text.length >= CHUNK_MIN) await write();
  }
  await write();
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
