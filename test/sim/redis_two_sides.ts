/** The same command to the model and to a real redis-server, and replies made comparable. */

import type { Redis } from "ioredis";
import type { Draw } from "./draws.ts";
import type { ModelRedis } from "./redis_model.ts";
import { modelRedis } from "./redis_model.ts";
import type { Ids } from "./redis_operations.ts";
import { LONG_MS } from "./redis_operations.ts";
import { scriptPorts } from "./redis_scripts.ts";
import type { Command, Reply } from "./redis_words.ts";

/** A real reply and the model's, each in the same form. */
export interface Pair {
  readonly command: Command;
  readonly real: unknown;
  readonly model: unknown;
}

export interface TwoSides extends Ids {
  readonly model: ModelRedis;
  /** Runs commands one after another without anything between them. */
  run(commands: readonly Command[]): Promise<Pair[]>;
  /** All that both hold, key by key. */
  dump(): Promise<Pair[]>;
}

/** The stream that scripts write. */
const JOURNAL = "b:j";
/** More than one script adds. */
const NEWEST: Command = ["XREVRANGE", JOURNAL, "+", "-", "COUNT", "50"];

/**
 * The model's clock is set by the real one, to the millisecond: by what TIME says before each command,
 * and for each id that a stream makes up by that id.
 */
export function twoSides(client: Redis): TwoSides {
  let readings: number[] = [];
  const nowMs = () => readings.length > 1 ? readings.shift()! : readings[0]!;
  const model = modelRedis({ nowMs, fsync: "always", scripts: scriptPorts() });
  const session = model.accept(() => {}, () => {})!;
  const ids: string[] = [];

  function asModel(command: Command, readAs: readonly (number | string)[], atMs: number): Reply {
    for (const each of readAs) if (typeof each === "string") ids.push(each);
    readings = [atMs, ...readAs.map((each) => Number(String(each).split("-")[0])), atMs];
    const reply = model.execute(session, command);
    readings = [atMs];
    return reply;
  }

  async function run(commands: readonly Command[]): Promise<Pair[]> {
    const [time, ...real] = await replies(client, [["TIME"], ...commands, NEWEST]);
    const newest = real.pop()!;
    const atMs = millisecondsOf(time as string[]);
    const queued = commands.filter((_, at) => real[at] === "QUEUED");
    const form = (command: Command, reply: Reply) =>
      command[0] === "EXEC" && Array.isArray(reply)
        ? reply.map((each, at) => comparable(queued[at]!, each))
        : comparable(command, reply);
    return commands.map((command, at) => {
      const modelled = asModel(command, readingsOf(command, real[at]!, { queued, newest }), atMs);
      return { command, real: form(command, real[at]!), model: form(command, modelled) };
    });
  }

  return {
    model,
    pick: (draw: Draw) => ids.length === 0 ? null : draw.pick(ids),
    run,
    async dump() {
      const pairs = await run([["KEYS", "*"]]);
      for (const key of pairs[0]!.real as string[]) {
        const [type] = await replies(client, [["TYPE", key]]);
        pairs.push(...await run([READERS[type as string]!(key), ["PTTL", key]]));
      }
      return pairs;
    },
  };
}

const READERS: Readonly<Record<string, (key: string) => Command>> = {
  string: (key) => ["GET", key],
  hash: (key) => ["HGETALL", key],
  list: (key) => ["LRANGE", key, "0", "-1"],
  stream: (key) => ["XRANGE", key, "-", "+"],
  set: (key) => ["SMEMBERS", key],
  zset: (key) => ["ZRANGE", key, "0", "-1", "WITHSCORES"],
};

/** Errors as values, as the model has them. */
async function replies(client: Redis, commands: readonly Command[]): Promise<Reply[]> {
  const pipeline = client.pipeline();
  for (const [name, ...args] of commands) pipeline.call(name!, ...args);
  return (await pipeline.exec())!.map(([error, reply]) => error ?? reply as Reply);
}

