/** Commands on streams. Their ids never go back, whatever the clock does and whatever is trimmed. */

import type { CommandTable } from "./redis_command.ts";
import { arityError, integer, SYNTAX_ERROR } from "./redis_command.ts";
import type { Command, Reply } from "./redis_words.ts";
import { ReplyError } from "./redis_words.ts";
import type { Core, StreamEntry, StreamValue } from "./redis_values.ts";
import { findAs } from "./redis_values.ts";

const INVALID_ID = "ERR Invalid stream ID specified as stream command argument";
const BOTH_TRIMS = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
/** `~` removes whole nodes of so many entries only. Real nodes also end by bytes. */
const NODE_ENTRIES = 100;

export const STREAM_COMMANDS: CommandTable = {
  XADD: { arity: -5, isWrite: true, needsMemory: true, run: append },
  XLEN: { arity: 2, run: (core, [, key]) => findAs(core, key!, "stream")?.entries.length ?? 0 },
  XRANGE: { arity: -4, run: (core, command) => range(core, command, false) },
  XREVRANGE: { arity: -4, run: (core, command) => range(core, command, true) },
  XTRIM: {
    ...{ arity: -4, isWrite: true },
    run(core, command) {
      const { trim, next } = trimOf(command, 2);
      if (trim === null || next !== command.length) throw new ReplyError(SYNTAX_ERROR);
      const stream = findAs(core, command[1]!, "stream");
      if (stream === undefined) return 0;
      const removed = cut(stream, trim);
      if (removed > 0) core.writes.push(trimmedTo(command[1]!, stream));
      return removed;
    },
  },
  XDEL: { arity: -3, isWrite: true, run: remove },
  XINFO: { arity: -3, shownAs: "xinfo|stream", run: inform },
  XSETID: {
    ...{ arity: 3, isWrite: true, needsMemory: true },
    run(core, command) {
      const stream = findAs(core, command[1]!, "stream");
      if (stream === undefined) throw new ReplyError("ERR no such key");
      const id = parseId(command[2]!, 0);
      const last = stream.entries.at(-1);
      if (last !== undefined && compare(id, last) < 0) {
        throw new ReplyError(
          "ERR The ID specified in XSETID is smaller than the target stream top item",
        );
      }
      [stream.lastMs, stream.lastSequence] = [id.ms, id.sequence];
      core.writes.push(command);
      return "OK";
    },
  },
};

interface Id {
  readonly ms: number;
  readonly sequence: number;
}

const MAX_SEQUENCE = Number.MAX_SAFE_INTEGER;

function compare(a: Id, b: Id): number {
  return a.ms - b.ms || a.sequence - b.sequence;
}

function textOf({ ms, sequence }: Id): string {
  return `${ms}-${sequence}`;
}

/** @param absent the sequence where the text has none */
function parseId(text: string, absent: number): Id {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) throw new ReplyError(INVALID_ID);
  const id = { ms: Number(match[1]), sequence: match[2] === undefined ? absent : Number(match[2]) };
  if (!Number.isSafeInteger(id.ms) || !Number.isSafeInteger(id.sequence)) {
    throw new Error(`expected an id within 2^53, got ${text}: the model counts no further`);
  }
  return id;
}

function append(core: Core, command: Command): Reply {
  const key = command[1]!;
  const { trim, next, isAppendOnly } = trimOf(command, 2);
  const idText = command[next] ?? "*";
  // The id comes before the number of fields: of two mistakes, redis-server names this one.
  const given = idText === "*" ? null : parseId(idText, 0);
  const count = command.length - next - 1;
  if (count < 2 || count % 2 !== 0) throw arityError("xadd");
  if (given !== null && given.ms === 0 && given.sequence === 0) {
    throw new ReplyError("ERR The ID specified in XADD must be greater than 0-0");
  }
  let stream = findAs(core, key, "stream");
  if (stream === undefined) {
    if (isAppendOnly) return null;
    if (given === null || compare(given, { ms: 0, sequence: 0 }) > 0) {
      core.keys.set(key, stream = emptyStream());
    }
  }
  const id = given ?? nextId(core, stream!);
  if (compare(id, { ms: stream!.lastMs, sequence: stream!.lastSequence }) <= 0) {
    throw new ReplyError(
      "ERR The ID specified in XADD is equal or smaller than the target stream top item",
    );
  }
  const text = textOf(id);
  const fields = command.slice(next + 1);
  stream!.entries.push({ ...id, id: text, fields });
  [stream!.lastMs, stream!.lastSequence] = [id.ms, id.sequence];
  stream!.added++;
  core.writes.push(["XADD", key, text, ...fields]);
  if (trim !== null && cut(stream!, trim) > 0) core.writes.push(trimmedTo(key, stream!));
  return text;
}

function emptyStream(): StreamValue {
  return {
    ...{ type: "stream", entries: [], lastMs: 0, lastSequence: 0, added: 0 },
    ...{ maxDeletedId: "0-0", expiresMs: null },
  };
}

function nextId(core: Core, { lastMs, lastSequence }: StreamValue): Id {
  const nowMs = core.readMs();
  return nowMs > lastMs ? { ms: nowMs, sequence: 0 } : { ms: lastMs, sequence: lastSequence + 1 };
}

interface Trim {
  readonly max: number | null;
  readonly min: Id | null;
  readonly isApproximate: boolean;
}

