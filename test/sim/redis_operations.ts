/** Random operations for the differential test: commands and calls of scripts, half fitted to what is there. */

import type { Draw } from "./draws.ts";
import type { ModelRedis } from "./redis_model.ts";
import type { ScriptName } from "./redis_scripts.ts";
import type { Command } from "./redis_words.ts";

/** A world small enough that operations meet, with keys of scripts among the others. */
const KEYS = ["b:f", "b:j", "b:c", "b:o", "b:l", "b:e", "q1", "q2", "k1", "k2"] as const;
const HOMES: Readonly<Record<string, readonly string[]>> = {
  string: ["b:f", "b:e", "k1", "q2"],
  hash: ["b:c", "b:o"],
  list: ["q1", "q2"],
  stream: ["b:j"],
  set: ["k1", "k2"],
  zset: ["k2"],
};
const NAMES = ["a", "b.c", "@term"] as const;
/** Long enough that no test outlives it, and that rounding to its tenth is safe. Milliseconds. */
export const LONG_MS = 100_000;

export interface Ids {
  /** An id that a stream has or had; `null`: none yet. */
  pick(draw: Draw): string | null;
}

function idOf(draw: Draw, ids: Ids): string {
  const id = draw.chance(0.6) ? ids.pick(draw) : null;
  if (id !== null) return draw.pick([id, id.split("-")[0]!, `(${id}`]);
  return draw.pick(["-", "+", "0-1", "5", "(5-1", "x", "9000000000000", "5-3", "(-", ""]);
}

function keyFor(draw: Draw, type: string): string {
  return draw.chance(0.85) ? draw.pick(HOMES[type]!) : draw.pick(KEYS);
}

/** Among others a fence beyond any clock: one that was given before the clock went back. */
const text = (draw: Draw) =>
  draw.pick(["", "x", "7", "-3", "abc", "5 r1", "9 r2", "9 r2 7 window", "v1 v2", "9000000000000"]);
const index = (draw: Draw) => draw.pick(["0", "1", "-1", "2", "-3", "5", "100", "x", "1.5"]);
const score = (draw: Draw) => draw.pick(["1", "2.5", "-7", "1e3", "0.1", "1700000000.123", "no"]);
const bound = (draw: Draw) => draw.pick(["-inf", "+inf", "(1", "1", "2.5", "(1000", "no", "(-inf"]);

/** One command on data; now and then a wrong one. */
export function commandOf(draw: Draw, ids: Ids): Command {
  const makers = [strings, ends, hashes, lists, lists, streams, streams, sets, sortedSets, keys];
  const command = draw.pick(makers)(draw, ids);
  if (!draw.chance(0.03)) return command;
  return draw.pick([
    () => command.length > 1 ? command.slice(0, -1) : command,
    () => [...command, "x"],
    () => ["NOSUCH", "a", "b"],
    // Small letters alone would make the client change the reply.
    () => [command[0]![0]! + command[0]!.slice(1).toLowerCase(), ...command.slice(1)],
  ])();
}

function strings(draw: Draw): Command {
  const key = keyFor(draw, "string");
  return draw.pick<() => Command>([
    () => ["GET", key],
    () => ["SET", key, text(draw)],
    () => ["SET", key, text(draw), draw.pick(["NX", "XX", "GET", "KEEPTTL", "ODD"])],
    () => ["SET", key, text(draw), "PX", draw.pick([`${LONG_MS}`, "0", "-5", "x"]), "NX"],
    () => ["SET", key, text(draw), "NX", "XX"],
    () => ["SETNX", key, text(draw)],
    () => ["SETEX", key, draw.pick([`${LONG_MS / 1000}`, "0", "x"]), text(draw)],
    () => ["MGET", key, draw.pick(KEYS), "absent"],
    () => ["INCR", key],
    () => ["INCRBY", key, draw.pick(["2", "-1", "x"])],
  ])();
}

function ends(draw: Draw): Command {
  const key = draw.pick(KEYS);
  return draw.pick<() => Command>([
    () => ["PEXPIRE", key, draw.pick([`${LONG_MS}`, `${LONG_MS}`, "-1", "x"])],
    () => ["EXPIRE", key, `${LONG_MS / 1000}`],
    () => ["PERSIST", key],
    () => ["PTTL", key],
    () => ["TTL", key],
    () => ["PEXPIREAT", key, "1"],
  ])();
}

function keys(draw: Draw): Command {
  const key = draw.pick(KEYS);
  return draw.pick<() => Command>([
    () => ["TYPE", key],
    () => ["DEL", key],
    () => ["DEL", key, draw.pick(KEYS), "absent"],
    () => ["EXISTS", key, key, "absent"],
    () => ["KEYS", draw.pick(["*", "b:?", "q[12]", "b:\\f", "k*"])],
    () => ["TIME"],
    () => ["ECHO", text(draw)],
    () => ["PING"],
    () => draw.chance(0.05) ? ["FLUSHALL"] : ["TYPE", "absent"],
  ])();
}

