/** A replay of rows in memory, whole. */

import type { SnapshotState } from "../../src/audit/snapshot.ts";
import type { JournalRow } from "../../src/event.ts";
import type { Difference, Replayed, ReplayOptions } from "../../src/preview/replay.ts";
import { replayOf } from "../../src/preview/replay.ts";

export function replayed(
  rows: readonly JournalRow[],
  { nowMs = rows.at(-1)?.decidedMs ?? 0, seed = null, ...options }: Partial<ReplayOptions> & {
    nowMs?: number;
    /** What the rows before came to. */
    seed?: SnapshotState | null;
  } = {},
): Replayed & { readonly differences: readonly Difference[] } {
  const differences: Difference[] = [];
  const replay = replayOf({
    ...{ sinceMs: -Infinity, untilMs: Infinity, tasks: null },
    onDifference: (each) => void differences.push(each),
    ...options,
  }, seed);
  for (const row of rows) replay.take(row);
  return { ...replay.close(nowMs), differences };
}
