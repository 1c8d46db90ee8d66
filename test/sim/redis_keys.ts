/** Commands on strings, on keys of any type and on their ends. */

import type { CommandTable } from "./redis_command.ts";
import { integer, SYNTAX_ERROR } from "./redis_command.ts";
import type { Command } from "./redis_words.ts";
import { ReplyError } from "./redis_words.ts";
import type { Core, StringValue } from "./redis_values.ts";
import { find, findAs, Keyspace } from "./redis_values.ts";

export const KEY_COMMANDS: CommandTable = {
  GET: { arity: 2, run: (core, [, key]) => findAs(core, key!, "string")?.text ?? null },
  SET: { arity: -3, isWrite: true, needsMemory: true, run: set },
  SETNX: {
    ...{ arity: 3, isWrite: true, needsMemory: true },
    run(core, [, key, text]) {
      if (find(core, key!) !== undefined) return 0;
      put(core, key!, text!, null);
      return 1;
    },
  },
  SETEX: { arity: 4, isWrite: true, needsMemory: true, run: setWithEnd },
  PSETEX: { arity: 4, isWrite: true, needsMemory: true, run: setWithEnd },
  MGET: {
    arity: -2,
    run: (core, [, ...keys]) =>
      keys.map((key) => {
        const value = find(core, key);
        return value?.type === "string" ? value.text : null;
      }),
  },
  INCR: { arity: 2, isWrite: true, needsMemory: true, run: (core, command) => add(core, command) },
  INCRBY: {
    arity: 3,
    isWrite: true,
    needsMemory: true,
    run: (core, command) => add(core, command),
  },
  DEL: {
    ...{ arity: -2, isWrite: true },
    run(core, [, ...keys]) {
      const there = keys.filter((key) => find(core, key) !== undefined && core.keys.delete(key));
      if (there.length > 0) core.writes.push(["DEL", ...there]);
      return there.length;
    },
  },
  EXISTS: {
    arity: -2,
    run: (core, [, ...keys]) => keys.filter((key) => find(core, key) !== undefined).length,
  },
  TYPE: { arity: 2, run: (core, [, key]) => find(core, key!)?.type ?? "none" },
  KEYS: {
    arity: 2,
    run(core, [, pattern]) {
      const matches = globOf(pattern!);
      return [...core.keys.names()].filter((key) =>
        matches.test(key) && find(core, key) !== undefined
      );
    },
  },
  DBSIZE: { arity: 1, run: (core) => core.keys.size },
  FLUSHALL: { arity: -1, isWrite: true, run: empty },
  FLUSHDB: { arity: -1, isWrite: true, run: empty },
  EXPIRE: { arity: -3, isWrite: true, run: expire },
  PEXPIRE: { arity: -3, isWrite: true, run: expire },
  EXPIREAT: { arity: -3, isWrite: true, run: expire },
  PEXPIREAT: { arity: -3, isWrite: true, run: expire },
  PERSIST: {
    ...{ arity: 2, isWrite: true },
    run(core, [, key]) {
      const value = find(core, key!);
      if (value === undefined || value.expiresMs === null) return 0;
      value.expiresMs = null;
      core.writes.push(["PERSIST", key!]);
      return 1;
    },
  },
  PTTL: { arity: 2, run: (core, [, key]) => leftMs(core, key!) },
  TTL: {
    arity: 2,
    run(core, [, key]) {
      const left = leftMs(core, key!);
      return left < 0 ? left : Math.floor((left + 500) / 1000);
    },
  },
  TIME: {
    arity: 1,
    isForLoading: true,
    run(core) {
      const nowMs = core.readMs();
      return [String(Math.floor(nowMs / 1000)), String(nowMs % 1000 * 1000)];
    },
  },
};

function put(core: Core, key: string, text: string, expiresMs: number | null): void {
  core.keys.set(key, { type: "string", text, expiresMs });
  core.writes.push(
    expiresMs === null ? ["SET", key, text] : ["SET", key, text, "PXAT", String(expiresMs)],
  );
}

interface SetOptions {
  expiresMs: number | null;
  isKeepingEnd: boolean;
  condition: "NX" | "XX" | null;
  isGet: boolean;
}

function set(core: Core, command: Command) {
  const [, key, text] = command;
  const { expiresMs, isKeepingEnd, condition, isGet } = setOptions(core, command);
  const old = isGet ? findAs(core, key!, "string") : find(core, key!);
  const was = isGet ? (old as StringValue | undefined)?.text ?? null : null;
  if (condition === (old === undefined ? "XX" : "NX")) return was;
  put(core, key!, text!, isKeepingEnd ? old?.expiresMs ?? null : expiresMs);
  return isGet ? was : "OK";
}

