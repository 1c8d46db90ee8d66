/** Which rows of the journal are asked for. */

import { nearest } from "../config/nearest.ts";
import { UsageError } from "../errors.ts";
import type { JournalRow } from "../event.ts";
import { DETAIL } from "../event.ts";
import type { Span } from "../sql/tables.ts";
import type { SpanOptions } from "./time_option.ts";
import { checkSpan, parseSpan } from "./time_option.ts";

export interface QueryOptions extends SpanOptions {
  readonly task?: readonly string[];
  /** Prefixes: `fire`, `fire.acked`. */
  readonly type?: readonly string[];
  readonly count?: string;
}

/** Rows printed when neither a beginning nor a number is asked for. */
const COUNT_DEFAULT = 100;

/** What to print of the journal. */
export interface Query extends Span {
  readonly tasks: readonly string[];
  readonly types: readonly string[];
  /** The newest so many; null for all. */
  readonly count: number | null;
}

/** As {@link checkSpan}. @throws {UsageError} */
export function checkQuery(options: QueryOptions): void {
  checkSpan(options);
  countOf(options);
}

/** @throws {UsageError} */
export function parseQuery(options: QueryOptions, nowMs: number): Query {
  const { task: tasks = [], type: types = [] } = options;
  return { tasks, types, ...parseSpan(options, nowMs), count: countOf(options) };
}

function countOf({ count: text, since }: QueryOptions): number | null {
  if (text === undefined) return since === undefined ? COUNT_DEFAULT : null;
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new UsageError(`expected \`--count\` to be a whole number from 1, got "${text}"`);
}

/** Whether a row fits; its time is left to the range that is read. */
export function isWanted(row: JournalRow, { tasks, types }: Query): boolean {
  return (tasks.length === 0 || tasks.includes(row.task)) &&
    (types.length === 0 || types.some((prefix) => row.type.startsWith(prefix)));
}

/** A word on each type that this build does not know. A newer one may have written it: no error. */
export function unknownTypes({ types }: Query): string[] {
  const known = Object.keys(DETAIL);
  const words = [...known, ...new Set(known.map((type) => type.split(".")[0]!))];
  return types
    .filter((prefix) => !known.some((type) => type.startsWith(prefix)))
    .map((prefix) => `no known type starts with "${prefix}"${nearest(prefix, words)}`);
}
