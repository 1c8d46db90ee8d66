/** Finds the newest snapshot without reading the journal through: a cursor says when it was written. */

import type { Snapshot } from "../audit/snapshot.ts";
import { snapshotReader } from "../audit/snapshot_parts.ts";
import type { Cursor } from "../cursor.ts";
import { LOG_CURSOR } from "../cursor.ts";
import type { Journal } from "../ports.ts";

/** An estimate of the server's clock is not further off than this. Milliseconds. */
const CLOCK_MARGIN_MS = 60_000;

export interface Newest {
  /** `null` for none yet; a sentence where it cannot be used. */
  readonly snapshot: Snapshot | string | null;
  /** `null` where nothing was ever cut off. */
  readonly cursor: Cursor | null;
  /** Of the rows of a snapshot before its last one. */
  readonly partCursor: Cursor | null;
}

/**
 * @param breathe lets others have their turn, after each row of it
 * @throws {JournalUnavailableError}
 */
export async function newestSnapshot(
  journal: Pick<Journal, "reload" | "read">,
  breathe: () => Promise<void> = () => Promise.resolve(),
): Promise<Newest> {
  const loaded = await journal.reload([LOG_CURSOR.snapshot, LOG_CURSOR.snapshotPart], []);
  const cursor = loaded.cursors.get(LOG_CURSOR.snapshot) ?? null;
  const partCursor = loaded.cursors.get(LOG_CURSOR.snapshotPart) ?? null;
  if (cursor === null) return { snapshot: null, cursor, partCursor };
  const reader = snapshotReader(cursor);
  const fromMs = Math.max(0, cursor.dueMs - CLOCK_MARGIN_MS);
  for await (const row of journal.read({ from: String(fromMs), to: "+" })) {
    if (row.type !== "journal.snapshot") continue;
    const snapshot = reader.take(row);
    if (snapshot !== null) return { snapshot, cursor, partCursor };
    await breathe();
  }
  return { snapshot: "its row is not in the journal", cursor, partCursor };
}