function setOptions(core: Core, command: Command): SetOptions {
  const options: SetOptions = {
    ...{ expiresMs: null, isKeepingEnd: false, condition: null, isGet: false },
  };
  let end: [unit: string, text: string] | null = null;
  for (let at = 3; at < command.length; at++) {
    const word = command[at]!.toUpperCase();
    if ((word === "NX" || word === "XX") && (options.condition ?? word) === word) {
      options.condition = word;
    } else if (word === "GET") options.isGet = true;
    else if (word === "KEEPTTL" && end === null) options.isKeepingEnd = true;
    else if (
      /^(EX|PX|EXAT|PXAT)$/.test(word) && end === null && !options.isKeepingEnd &&
      at + 1 < command.length
    ) end = [word, command[++at]!];
    else throw new ReplyError(SYNTAX_ERROR);
  }
  if (end !== null) options.expiresMs = endOf(core, ...end, "set");
  return options;
}

/** Unix milliseconds at which a key ends. */
function endOf(core: Core, unit: string, text: string, name: string): number {
  const count = integer(text);
  const ms = unit.startsWith("P") ? count : count * 1000;
  if (count <= 0 || !Number.isSafeInteger(ms + core.nowMs)) {
    throw new ReplyError(`ERR invalid expire time in '${name}' command`);
  }
  return unit.endsWith("AT") ? ms : core.nowMs + ms;
}

function setWithEnd(core: Core, [name, key, count, text]: Command) {
  const unit = name!.toUpperCase() === "SETEX" ? "EX" : "PX";
  put(core, key!, text!, endOf(core, unit, count!, name!.toLowerCase()));
  return "OK";
}

function add(core: Core, [, key, by]: Command): number {
  const step = by === undefined ? 1 : integer(by);
  const value = findAs(core, key!, "string");
  const sum = integer(value?.text ?? "0") + step;
  if (value === undefined) core.keys.set(key!, { type: "string", text: `${sum}`, expiresMs: null });
  else value.text = `${sum}`;
  core.writes.push(["INCRBY", key!, `${step}`]);
  return sum;
}

function empty(core: Core, command: Command) {
  if (command.length > 2 || !/^(a?sync)?$/i.test(command[1] ?? "")) {
    throw new ReplyError(SYNTAX_ERROR);
  }
  core.keys = new Keyspace();
  core.writes.push(["FLUSHALL"]);
  return "OK";
}

function expire(core: Core, command: Command): number {
  const [name, key, text, ...more] = command;
  if (more.length > 0) throw new ReplyError(`ERR Unsupported option ${more[0]}`);
  const unit = name!.toUpperCase();
  const count = integer(text);
  const ms = unit.startsWith("P") ? count : count * 1000;
  const value = find(core, key!);
  if (value === undefined) return 0;
  const atMs = unit.endsWith("AT") ? ms : core.nowMs + ms;
  if (atMs <= core.nowMs && !core.isReplica && !core.isReplaying) {
    core.keys.delete(key!);
    core.writes.push(["DEL", key!]);
    return 1;
  }
  value.expiresMs = atMs;
  core.writes.push(["PEXPIREAT", key!, String(atMs)]);
  return 1;
}

function leftMs(core: Core, key: string): number {
  const value = find(core, key);
  if (value === undefined) return -2;
  return value.expiresMs === null ? -1 : Math.max(0, value.expiresMs - core.nowMs);
}

/** Patterns of KEYS and PSUBSCRIBE. */
export function globOf(pattern: string): RegExp {
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const letter = pattern[at]!;
    if (letter === "*") source += "[^]*";
    else if (letter === "?") source += "[^]";
    else if (letter === "\\" && at + 1 < pattern.length) source += escaped(pattern[++at]!);
    else if (letter === "[") {
      const end = pattern.indexOf("]", at + 1);
      if (end < 0) throw new Error(`expected a closed class in the pattern, got ${pattern}`);
      source += pattern.slice(at, end + 1);
      at = end;
    } else source += escaped(letter);
  }
  return new RegExp(`^${source}$`);
}

function escaped(letter: string): string {
  return letter.replace(/[\\^$.*+?()[\]{}|/-]/, "\\$&");
}