function hashes(draw: Draw): Command {
  const key = keyFor(draw, "hash");
  const field = () => draw.pick([...NAMES, "a@1", "a@2", "b.c@3"]);
  return draw.pick<() => Command>([
    () => ["HSET", key, field(), text(draw)],
    () => ["HSET", key, field(), text(draw), field(), text(draw)],
    () => ["HSET", key, field(), text(draw), field()],
    () => ["HSETNX", key, field(), text(draw)],
    () => ["HGET", key, field()],
    () => ["HMGET", key, field(), field(), ""],
    () => ["HDEL", key, field(), field()],
    () => [draw.pick(["HGETALL", "HLEN", "HKEYS"]), key],
    () => ["HEXISTS", key, field()],
    () => ["HSCAN", key, "0", "COUNT", "1000"],
  ])();
}

function lists(draw: Draw): Command {
  const key = keyFor(draw, "list");
  return draw.pick<() => Command>([
    () => ["LPUSH", key, text(draw), text(draw)],
    () => ["RPUSH", key, text(draw)],
    () => [draw.pick(["RPOP", "LPOP", "LLEN"]), key],
    () => [draw.pick(["RPOP", "LPOP"]), key, index(draw)],
    () => ["LRANGE", key, index(draw), index(draw)],
    () => ["LINDEX", key, index(draw)],
    () => ["LREM", key, draw.pick(["-1", "0", "1", "2", "-2", "x"]), text(draw)],
    () => ["LTRIM", key, index(draw), index(draw)],
  ])();
}

function streams(draw: Draw, ids: Ids): Command {
  const key = keyFor(draw, "stream");
  return draw.pick<() => Command>([
    () => ["XADD", key, "*", "f", text(draw)],
    () => ["XADD", key, "*", "f", text(draw), "g", "1"],
    () => ["XADD", key, draw.pick(["5-1", "5-3", "7", "0-0", "0-1", "x"]), "f", text(draw)],
    () => ["XADD", key, "*", "f"],
    () => ["XADD", key, "MAXLEN", draw.pick(["=", "1"]), draw.pick(["2", "3"]), "*", "f", "1"],
    () => ["XADD", key, "NOMKSTREAM", "*", "f", text(draw)],
    () => ["XLEN", key],
    () => ["XRANGE", key, idOf(draw, ids), idOf(draw, ids)],
    () => ["XRANGE", key, idOf(draw, ids), "+", "COUNT", draw.pick(["1", "2", "0", "-1"])],
    () => ["XREVRANGE", key, idOf(draw, ids), idOf(draw, ids)],
    () => ["XREVRANGE", key, "+", "-", "COUNT", "1"],
    () => ["XTRIM", key, "MAXLEN", draw.pick(["=", "="]), draw.pick(["0", "1", "3", "-1"])],
    () => ["XTRIM", key, "MINID", "=", draw.pick(["5-3", "6", idOf(draw, ids)])],
    () => ["XDEL", key, idOf(draw, ids), "5-1"],
    () => ["XINFO", "STREAM", key],
  ])();
}

function sets(draw: Draw): Command {
  const key = keyFor(draw, "set");
  const member = () => draw.pick(["x", "y", "1", "2"]);
  return draw.pick<() => Command>([
    () => ["SADD", key, member(), member()],
    () => ["SREM", key, member(), member()],
    () => [draw.pick(["SMEMBERS", "SCARD"]), key],
    () => ["SISMEMBER", key, member()],
  ])();
}

function sortedSets(draw: Draw): Command {
  const key = keyFor(draw, "zset");
  const member = () => draw.pick(["x", "y", "z", "tag"]);
  return draw.pick<() => Command>([
    () => ["ZADD", key, score(draw), member(), score(draw), member()],
    () => ["ZADD", key, score(draw), member()],
    () => ["ZREM", key, member(), member()],
    () => ["ZSCORE", key, member()],
    () => ["ZCARD", key],
    () => ["ZRANGE", key, index(draw), index(draw), "WITHSCORES"],
    () => ["ZRANGEBYSCORE", key, bound(draw), bound(draw)],
    () => ["ZRANGEBYSCORE", key, "-inf", bound(draw), "WITHSCORES", "LIMIT", "0", "2"],
    () => ["ZREVRANGEBYSCORE", key, bound(draw), bound(draw), "LIMIT", "1", "5"],
  ])();
}

export interface ScriptCall {
  readonly script: ScriptName;
  readonly keys: readonly string[];
  readonly argv: readonly string[];
}

