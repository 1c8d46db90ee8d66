/**
 * The answer to XRANGE, taken apart as it comes. The client's own decoder makes a million rows cost
 * twice what all else costs that an audit does with them.
 */

import { Buffer } from "node:buffer";

/** An entry of a stream: its id, and names and values in turn. */
export type Entry = [id: string, fields: string[]];

export interface EntryParser {
  /**
   * Takes in the next bytes of an answer.
   * @returns its entries once all of them are there, else `null`
   * @throws {Error} named `ReplyError`, where the server refuses; or what is no such answer
   */
  push(bytes: Uint8Array): Entry[] | null;
}

const [CR, MINUS, STAR, DOLLAR, ZERO, NINE] = [13, 45, 42, 36, 48, 57];

/** For one answer after the other, each begun when the one before is whole. */
export function entryParser(): EntryParser {
  let text = "";
  let at = 0;
  let isPlain = true;
  /** `null` until the answer has begun. */
  let awaited: number | null = null;
  let entries: Entry[] = [];

  /** A number behind its mark; -1 where it has not all come. */
  function readCount(mark: number): number {
    if (at >= text.length) return -1;
    if (text.charCodeAt(at) !== mark) throw broken(text, at);
    let value = 0;
    for (let index = at + 1; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code === CR) {
        if (index + 1 >= text.length) return -1;
        at = index + 2;
        return value;
      }
      if (code < ZERO || code > NINE) throw broken(text, at);
      value = value * 10 + code - ZERO;
    }
    return -1;
  }

  /** `null` where it has not all come. */
  function readText(): string | null {
    const length = readCount(DOLLAR);
    if (length < 0 || at + length + 2 > text.length) return null;
    const value = text.slice(at, at + length);
    at += length + 2;
    return isPlain ? value : Buffer.from(value, "latin1").toString("utf8");
  }

  function readEntry(): Entry | null {
    if (readCount(STAR) < 0) return null;
    const id = readText();
    const count = id === null ? -1 : readCount(STAR);
    if (id === null || count < 0) return null;
    const fields: string[] = [];
    for (let index = 0; index < count; index++) {
      const field = readText();
      if (field === null) return null;
      fields.push(field);
    }
    return [id, fields];
  }

  return {
    push(bytes) {
      const more = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        .toString("latin1");
      text = text.slice(at) + more;
      at = 0;
      // deno-lint-ignore no-control-regex
      isPlain &&= /^[\x00-\x7f]*$/.test(more);
      if (awaited === null) {
        if (text.charCodeAt(0) === MINUS) return refused(text);
        const count = readCount(STAR);
        if (count < 0) return null;
        awaited = count;
      }
      while (entries.length < awaited) {
        const start = at;
        const entry = readEntry();
        if (entry === null) {
          at = start;
          return null;
        }
        entries.push(entry);
      }
      const whole = entries;
      [text, at, isPlain, awaited, entries] = ["", 0, true, null, []];
      return whole;
    },
  };
}

function refused(text: string): null {
  const end = text.indexOf("\r\n");
  if (end < 0) return null;
  throw Object.assign(new Error(text.slice(1, end)), { name: "ReplyError" });
}

function broken(text: string, at: number): Error {
  return new Error(`expected entries of a stream, got ${JSON.stringify(text.slice(at, at + 40))}`);
}
