/** Segments in memory, for tests. */

import { inOrder, segmentName } from "../archive/segments.ts";
import type { Archive, Segment } from "../ports.ts";

export interface MemoryArchive extends Archive {
  /** Lines by the name of their segment. */
  readonly files: Map<string, { readonly segment: Segment; readonly lines: readonly string[] }>;
}

export function memoryArchive(): MemoryArchive {
  const files: MemoryArchive["files"] = new Map();
  return {
    files,
    write(segment, lines) {
      files.set(segmentName(segment), { segment, lines: [...lines] });
      return Promise.resolve();
    },
    list: () => Promise.resolve(inOrder([...files.values()].map(({ segment }) => segment))),
    async *read(segment) {
      yield await Promise.resolve(files.get(segmentName(segment))?.lines ?? []);
    },
    problem: () => Promise.resolve(null),
  };
}