/** Reads `[NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT count]]` from `at` on. */
function trimOf(
  command: Command,
  at: number,
): { trim: Trim | null; next: number; isAppendOnly: boolean } {
  let isAppendOnly = false;
  let trim: Trim | null = null;
  for (;;) {
    const word = command[at]?.toUpperCase();
    if (word === "NOMKSTREAM") {
      isAppendOnly = true;
      at++;
    } else if ((word === "MAXLEN" || word === "MINID") && at + 1 < command.length) {
      if (trim !== null) throw new ReplyError(BOTH_TRIMS);
      const sign = at + 2 < command.length ? command[at + 1] : undefined;
      const isApproximate = sign === "~";
      at += isApproximate || sign === "=" ? 2 : 1;
      const text = command[at++]!;
      const max = word === "MAXLEN" ? integer(text) : null;
      if (max !== null && max < 0) throw new ReplyError("ERR The MAXLEN argument must be >= 0.");
      trim = { max, min: word === "MINID" ? parseId(text, 0) : null, isApproximate };
    } else return { trim, next: at, isAppendOnly };
  }
}

/** @returns how many were removed */
function cut(stream: StreamValue, { max, min, isApproximate }: Trim): number {
  const { entries } = stream;
  let count = max === null ? firstAtOrAfter(entries, min!) : Math.max(0, entries.length - max);
  if (isApproximate) count -= count % NODE_ENTRIES;
  if (count > 0) stream.entries = entries.slice(count);
  return count;
}

/** What a replica has to do to hold the same. */
function trimmedTo(key: string, { entries }: StreamValue): Command {
  return ["XTRIM", key, "MAXLEN", "=", String(entries.length)];
}

function firstAtOrAfter(entries: readonly StreamEntry[], id: Id): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(entries[middle]!, id) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function range(core: Core, command: Command, isReverse: boolean): Reply {
  const [, key, one, other, ...options] = command;
  const from = bound(isReverse ? other! : one!, 0);
  const to = bound(isReverse ? one! : other!, MAX_SEQUENCE);
  const count = countOf(options);
  const entries = findAs(core, key!, "stream")?.entries;
  if (entries === undefined) return [];
  if (count === 0) return null;
  let first = firstAtOrAfter(entries, from.id);
  if (from.isOpen && first < entries.length && compare(entries[first]!, from.id) === 0) first++;
  let end = firstAtOrAfter(entries, to.id);
  if (!to.isOpen && end < entries.length && compare(entries[end]!, to.id) === 0) end++;
  if (isReverse) {
    return entries.slice(Math.max(first, end - count), Math.max(first, end)).reverse().map(replyOf);
  }
  return entries.slice(first, Math.min(end, first + count)).map(replyOf);
}

function replyOf({ id, fields }: StreamEntry): Reply {
  return [id, fields];
}

function countOf(options: readonly string[]): number {
  if (options.length === 0) return Infinity;
  if (options.length !== 2 || options[0]!.toUpperCase() !== "COUNT") {
    throw new ReplyError(SYNTAX_ERROR);
  }
  return Math.max(0, integer(options[1]));
}

function bound(text: string, absent: number): { id: Id; isOpen: boolean } {
  const isOpen = text.startsWith("(");
  const word = isOpen ? text.slice(1) : text;
  if (isOpen && (word === "-" || word === "+")) throw new ReplyError(INVALID_ID);
  if (word === "-") return { id: { ms: 0, sequence: 0 }, isOpen };
  if (word === "+") return { id: { ms: Number.MAX_SAFE_INTEGER, sequence: MAX_SEQUENCE }, isOpen };
  return { id: parseId(word, absent), isOpen };
}

function remove(core: Core, command: Command): number {
  const [, key, ...texts] = command;
  const stream = findAs(core, key!, "stream");
  if (stream === undefined) return 0;
  const ids = texts.map((text) => parseId(text, 0));
  let removed = 0;
  for (const id of ids) {
    const at = firstAtOrAfter(stream.entries, id);
    const entry = stream.entries[at];
    if (entry === undefined || compare(entry, id) !== 0) continue;
    stream.entries.splice(at, 1);
    if (compare(id, parseId(stream.maxDeletedId, 0)) > 0) stream.maxDeletedId = textOf(id);
    removed++;
  }
  if (removed > 0) core.writes.push(command);
  return removed;
}

/** Nodes of its tree are not modelled: numbers of them are as for a stream of one node. */
function inform(core: Core, command: Command): Reply {
  const [, verb, key, ...more] = command as [string, string, string, ...string[]];
  if (verb.toUpperCase() !== "STREAM") throw new Error(`expected XINFO STREAM, got ${verb}`);
  const stream = findAs(core, key, "stream");
  if (stream === undefined) throw new ReplyError("ERR no such key");
  if (more.length > 0) {
    throw new ReplyError(
      `ERR unknown subcommand or wrong number of arguments for '${verb}'. Try XINFO HELP.`,
    );
  }
  const { entries, lastMs, lastSequence, added, maxDeletedId } = stream;
  const [first, last] = [entries[0], entries.at(-1)];
  return [
    ...["length", entries.length, "radix-tree-keys", 1, "radix-tree-nodes", 2],
    ...["last-generated-id", `${lastMs}-${lastSequence}`, "max-deleted-entry-id", maxDeletedId],
    ...["entries-added", added, "recorded-first-entry-id", first?.id ?? "0-0", "groups", 0],
    ...["first-entry", first === undefined ? null : replyOf(first)],
    ...["last-entry", last === undefined ? null : replyOf(last)],
  ];
}