/** A call of one of Beat's scripts, mostly one that fits what the model holds. */
export function scriptCallOf(draw: Draw, model: ModelRedis): ScriptCall {
  const script = draw.pick<ScriptName>([
    ...["commit", "commit", "commit", "commit", "settle", "settle", "settle"] as const,
    ...["lease", "lease", "probe", "reserved"] as const,
  ]);
  switch (script) {
    case "commit":
      return commitCall(draw, model);
    case "settle":
      return settleCall(draw, model);
    case "lease":
      return leaseCall(draw, model);
    case "probe":
      return { script, keys: ["b:f"], argv: [] };
    case "reserved":
      return { script, keys: [draw.pick(["b:o", "b:c", "q1"])], argv: ["a@1", "a@2", "absent"] };
  }
}

function stringAt(model: ModelRedis, key: string): string | null {
  const value = model.peek(key);
  return value?.type === "string" ? value.text : null;
}

function fieldsAt(model: ModelRedis, key: string): ReadonlyMap<string, string> {
  const value = model.peek(key);
  return value?.type === "hash" ? value.fields : new Map();
}

function fenceOf(draw: Draw, model: ModelRedis): string {
  const fence = stringAt(model, "b:f");
  return fence === null || draw.chance(0.1) ? "7" : fence;
}

/** Now and then of a fire that is held. */
const cursorText = (draw: Draw) =>
  `${draw.between(1, 9)} ${draw.pick(["r1", "r2"])}` +
  draw.pick(["", "", "", " 7 window", " 9 window", " 7 overlap:a@1"]);

function commitCall(draw: Draw, model: ModelRedis): ScriptCall {
  const steps = draw.between(0, 5);
  const cursors = new Map(fieldsAt(model, "b:c"));
  const body: string[] = [];
  for (let step = 0; step < steps; step++) {
    const place = draw.below(NAMES.length);
    const expect = draw.chance(0.8)
      ? cursors.get(NAMES[place]!) ?? ""
      : draw.pick([cursorText(draw), "", "odd", "-7 r1"]);
    const next = draw.chance(0.1) ? "" : cursorText(draw);
    const notBefore = draw.chance(0.1) ? "9000000000000" : "0";
    const notAfter = draw.pick(["", "", "", "9000000000000", "7"]);
    if (notBefore === "0" && notAfter !== "7") cursors.set(NAMES[place]!, next);
    const parts = [`${place + 1}`, `${draw.between(1, 3)}`, expect, next, notBefore, notAfter];
    parts.push("fire.published", `${step}`, "2", "{}");
    const list = draw.below(3);
    const isPublished = list > 0;
    parts.push(`${list}`, isPublished ? draw.pick(["a@1", "a@2", "b.c@3"]) : "");
    parts.push(isPublished ? text(draw) : "");
    body.push(parts.join("\n"));
    if (isPublished) body.push(draw.pick(["m1", "m2", "x"]));
  }
  const head = [fenceOf(draw, model), "1", `${NAMES.length}`, `${steps}`];
  const argv = [...head, ...NAMES, ...body];
  return { script: "commit", keys: ["b:f", "b:j", "b:c", "b:o", "q1", "q2"], argv };
}

function settleCall(draw: Draw, model: ModelRedis): ScriptCall {
  const open = [...fieldsAt(model, "b:o").entries()];
  const count = draw.between(0, 4);
  const keys: string[] = [];
  const body: string[] = [];
  for (let each = 0; each < count; each++) {
    const [key, stored] = open.length > 0 && draw.chance(0.85) ? draw.pick(open) : ["a@9", ""];
    keys.push(key);
    const list = draw.below(3);
    const rows = draw.between(1, 3);
    body.push(draw.chance(0.85) ? stored : "odd", draw.chance(0.4) ? "" : text(draw), `${list}`);
    body.push(list === 0 ? "" : draw.pick(["m1", "m2", "x"]), `${rows}`);
    for (let row = 0; row < rows; row++) body.push("fire.acked", "a", `${row}`, "2", "{}");
  }
  const reaches = [`${draw.between(1, 3)}`, `${draw.between(1, 3)}`];
  const argv = [fenceOf(draw, model), "1", `${count}`, ...reaches, ...keys, ...body];
  return { script: "settle", keys: ["b:f", "b:j", "b:o", "q1", "q2"], argv };
}

function leaseCall(draw: Draw, model: ModelRedis): ScriptCall {
  const held = /^(.*) (\d+)$/s.exec(stringAt(model, "b:l") ?? "");
  const isFitted = held !== null && draw.chance(0.7);
  const owner = isFitted ? held[1]! : draw.pick(["me", "you"]);
  const fence = isFitted && draw.chance(0.7) ? held[2]! : draw.pick(["0", "7", "9000000000007"]);
  const verb = draw.pick(["take", "take", "renew", "release"]);
  const ttl = verb === "release" ? "0" : `${draw.pick([1, 0.7]) * LONG_MS}`;
  const argv = [verb, owner, ttl, fence];
  argv.push(verb === "take" ? draw.pick(["e1", "e2"]) : "");
  if (verb === "take") argv.push("1", `${draw.pick([10, 0.8]) * LONG_MS}`);
  return { script: "lease", keys: ["b:l", "b:f", "b:e"], argv };
}
