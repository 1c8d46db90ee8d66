/** A row as a line of a segment: one JSON object, complete and in plain words, for any program to read. */

import type { JournalRow } from "../event.ts";
import { decodeRow } from "../event.ts";
import { hasRowFields, typeOf } from "../row_text.ts";

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

/**
 * An entry of the stream as a line, without a look into its payload: a million of them are written
 * before DuckDB can be asked. What is no JSON there, it passes over.
 */
export function lineOfEntry(id: string, fields: readonly string[]): string {
  if (hasRowFields(fields)) {
    const [, v, , t, , k, , d, , m, , f, , p] = fields as FieldsOfRow;
    if (isWhole(v) && (d === "" || isWhole(d)) && isWhole(m) && isWhole(f) && isObject(p)) {
      const due = d === "" ? "" : `,"due_ms":${d}`;
      const decided = d === "" ? m : Number(m) + Number(d);
      return `{"id":"${id}","v":${v},"type":${quoted(typeOf(t))},"task":${quoted(k)}${due},` +
        `"decided_ms":${decided},"fence":${f},"detail":${p === "" ? "{}" : p}}`;
    }
  }
  const row = decodeRow(id, fields);
  return typeof row === "string" ? foreignLine({ id, why: row }) : lineOf(row);
}

type FieldsOfRow = readonly [
  ...[v: string, string, t: string, string, k: string, string, d: string, string],
  ...[m: string, string, f: string, string, p: string, string],
];

/** Fifteen digits are whole in any program. */
function isWhole(text: string): boolean {
  return /^(0|-?[1-9]\d{0,14})$/.test(text);
}

function isObject(payload: string): boolean {
  return payload === "" || (payload.startsWith("{") && payload.endsWith("}"));
}

const quotedTexts = new Map<string, string>();

/** Names of tasks and types are few. */
function quoted(text: string): string {
  let known = quotedTexts.get(text);
  if (known === undefined) {
    known = JSON.stringify(text);
    if (quotedTexts.size < QUOTED_MAX) quotedTexts.set(text, known);
  }
  return known;
}

const QUOTED_MAX = 50_000;

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
      id: typeof id === "string" ? id : "0-0",
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
