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
  /** All that both hold, in the same form. */
  dump(): Promise<Omit<Pair, "command">>;
}

export function twoSides(client: Redis): TwoSides {
  let nowMs = 0;
  const model = modelRedis({ nowMs: () => nowMs, fsync: "always", scripts: scriptPorts() });
  const session = model.accept(() => {}, () => {})!;
  const names = { real: namer(), model: namer() };
  const ids: { real: string; model: string }[] = [];

  function noteIds(real: Reply, modelled: Reply): void {
    const isId = (reply: Reply) => typeof reply === "string" && STREAM_ID.test(reply);
    if (isId(real) && isId(modelled)) ids.push({ real: real as string, model: modelled as string });
  }

  return {
    model,
    pick: (draw: Draw) => ids.length === 0 ? null : draw.below(ids.length),
    async run(commands) {
      const of = (side: "real" | "model") => commands.map((each) => filled(each, ids, side));
      const [time, ...real] = await replies(client, [["TIME"], ...of("real")]);
      // Each side has its own clock, but the model's is set by the other's, to the millisecond.
      nowMs = Math.floor(
        Number((time as string[])[0]) * 1000 + Number((time as string[])[1]) / 1000,
      );
      const queued = commands.filter((_, at) => real[at] === "QUEUED");
      const comparable = (command: Command, reply: Reply, nameOf: Namer) =>
        command[0] === "EXEC" && Array.isArray(reply)
          ? reply.map((each, at) => comparableTo(queued[at]!, each, nameOf))
          : comparableTo(command, reply, nameOf);
      return of("model").map((command, at) => {
        const modelled = model.execute(session, command);
        noteIds(real[at]!, modelled);
        return {
          command,
          real: comparable(command, real[at]!, names.real),
          model: comparable(command, modelled, names.model),
        };
      });
    },
    async dump() {
      const pair: { real: unknown[]; model: unknown[] } = { real: [], model: [] };
      const [[keys]] = [await replies(client, [["KEYS", "*"]])] as [[string[]]];
      pair.real.push(keys.toSorted());
      pair.model.push(model.keys().toSorted());
      for (const key of keys.toSorted()) {
        const [type] = await replies(client, [["TYPE", key]]);
        for (const command of [[...READERS[type as string]!(key)], ["PTTL", key]]) {
          const [real] = await replies(client, [command]);
          pair.real.push(comparableTo(command, real!, names.real));
          pair.model.push(comparableTo(command, model.execute(session, command), names.model));
        }
      }
      return pair;
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

function filled(
  command: Command,
  ids: readonly { real: string; model: string }[],
  side: "real" | "model",
): Command {
  return command.map((word) =>
    word.replace(/@id:(\d+)/, (_, place: string) => ids[Number(place)]![side])
  );
}

const STREAM_ID = /^1[67]\d{11}-\d+$|^18\d{11}-\d+$/;
const TIME_MS = /^1[678]\d{11}$/;

type Namer = (id: string) => string;

/** Ids differ by the milliseconds in which they were made; which one they are does not. */
function namer(): Namer {
  const names = new Map<string, string>();
  return (id) => {
    let name = names.get(id);
    if (name === undefined) names.set(id, name = `#${names.size}`);
    return name;
  };
}

/** Without what is allowed to differ: times, ids made of them, the order of what has none, trees. */
function comparableTo(command: Command, reply: Reply, nameOf: Namer): unknown {
  const verb = command[0]!.toUpperCase();
  if (verb === "TIME" && Array.isArray(reply)) return "a time";
  const value = shown(reply, nameOf);
  if (verb === "PTTL" || verb === "TTL") return roughly(value);
  // What is left of a lease.
  if (verb.startsWith("EVAL") && Array.isArray(value)) return value.map(roughly);
  if (!Array.isArray(value)) return value;
  if (verb === "HGETALL") return pairs(value).toSorted();
  if (["SMEMBERS", "KEYS", "HKEYS"].includes(verb)) return value.toSorted();
  if (verb === "XINFO") return pairs(value).filter((pair) => !/radix-tree/.test(`${pair}`));
  return value;
}

function shown(reply: Reply, nameOf: Namer): unknown {
  if (Array.isArray(reply)) return reply.map((each) => shown(each, nameOf));
  if (reply instanceof Error) return `error: ${withoutPlace(reply.message)}`;
  if (typeof reply === "number" && TIME_MS.test(`${reply}`)) return "a time";
  if (typeof reply === "string" && STREAM_ID.test(reply)) return nameOf(reply);
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