interface Around {
  readonly queued: readonly Command[];
  /** Entries of the journal after it, the newest first. */
  readonly newest: Reply;
}

function millisecondsOf([seconds, microseconds]: readonly string[]): number {
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}

/** What the server read on its clock while it ran `command`: times, and ids made of times, in order. */
function readingsOf(
  command: Command,
  reply: Reply,
  { queued, newest }: Around,
): (number | string)[] {
  const verb = command[0]!.toUpperCase();
  if (verb === "XADD") return command.includes("*") && typeof reply === "string" ? [reply] : [];
  if (!Array.isArray(reply)) return [];
  if (verb === "TIME") return [millisecondsOf(reply)];
  if (verb === "EXEC") {
    return queued.flatMap((each, at) => readingsOf(each, reply[at]!, { queued: [], newest }));
  }
  const isDone = verb.startsWith("EVAL") && reply[0] === 0 && typeof reply[1] === "number";
  return isDone ? [reply[1], ...idsMadeBy(reply, newest)] : [];
}

/** By commit.lua or settle.lua, whose answers end with the last id before and after. */
function idsMadeBy(reply: readonly Reply[], newest: Reply): string[] {
  const [before, after] = reply.slice(3) as [string, string];
  if (!Array.isArray(newest) || !STREAM_ID.test(after) || before === after) return [];
  const known = (newest as [string, string[]][]).map(([id]) => id);
  return known.filter((id) => isAfter(id, before)).reverse();
}

const STREAM_ID = /^\d+-\d+$/;

function isAfter(id: string, other: string): boolean {
  const [ms, sequence] = id.split("-").map(Number) as [number, number];
  const [otherMs, otherSequence] = other.split("-").map(Number) as [number, number];
  return ms > otherMs || (ms === otherMs && sequence > otherSequence);
}

const TIME_MS = /^1[678]\d{11}$/;

/** Without what is allowed to differ: times, the order of what has none, the shape of trees. */
function comparable(command: Command, reply: Reply): unknown {
  const verb = command[0]!.toUpperCase();
  if (verb === "TIME" && Array.isArray(reply)) return "a time";
  const value = shown(reply);
  if (verb === "PTTL" || verb === "TTL") return roughly(value);
  // What is left of a lease.
  if (verb.startsWith("EVAL") && Array.isArray(value)) return value.map(roughly);
  if (!Array.isArray(value)) return value;
  if (verb === "HGETALL") return pairs(value).toSorted();
  if (verb === "HSCAN") return [value[0], pairs(value[1]).toSorted()];
  if (["SMEMBERS", "KEYS", "HKEYS"].includes(verb)) return value.toSorted();
  if (verb === "XINFO") return pairs(value).filter((pair) => !/radix-tree/.test(`${pair}`));
  return value;
}

function shown(reply: Reply): unknown {
  if (Array.isArray(reply)) return reply.map(shown);
  if (reply instanceof Error) return `error: ${withoutPlace(reply.message)}`;
  if (typeof reply === "number" && TIME_MS.test(`${reply}`)) return "a time";
  return reply;
}

function withoutPlace(message: string): string {
  return message.replace(/ script: [0-9a-f]{40}, on @user_script:\d+\.$/, "").replace(
    /^MISCONF .*$/,
    "MISCONF",
  );
}

/** Times left are compared by the tenth of the time that they began with. */
function roughly(value: unknown): unknown {
  if (typeof value !== "number" || value < LONG_MS / 2000) return value;
  const whole = value > LONG_MS / 2 ? LONG_MS : LONG_MS / 1000;
  return `about ${Math.round(10 * value / whole)} tenths`;
}

function pairs(flat: readonly unknown[]): string[] {
  const texts: string[] = [];
  for (let at = 0; at < flat.length; at += 2) texts.push(JSON.stringify(flat.slice(at, at + 2)));
  return texts;
}
