/** The answer to XRANGE in bytes: where in them its entries stand, and their ids, names and values. */

import { Buffer } from "node:buffer";
import { entryParser } from "./entry_parser.ts";

/** What has come of an answer; what is read of it is used up. */
export interface EntryBytes {
  /** Good until more is added, as {@link spots} is. */
  readonly bytes: Uint8Array;
  /** Begin and end of the id in `bytes`, then of each name and value: of the entry read last. */
  readonly spots: Int32Array;
  /** Where the next entry begins. */
  readonly at: number;
  add(more: Uint8Array): void;
  /**
   * @returns how many entries an answer has; -1 where that has not all come
   * @throws {Error} named `ReplyError`, where the server refuses; or what is no such answer
   */
  readHead(): number;
  /**
   * @returns how many names and values it has; -1, and nothing is read, where it has not all come
   * @throws {Error} what is no entry
   */
  readEntry(): number;
}

const [CR, MINUS, STAR, DOLLAR, ZERO, NINE] = [13, 45, 42, 36, 48, 57];

const BYTES_MIN = 1 << 18;
const SPOTS_MIN = 64;

export function entryBytes(): EntryBytes {
  let bytes = new Uint8Array(BYTES_MIN);
  let spots = new Int32Array(SPOTS_MIN);
  let at = 0;
  let end = 0;

  function readCount(mark: number): number {
    const count = countAt(bytes, at, end, mark);
    if (count >= 0) at += headSize(count);
    return count;
  }

  function readTexts(count: number, spot: number): boolean {
    const after = locate(bytes, at, end, spots, spot, count);
    if (after >= 0) at = after;
    return after >= 0;
  }

  return {
    get bytes() {
      return bytes;
    },
    get spots() {
      return spots;
    },
    get at() {
      return at;
    },
    add(more) {
      if (end + more.length > bytes.length) {
        const left = bytes.subarray(at, end);
        const isTooLong = left.length + more.length > bytes.length;
        if (isTooLong) bytes = new Uint8Array(2 * (left.length + more.length));
        bytes.set(left);
        [at, end] = [0, left.length];
      }
      bytes.set(more, end);
      end += more.length;
    },
    readHead() {
      if (at >= end || bytes[at] !== MINUS) return readCount(STAR);
      entryParser().push(bytes.subarray(at, end));
      return -1;
    },
    readEntry() {
      const start = at;
      if (readCount(STAR) >= 0 && readTexts(1, 0)) {
        const count = readCount(STAR);
        if (2 + 2 * count > spots.length) {
          const id = spots.subarray(0, 2);
          spots = new Int32Array(4 * count);
          spots.set(id);
        }
        if (count >= 0 && readTexts(count, 2)) return count;
      }
      at = start;
      return -1;
    },
  };
}

/** A number behind its mark; -1 where it has not all come. */
function countAt(bytes: Uint8Array, at: number, end: number, mark: number): number {
  if (at >= end) return -1;
  if (bytes[at] !== mark) throw broken(bytes.subarray(at, end));
  let value = 0;
  for (let index = at + 1; index + 1 < end; index++) {
    const code = bytes[index]!;
    if (code === CR && index > at + 1) return value;
    // With a zero before it, it would be longer than it is taken for.
    const isDigit = code >= ZERO && code <= NINE && (value > 0 || index === at + 1);
    if (!isDigit) throw broken(bytes.subarray(at, end));
    value = value * 10 + code - ZERO;
  }
  return -1;
}

/** Bytes of a number with its mark and its end. */
function headSize(count: number): number {
  let size = 4;
  for (let left = count; left > 9; left = left / 10 | 0) size++;
  return size;
}

/**
 * Where so many texts begin and end, from `spots[firstSpot]` on.
 * @returns what is behind them; -1 where they have not all come
 */
function locate(
  bytes: Uint8Array,
  start: number,
  end: number,
  spots: Int32Array,
  firstSpot: number,
  count: number,
): number {
  let at = start;
  for (let spot = firstSpot; spot < firstSpot + 2 * count; spot += 2) {
    const size = countAt(bytes, at, end, DOLLAR);
    if (size < 0) return -1;
    const from = at + headSize(size);
    at = from + size + 2;
    if (at > end) return -1;
    spots[spot] = from;
    spots[spot + 1] = from + size;
  }
  return at;
}

function broken(bytes: Uint8Array): Error {
  const start = Buffer.from(bytes.subarray(0, 40)).toString("latin1");
  return new Error(`expected entries of a stream, got ${JSON.stringify(start)}`);
}
