/** Commands on hashes, lists, sets and sorted sets. */

import type { CommandTable } from "./redis_command.ts";
import { arityError, float, integer, rangeOf, SYNTAX_ERROR } from "./redis_command.ts";
import type { Command, Reply } from "./redis_words.ts";
import { ReplyError } from "./redis_words.ts";
import type { Core, HashValue, ListValue } from "./redis_values.ts";
import { Deque, dropEmpty, findAs } from "./redis_values.ts";

const growing = { isWrite: true, needsMemory: true } as const;
const shrinking = { isWrite: true } as const;

/** A hash of no more fields is scanned in one piece. */
const LISTPACK_MAX = 128;

export const HASH_COMMANDS: CommandTable = {
  HGET: {
    arity: 3,
    run: (core, [, key, field]) => findAs(core, key!, "hash")?.fields.get(field!) ?? null,
  },
  HMGET: {
    arity: -3,
    run(core, command) {
      const fields = findAs(core, command[1]!, "hash")?.fields;
      return command.slice(2).map((field) => fields?.get(field) ?? null);
    },
  },
  HGETALL: {
    arity: 2,
    run: (core, [, key]) => [...findAs(core, key!, "hash")?.fields ?? []].flat(),
  },
  HSCAN: {
    arity: -3,
    run(core, [, key, cursor, ...options]) {
      if (!/^\d+$/.test(cursor!)) return new ReplyError("ERR invalid cursor");
      const all = [...findAs(core, key!, "hash")?.fields ?? []];
      if (all.length === 0) return ["0", []];
      let size = 10;
      for (let at = 0; at < options.length; at += 2) {
        if (options[at]!.toUpperCase() !== "COUNT" || at + 1 === options.length) {
          return new ReplyError(SYNTAX_ERROR);
        }
        size = integer(options[at + 1]);
        if (size < 1) return new ReplyError(SYNTAX_ERROR);
      }
      const page = all.length <= LISTPACK_MAX ? all.length : size;
      const from = Number(cursor);
      const next = from + page >= all.length ? "0" : String(from + page);
      return [next, all.slice(from, from + page).flat()];
    },
  },
  HEXISTS: {
    arity: 3,
    run: (core, [, key, field]) => findAs(core, key!, "hash")?.fields.has(field!) ? 1 : 0,
  },
  HLEN: { arity: 2, run: (core, [, key]) => findAs(core, key!, "hash")?.fields.size ?? 0 },
  HKEYS: { arity: 2, run: (core, [, key]) => [...findAs(core, key!, "hash")?.fields.keys() ?? []] },
  HSET: {
    ...{ arity: -4, ...growing },
    run(core, command) {
      if (command.length % 2 !== 0) throw arityError("hset");
      const { fields } = hashAt(core, command[1]!);
      const before = fields.size;
      for (let at = 2; at < command.length; at += 2) fields.set(command[at]!, command[at + 1]!);
      core.writes.push(command);
      return fields.size - before;
    },
  },
  HSETNX: {
    ...{ arity: 4, ...growing },
    run(core, [, key, field, text]) {
      const { fields } = hashAt(core, key!);
      if (fields.has(field!)) return 0;
      fields.set(field!, text!);
      core.writes.push(["HSET", key!, field!, text!]);
      return 1;
    },
  },
  HDEL: {
    ...{ arity: -3, ...shrinking },
    run(core, command) {
      const hash = findAs(core, command[1]!, "hash");
      if (hash === undefined) return 0;
      const before = hash.fields.size;
      for (let at = 2; at < command.length; at++) hash.fields.delete(command[at]!);
      dropEmpty(core, command[1]!, hash.fields.size);
      if (hash.fields.size < before) core.writes.push(command);
      return before - hash.fields.size;
    },
  },
};

function hashAt(core: Core, key: string): HashValue {
  const known = findAs(core, key, "hash");
  if (known !== undefined) return known;
  const made: HashValue = { type: "hash", fields: new Map(), expiresMs: null };
  core.keys.set(key, made);
  return made;
}

