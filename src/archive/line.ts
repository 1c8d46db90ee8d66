/** A row as a line of a segment: one JSON object, complete and in plain words, for any program to read. */

import type { JournalRow } from "../event.ts";
import { NO_ID } from "../event.ts";

/** An entry of the journal that is no row. */
export interface ForeignEntry {
  readonly id: string;
  readonly why: string;
}

/** Times are Unix milliseconds. The names are stable; a `null` is left out. */
export function lineOf({ id, version, type, task, dueMs, decidedMs, fence, detail }: JournalRow) {
  const due = dueMs === null ? {} : { due_ms: dueMs };
  const rest = { decided_ms: decidedMs, fence, detail };
  return JSON.stringify({ id, v: version, type, task, ...due, ...rest });
}

export function foreignLine({ id, why }: ForeignEntry): string {
  return JSON.stringify({ id, foreign: why });
}

/** Loose, as {@link decodeRow} is: what cannot be read is told of in its place. */
export function readLine(line: string): JournalRow | ForeignEntry {
  const value = parse(line);
  const { id, foreign, v, type, task, due_ms, decided_ms, fence, detail } = value;
  if (typeof foreign === "string" && typeof id === "string") return { id, why: foreign };
  const isRow = typeof id === "string" && typeof v === "number" && typeof type === "string" &&
    typeof task === "string" && typeof decided_ms === "number" && typeof fence === "number" &&
    typeof detail === "object" && detail !== null;
  if (!isRow) {
    return {
      id: typeof id === "string" ? id : NO_ID,
      why:
        `expected a line of a segment with id, v, type, task, decided_ms, fence and detail, got ${
          line.slice(0, 80)
        }`,
    };
  }
  return {
    ...{ id, version: v, type, task, dueMs: typeof due_ms === "number" ? due_ms : null },
    ...{ decidedMs: decided_ms, fence, detail: detail as JournalRow["detail"] },
  };
}

export function isForeign(entry: JournalRow | ForeignEntry): entry is ForeignEntry {
  return "why" in entry;
}

function parse(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
  } catch {
    return {};
  }
}
