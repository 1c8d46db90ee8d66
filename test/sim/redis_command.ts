/** What a command of the model is, and how arguments are read and refused. */

import type { Command, Reply } from "./redis_words.ts";
import { ReplyError } from "./redis_words.ts";
import type { Core } from "./redis_values.ts";

export interface CommandRule {
  /** Words of a call, the name included; negative: at least so many. */
  readonly arity: number;
  /** What an error calls it. @default the name in small letters */
  readonly shownAs?: string;
  /** Refused on a replica and by a full disk. */
  readonly isWrite?: boolean;
  /** Refused when memory is out ("denyoom"). */
  readonly needsMemory?: boolean;
  /** Answered while the data is being loaded. */
  readonly isForLoading?: boolean;
  /** @throws {ReplyError} a refusal */
  run(core: Core, command: Command): Reply;
}

export type CommandTable = Readonly<Record<string, CommandRule>>;

export const SYNTAX_ERROR = "ERR syntax error";
const NOT_INTEGER = "ERR value is not an integer or out of range";
const NOT_FLOAT = "ERR value is not a valid float";

/** @throws {ReplyError} */
export function integer(text: string | undefined, message = NOT_INTEGER): number {
  const value = Number(text);
  if (text === undefined || !Number.isSafeInteger(value) || !/^(0|-?[1-9]\d*)$/.test(text)) {
    throw new ReplyError(message);
  }
  return value;
}

/** @throws {ReplyError} */
export function float(text: string): number {
  const value = Number(text.replace(/^([+-]?)inf$/i, "$1Infinity"));
  if (text === "" || text !== text.trim() || Number.isNaN(value)) throw new ReplyError(NOT_FLOAT);
  return value;
}

export function arityError(name: string): ReplyError {
  return new ReplyError(`ERR wrong number of arguments for '${name.toLowerCase()}' command`);
}

/** Bounds as LRANGE and its kin take them; `null` for an empty range. */
export function rangeOf(
  length: number,
  [from, to]: readonly [number, number],
): readonly [number, number] | null {
  const first = Math.max(0, from < 0 ? length + from : from);
  const last = Math.min(length - 1, to < 0 ? length + to : to);
  return first > last ? null : [first, last];
}