export const LIST_COMMANDS: CommandTable = {
  LPUSH: { arity: -3, ...growing, run: (core, command) => pushAll(core, command, "pushHead") },
  RPUSH: { arity: -3, ...growing, run: (core, command) => pushAll(core, command, "pushTail") },
  LPOP: { arity: -2, ...shrinking, run: (core, command) => pop(core, command, "popHead") },
  RPOP: { arity: -2, ...shrinking, run: (core, command) => pop(core, command, "popTail") },
  LLEN: { arity: 2, run: (core, [, key]) => findAs(core, key!, "list")?.list.length ?? 0 },
  LINDEX: {
    arity: 3,
    run(core, [, key, index]) {
      const list = findAs(core, key!, "list")?.list;
      if (list === undefined) return null;
      const place = integer(index);
      return list.at(place < 0 ? list.length + place : place) ?? null;
    },
  },
  LRANGE: {
    arity: 4,
    run(core, [, key, from, to]) {
      const bounds = [integer(from), integer(to)] as const;
      const list = findAs(core, key!, "list")?.list;
      const range = rangeOf(list?.length ?? 0, bounds);
      return range === null ? [] : list!.slice(...range);
    },
  },
  LREM: { arity: 4, ...shrinking, run: removeEqual },
  LTRIM: {
    ...{ arity: 4, ...shrinking },
    run(core, command) {
      const [, key, from, to] = command;
      const bounds = [integer(from), integer(to)] as const;
      const value = findAs(core, key!, "list");
      if (value === undefined) return "OK";
      const range = rangeOf(value.list.length, bounds);
      const kept = range === null ? [] : value.list.slice(...range);
      const list = new Deque();
      for (const text of kept.reverse()) list.pushHead(text);
      if (kept.length === 0) core.keys.delete(key!);
      else core.keys.set(key!, { ...value, list });
      core.writes.push(command);
      return "OK";
    },
  },
};

function pushAll(core: Core, command: Command, end: "pushHead" | "pushTail"): number {
  const key = command[1]!;
  let value = findAs(core, key, "list");
  if (value === undefined) {
    value = { type: "list", list: new Deque(), expiresMs: null } satisfies ListValue;
    core.keys.set(key, value);
  }
  for (let at = 2; at < command.length; at++) value.list[end](command[at]!);
  core.writes.push(command);
  return value.list.length;
}

const NOT_POSITIVE = "ERR value is out of range, must be positive";

function pop(core: Core, command: Command, end: "popHead" | "popTail"): Reply {
  const [name, key, text, ...more] = command;
  if (more.length > 0) throw arityError(name!);
  const count = text === undefined ? null : integer(text, NOT_POSITIVE);
  if (count !== null && count < 0) throw new ReplyError(NOT_POSITIVE);
  const list = findAs(core, key!, "list")?.list;
  if (list === undefined) return null;
  if (count === 0) return [];
  const items: string[] = [];
  while (items.length < (count ?? 1) && list.length > 0) items.push(list[end]()!);
  dropEmpty(core, key!, list.length);
  core.writes.push(command);
  return count === null ? items[0]! : items;
}

function removeEqual(core: Core, command: Command): number {
  const [, key, text, item] = command;
  const count = integer(text);
  const list = findAs(core, key!, "list")?.list;
  if (list === undefined) return 0;
  let removed = 0;
  const max = count === 0 ? Infinity : Math.abs(count);
  if (count < 0) {
    for (let at = list.length - 1; at >= 0 && removed < max; at--) {
      if (list.at(at) === item) list.removeAt(at), removed++;
    }
  } else {
    for (let at = 0; at < list.length && removed < max;) {
      if (list.at(at) === item) list.removeAt(at), removed++;
      else at++;
    }
  }
  dropEmpty(core, key!, list.length);
  if (removed > 0) core.writes.push(command);
  return removed;
}

export const SET_COMMANDS: CommandTable = {
  SADD: {
    ...{ arity: -3, ...growing },
    run(core, command) {
      const [, key, ...members] = command;
      let value = findAs(core, key!, "set");
      if (value === undefined) {
        value = { type: "set", members: new Set(), expiresMs: null };
        core.keys.set(key!, value);
      }
      const before = value.members.size;
      for (const member of members) value.members.add(member);
      const added = value.members.size - before;
      if (added > 0) core.writes.push(command);
      return added;
    },
  },
  SREM: {
    ...{ arity: -3, ...shrinking },
    run(core, command) {
      const [, key, ...members] = command;
      const value = findAs(core, key!, "set");
      const removed = members.filter((member) => value?.members.delete(member)).length;
      if (value !== undefined) dropEmpty(core, key!, value.members.size);
      if (removed > 0) core.writes.push(command);
      return removed;
    },
  },
  SMEMBERS: { arity: 2, run: (core, [, key]) => [...findAs(core, key!, "set")?.members ?? []] },
  SISMEMBER: {
    arity: 3,
    run: (core, [, key, member]) => findAs(core, key!, "set")?.members.has(member!) ? 1 : 0,
  },
  SCARD: { arity: 2, run: (core, [, key]) => findAs(core, key!, "set")?.members.size ?? 0 },
};

