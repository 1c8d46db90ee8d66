/** Finds the newest snapshot row without reading the journal through: a cursor says when it was written. */

import type { Snapshot } from "../audit/snapshot.ts";
import { readSnapshot } from "../audit/snapshot.ts";
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
}

/** @throws {JournalUnavailableError} */
export async function newestSnapshot(journal: Pick<Journal, "reload" | "read">): Promise<Newest> {
  const loaded = await journal.reload([LOG_CURSOR.snapshot], []);
  const cursor = loaded.cursors.get(LOG_CURSOR.snapshot) ?? null;
  if (cursor === null) return { snapshot: null, cursor };
  const fromMs = Math.max(0, cursor.dueMs - CLOCK_MARGIN_MS);
  for await (const row of journal.read({ from: String(fromMs), to: "+" })) {
    if (row.type !== "journal.snapshot" || row.detail.checksum !== cursor.revision) continue;
    return { snapshot: readSnapshot(row), cursor };
  }
  return { snapshot: "its row is not in the journal", cursor };
}
