/** Segments and their names: rows in a row, under the ids of the first and the last. */

import { compareIds } from "../event.ts";
import type { Segment } from "../ports.ts";

const NAME = /^(\d+-\d+)_(\d+-\d+)_(\d+)\.ndjson\.gz$/;

/** `<first id>_<last id>_<rows>.ndjson.gz`: the same rows have the same name, wherever they come from. */
export function segmentName({ firstId, lastId, rows }: Segment): string {
  return `${firstId}_${lastId}_${rows}.ndjson.gz`;
}

/** `null` where it is the name of something else, such as one that was not finished. */
export function segmentOf(name: string): Segment | null {
  const match = NAME.exec(name);
  if (match === null) return null;
  return { firstId: match[1]!, lastId: match[2]!, rows: Number(match[3]) };
}

/** By their first ids, without those that lie within another: two leaders may have written the same rows. */
export function inOrder(segments: readonly Segment[]): Segment[] {
  const sorted = segments.toSorted((one, other) =>
    compareIds(one.firstId, other.firstId) || compareIds(other.lastId, one.lastId)
  );
  const kept: Segment[] = [];
  for (const each of sorted) {
    const last = kept.at(-1);
    if (last === undefined || compareIds(each.lastId, last.lastId) > 0) kept.push(each);
  }
  return kept;
}

/** Whether a row is in one of the segments, which are in order. */
export function covers(segments: readonly Segment[], id: string): boolean {
  return segments.some(({ firstId, lastId }) =>
    compareIds(firstId, id) <= 0 && compareIds(id, lastId) <= 0
  );
}