export const SORTED_SET_COMMANDS: CommandTable = {
  ZADD: { arity: -4, ...growing, run: addScores },
  ZREM: {
    ...{ arity: -3, ...shrinking },
    run(core, command) {
      const [, key, ...members] = command;
      const value = findAs(core, key!, "zset");
      const removed = members.filter((member) => value?.scores.delete(member)).length;
      if (value !== undefined) dropEmpty(core, key!, value.scores.size);
      if (removed > 0) core.writes.push(command);
      return removed;
    },
  },
  ZSCORE: {
    arity: 3,
    run(core, [, key, member]) {
      const score = findAs(core, key!, "zset")?.scores.get(member!);
      return score === undefined ? null : scoreText(score);
    },
  },
  ZCARD: { arity: 2, run: (core, [, key]) => findAs(core, key!, "zset")?.scores.size ?? 0 },
  ZRANGE: {
    arity: -4,
    run(core, [, key, from, to, ...options]) {
      const withScores = scoresAsked(options);
      const bounds = [integer(from), integer(to)] as const;
      const items = sorted(core, key!);
      const range = rangeOf(items.length, bounds);
      const some = range === null ? [] : items.slice(range[0], range[1] + 1);
      return pairsOf(some, withScores);
    },
  },
  ZRANGEBYSCORE: { arity: -4, run: (core, command) => byScore(core, command, false) },
  ZREVRANGEBYSCORE: { arity: -4, run: (core, command) => byScore(core, command, true) },
};

type Scored = readonly [member: string, score: number];

function addScores(core: Core, command: Command): number {
  const [, key, ...pairs] = command;
  if (pairs.length % 2 !== 0) throw new ReplyError(SYNTAX_ERROR);
  const scores = pairs.filter((_, index) => index % 2 === 0).map(float);
  let value = findAs(core, key!, "zset");
  if (value === undefined) {
    value = { type: "zset", scores: new Map(), expiresMs: null };
    core.keys.set(key!, value);
  }
  const before = value.scores.size;
  scores.forEach((score, index) => value.scores.set(pairs[2 * index + 1]!, score));
  core.writes.push(command);
  return value.scores.size - before;
}

function sorted(core: Core, key: string): Scored[] {
  const scores = findAs(core, key, "zset")?.scores ?? [];
  return [...scores].sort(([a, scoreA], [b, scoreB]) => scoreA - scoreB || (a < b ? -1 : 1));
}

function byScore(core: Core, command: Command, isReverse: boolean): Reply {
  const [, key, one, other, ...options] = command;
  let withScores = false;
  let [offset, count] = [0, -1];
  for (let at = 0; at < options.length; at++) {
    const word = options[at]!.toUpperCase();
    if (word === "WITHSCORES") withScores = true;
    else if (word === "LIMIT" && at + 2 < options.length) {
      [offset, count] = [integer(options[at + 1]), integer(options[at + 2])];
      at += 2;
    } else throw new ReplyError(SYNTAX_ERROR);
  }
  const bounds = isReverse ? [other!, one!] : [one!, other!];
  const [isAbove, isBelow] = bounds.map(boundOf) as [Bound, Bound];
  const items = sorted(core, key!).filter(([, score]) =>
    isAbove(score) >= 0 && isBelow(score) <= 0
  );
  if (isReverse) items.reverse();
  const some = offset < 0 ? [] : items.slice(offset, count < 0 ? undefined : offset + count);
  return pairsOf(some, withScores);
}

/** Above 0: beyond the bound. An open bound is beyond itself, on either side. */
type Bound = (score: number) => number;

function boundOf(text: string, index: number): Bound {
  const isOpen = text.startsWith("(");
  let bound: number;
  try {
    bound = float(isOpen ? text.slice(1) : text);
  } catch {
    throw new ReplyError("ERR min or max is not a float");
  }
  const own = !isOpen ? 0 : index === 0 ? -1 : 1;
  return (score) => score === bound ? own : score - bound;
}

function scoresAsked(options: readonly string[]): boolean {
  if (options.some((each) => each.toUpperCase() !== "WITHSCORES")) {
    throw new ReplyError(SYNTAX_ERROR);
  }
  return options.length > 0;
}

function pairsOf(items: readonly Scored[], withScores: boolean): string[] {
  return items.flatMap(([member, score]) => withScores ? [member, scoreText(score)] : [member]);
}

/** As `%.17g` prints it. */
function scoreText(score: number): string {
  if (!Number.isFinite(score)) return score < 0 ? "-inf" : "inf";
  if (Number.isSafeInteger(score)) return String(score);
  const text = score.toPrecision(17);
  return text.includes("e") ? text.replace(/\.?0+e/, "e") : text.replace(/\.?0+$/, "");
}
