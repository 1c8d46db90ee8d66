/** A row as an entry of the stream: short names, and what follows from the rest left out. */

import type { EventType, JournalRow, Row } from "./event.ts";

/**
 * Names on the wire, short because a stream repeats values (not names) in every entry.
 * A type without a short name travels under its own.
 */
const WIRE: Partial<Record<EventType, string>> = {
  "fire.published": "p",
  "fire.taken": "t",
  "fire.acked": "a",
  "fire.finished": "f",
  "fire.expired": "x",
};
/** Short names, and the types that they stand for. */
export const FROM_WIRE: ReadonlyMap<string, string> = new Map(
  Object.entries(WIRE).map(([type, wire]) => [wire, type]),
);

/** The fields of every row, in this order; equal sets compress in the stream's nodes. */
export const ROW_FIELDS = ["v", "t", "k", "d", "m", "f", "p"] as const;

/**
 * A row in a line of text, for DuckDB: the two parts of its id and the values of the other fields as they
 * stand in the stream, {@link VALUE_END} between them. Of a row whose type is not empty, whose numbers are digits,
 * whose payload is empty or in braces, and that has no control character in a value.
 */
export const LINE_FIELDS = ["id_ms", "id_count", "t", "k", "d", "m", "f", "p"] as const;

/** A control character, so that hardly a value has it in itself. */
export const VALUE_END = 0x1f;

/** What `m` is counted from: the due time where there is one, so that it is a small number. */
function decidedBase(dueMs: number | null): number {
  return dueMs ?? 0;
}

/**
 * The values that a row adds to what the script already has: type, due time, decided time, payload.
 * The script puts version, task and fence beside them.
 */
export function encodeRow(row: Row): [type: string, due: string, decided: string, payload: string] {
  const payload = JSON.stringify(row.detail);
  return [
    WIRE[row.type] ?? row.type,
    row.dueMs === null ? "" : String(row.dueMs),
    String(row.decidedMs - decidedBase(row.dueMs)),
    payload === "{}" ? "" : payload,
  ];
}

/**
 * A stream entry as a row, or a sentence on why it is not one.
 * Loose: unknown fields and types pass through.
 */
export function decodeRow(id: string, fields: readonly string[]): JournalRow | string {
  // Nearly all are as this build writes them; a million rows are read to audit a day.
  if (hasRowFields(fields)) {
    return rowFrom(id, {
      v: fields[1]!,
      t: fields[3]!,
      k: fields[5]!,
      d: fields[7]!,
      m: fields[9]!,
      f: fields[11]!,
      p: fields[13]!,
    });
  }
  const values: Record<string, string> = {};
  for (let index = 0; index + 1 < fields.length; index += 2) {
    values[fields[index]!] = fields[index + 1]!;
  }
  const { v, t, k, d = "", m, f, p = "" } = values;
  if (v === undefined || t === undefined || k === undefined || m === undefined || f === undefined) {
    return `expected an entry with the fields v, t, k, m and f, got ${
      Object.keys(values).join(", ")
    }`;
  }
  return rowFrom(id, { v, t, k, d, m, f, p });
}

/** Whether the names are those of {@link ROW_FIELDS}, in their order, and no others. */
function hasRowFields(fields: readonly string[]): boolean {
  return fields.length === 2 * ROW_FIELDS.length &&
    fields[0] === "v" && fields[2] === "t" && fields[4] === "k" && fields[6] === "d" &&
    fields[8] === "m" && fields[10] === "f" && fields[12] === "p";
}

function rowFrom(
  id: string,
  { v, t, k, d, m, f, p }: Readonly<Record<typeof ROW_FIELDS[number], string>>,
): JournalRow | string {
  const version = Number(v);
  const dueMs = d === "" ? null : Number(d);
  const decidedMs = Number(m) + decidedBase(dueMs);
  const fence = Number(f);
  const areWhole = Number.isSafeInteger(version) && Number.isSafeInteger(dueMs ?? 0) &&
    Number.isSafeInteger(decidedMs) && Number.isSafeInteger(fence);
  if (!areWhole) return `expected whole numbers in v, d, m and f, got ${v}, ${d}, ${m}, ${f}`;
  const detail = p === "" ? {} : parsePayload(p);
  if (detail === null) return `expected a JSON object in p, got ${p}`;
  return { id, version, type: FROM_WIRE.get(t) ?? t, task: k, dueMs, decidedMs, fence, detail };
}

function parsePayload(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    if (value === null || typeof value !== "object" || Array.isArray(value)) return null;
    return value as Record<string, unknown>;
  } catch {
    return null;
  }
}
