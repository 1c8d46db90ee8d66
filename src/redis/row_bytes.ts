/**
 * Rows out of the answer to XRANGE as lines for another program, without a string made of them: a
 * million rows cost so a quarter of what they cost as objects.
 */

import { Buffer, isUtf8 } from "node:buffer";
import { LINE_FIELDS, ROW_FIELDS, VALUE_END } from "../row_text.ts";
import { entryBytes } from "./entry_bytes.ts";
import type { Entry } from "./entry_parser.ts";
import { entryParser } from "./entry_parser.ts";

/** The rows of one answer. */
export interface RowBytes {
  /** A line for each row that is as nearly all are, see {@link LINE_FIELDS}. */
  readonly lines: Uint8Array;
  /** Entries that cannot stand there, in their order. */
  readonly others: readonly Entry[];
  /** Entries in all. */
  readonly count: number;
  /** Of the last entry; empty where there is none. */
  readonly lastId: string;
}

export interface RowBytesParser {
  /**
   * Takes in the next bytes of an answer.
   * @returns its rows once all of them are there, else `null`
   * @throws {Error} named `ReplyError`, where the server refuses; or what is no such answer
   */
  push(bytes: Uint8Array): RowBytes | null;
}

const [LF, SPACE, MINUS, ZERO, NINE, OPEN, CLOSE] = [10, 32, 45, 48, 57, 123, 125];

type Field = typeof ROW_FIELDS[number];
/** Where a value begins and ends among the spots of an entry. */
const spotOf = (name: Field) => 4 * ROW_FIELDS.indexOf(name) + 4;
const [TYPE, DUE, PAYLOAD] = [spotOf("t"), spotOf("d"), spotOf("p")];
const NUMBERS = (["v", "m", "f"] as const).map(spotOf);
const NAMES = ROW_FIELDS.map((name) => name.charCodeAt(0));
/** Those of {@link LINE_FIELDS} behind the two parts of the id. */
const COPIED = LINE_FIELDS.slice(2).map((name) => spotOf(name as Field));

/** Longer ones are few, and DuckDB takes no line of two million bytes. */
const ENTRY_MAX = 1 << 20;
/** So many are whole in any program. */
const DIGITS_MAX = 15;

/** For one answer after the other. */
export function rowBytesParser(): RowBytesParser {
  const input = entryBytes();
  /** `null` until the answer has begun. */
  let awaited: number | null = null;
  let count = 0;
  let lines = lineBuffer(0);
  let others: Entry[] = [];

  function take(from: number, fieldCount: number): void {
    const { bytes, spots, at } = input;
    const isRow = fieldCount === 2 * NAMES.length && at - from < ENTRY_MAX &&
      isPlain(bytes, spots) && lines.add(bytes, spots, at - from);
    if (!isRow) others.push(entryIn(bytes.subarray(from, at)));
  }

  function finish(): RowBytes {
    const { bytes, spots } = input;
    const lastId = count === 0 ? "" : textOf(bytes.subarray(spots[0], spots[1]));
    const whole = { lines: lines.whole(), others, count, lastId };
    [awaited, count, others] = [null, 0, []];
    lines = lineBuffer(whole.lines.length);
    return whole;
  }

  return {
    push(more) {
      input.add(more);
      if (awaited === null) {
        const size = input.readHead();
        if (size < 0) return null;
        awaited = size;
      }
      for (; count < awaited; count++) {
        const from = input.at;
        const fieldCount = input.readEntry();
        if (fieldCount < 0) return null;
        take(from, fieldCount);
      }
      return finish();
    },
  };
}

/** @param size of the lines, about. Bytes. */
function lineBuffer(size: number) {
  let lines = new Uint8Array(size + (size >> 2));
  let end = 0;
  return {
    whole: () => lines.subarray(0, end),
    /** @returns `false`, and nothing is added, where a value cannot stand in a line */
    add(bytes: Uint8Array, spots: Int32Array, sizeMax: number): boolean {
      if (end + sizeMax > lines.length) {
        const from = lines;
        lines = new Uint8Array(2 * (end + sizeMax));
        lines.set(from.subarray(0, end));
      }
      const after = copyValues(bytes, spots, lines, end);
      if (after >= 0) end = after;
      return after >= 0;
    },
  };
}

/**
 * Byte by byte, as the values are short.
 * @returns what is behind the line; -1 where a value cannot stand in one
 */
function copyValues(
  bytes: Uint8Array,
  spots: Int32Array,
  lines: Uint8Array,
  start: number,
): number {
  let to = start;
  for (let from = spots[0]!; from < spots[1]!; from++) {
    const byte = bytes[from]!;
    lines[to++] = byte === MINUS ? VALUE_END : byte;
  }
  lines[to++] = VALUE_END;
  let bits = 0;
  for (let index = 0; index < COPIED.length; index++) {
    const spot = COPIED[index]!;
    const end = spots[spot + 1]!;
    for (let from = spots[spot]!; from < end; from++) {
      const byte = bytes[from]!;
      if (byte < SPACE) return -1;
      bits |= byte;
      lines[to++] = byte;
    }
    lines[to++] = VALUE_END;
  }
  if (bits > 127 && !isUtf8(lines.subarray(start, to))) return -1;
  lines[to - 1] = LF;
  return to;
}

/** Whether names, type, numbers and payload are as nearly all are. */
function isPlain(bytes: Uint8Array, spots: Int32Array): boolean {
  for (let index = 0; index < NAMES.length; index++) {
    const from = spots[4 * index + 2]!;
    if (spots[4 * index + 3] !== from + 1 || bytes[from] !== NAMES[index]) return false;
  }
  for (let index = 0; index < NUMBERS.length; index++) {
    const spot = NUMBERS[index]!;
    if (!isWhole(bytes, spots[spot]!, spots[spot + 1]!)) return false;
  }
  const [due, dueEnd] = [spots[DUE]!, spots[DUE + 1]!];
  const [payload, payloadEnd] = [spots[PAYLOAD]!, spots[PAYLOAD + 1]!];
  return spots[TYPE]! < spots[TYPE + 1]! &&
    (due === dueEnd || isWhole(bytes, due, dueEnd)) &&
    (payload === payloadEnd || bytes[payload] === OPEN && bytes[payloadEnd - 1] === CLOSE);
}

function isWhole(bytes: Uint8Array, from: number, end: number): boolean {
  const first = bytes[from] === MINUS ? from + 1 : from;
  if (first >= end || end - first > DIGITS_MAX) return false;
  for (let index = first; index < end; index++) {
    const code = bytes[index]!;
    if (code < ZERO || code > NINE) return false;
  }
  return true;
}

function entryIn(bytes: Uint8Array): Entry {
  const parser = entryParser();
  parser.push(Buffer.from("*1\r\n"));
  return parser.push(bytes)![0]!;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
