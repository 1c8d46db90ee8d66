import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import fc from "fast-check";
import { after, before, it } from "@std/testing/bdd";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { drawsOf } from "./draws.ts";
import type { Draw } from "./draws.ts";
import { commandOf, scriptCallOf } from "./redis_operations.ts";
import { SCRIPT_TEXTS } from "./redis_scripts.ts";
import { shaOf } from "./redis_scripting.ts";
import type { TwoSides } from "./redis_two_sides.ts";
import { twoSides } from "./redis_two_sides.ts";
import type { Command } from "./redis_words.ts";

const RUNS = 220;
const OPERATIONS = { minLength: 1, maxLength: 80, size: "max" } as const;
const OPERATIONS_MIN = 10_000;
/** Longer than what ends soon lasts. */
const SOON_MS = 2;
const WAIT_MS = 4;

type Kind = "command" | "script" | "transaction" | "end" | "trouble" | "forget";

const operation = fc.record({
  kind: fc.oneof(
    { weight: 50, arbitrary: fc.constant<Kind>("command") },
    { weight: 40, arbitrary: fc.constant<Kind>("script") },
    { weight: 4, arbitrary: fc.constant<Kind>("transaction") },
    { weight: 2, arbitrary: fc.constant<Kind>("end") },
    { weight: 3, arbitrary: fc.constant<Kind>("trouble") },
    { weight: 1, arbitrary: fc.constant<Kind>("forget") },
  ),
  seed: fc.nat(),
});

needs("redis").describe("modelRedis()", () => {
  let server: RedisServer;
  let client: Redis;
  before(async () => {
    server = await startRedis();
    client = server.client();
    await failToSave(server, client);
  });
  after(() => server.stop());

  it("names the same one of two mistakes as redis-server", async () => {
    const sides = await freshSides(client);
    await sides.run([["HSET", "b:c", "a", "1"], ["SET", "k1", "1"]]);
    for (const { command, real, model } of await sides.run(TWICE_WRONG)) {
      assert.deepEqual({ command, reply: model }, { command, reply: real });
    }
  });

  it("answers and ends as redis-server does with the same random operations", async () => {
    const seed = crypto.getRandomValues(new Int32Array(1))[0]!;
    const counts = new Map<string, number>();
    let done = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, OPERATIONS), async (operations) => {
        const sides = await freshSides(client);
        for (const { kind, seed } of operations) {
          const draw = drawsOf(seed)("operation");
          for (const { command, real, model } of await RUN[kind](sides, draw, client)) {
            assert.deepEqual({ command, reply: model }, { command, reply: real });
            note(counts, real);
            done++;
          }
        }
        await calm(sides, client);
        for (const { command, real, model } of await sides.dump()) {
          assert.deepEqual({ command, held: model }, { command, held: real });
        }
        checkLog(sides);
      }),
      { seed, numRuns: RUNS },
    );
    console.log(`seed ${seed}: ${done} operations, ${JSON.stringify(Object.fromEntries(counts))}`);
    assert.ok(done >= OPERATIONS_MIN, `expected ${OPERATIONS_MIN} operations, got ${done}`);
    for (const seen of SEEN) {
      const count = counts.get(seen) ?? 0;
      assert.ok(count >= 10, `expected "${seen}" often, got ${count}`);
    }
  });
});

/** Commands with two mistakes: which of them the reply names is the order of the checks. */
const TWICE_WRONG: readonly Command[] = [
  ...["x", "0-0", "5-1", "*", "+"].map((id): Command => ["XADD", "b:j", id, "f", "1", "g"]),
  ...["x", "5-1", "*"].map((id): Command => ["XADD", "b:j", "MAXLEN", "1", id, "f"]),
  ...["x", "*"].map((id): Command => ["XADD", "b:j", "MAXLEN", "=", "2", id]),
  ["XADD", "b:j", "MAXLEN", "=", "2"],
  ["XADD", "b:j", "MAXLEN", "=", "x", "x", "f"],
  ["XADD", "b:j", "MAXLEN", "-1", "x", "f", "1", "g"],
  ["XADD", "b:j", "MAXLEN", "1", "MINID", "1", "x", "f"],
  ["XADD", "b:j", "MINID", "x", "x", "f", "1", "g"],
  ["XADD", "b:j", "NOMKSTREAM", "x", "f", "1", "g"],
  ["XADD", "b:j", "NOMKSTREAM", "NOMKSTREAM", "MAXLEN"],
  ["XADD", "b:j", "NOMKSTREAM", "NOMKSTREAM", "NOMKSTREAM"],
  ["XADD", "b:c", "x", "f", "1", "g"],
  ["XADD", "b:c", "5-1", "f", "1", "g"],
  ["XADD", "b:c", "0-0", "f", "1"],
  ["XTRIM", "b:c", "MAXLEN", "x", "x"],
  ["XTRIM", "b:c", "MAXLEN", "1", "x"],
  ["XTRIM", "b:j", "MAXLEN", "1", "MINID", "1"],
  ["XTRIM", "b:j", "MAXLEN", "="],
  ["XTRIM", "b:j", "x", "MAXLEN"],
  ["XRANGE", "b:c", "x", "x", "COUNT", "x"],
  ["XRANGE", "b:c", "-", "x", "COUNT", "x"],
  ["XRANGE", "b:c", "-", "+", "COUNT", "x"],
  ["XRANGE", "b:j", "-", "+", "COUNT"],
  ["XRANGE", "b:j", "-", "+", "ODD", "x"],
  ["XDEL", "b:c", "x"],
  ["XDEL", "b:j", "5-1", "x"],
  ["SET", "b:c", "1", "PX", "x", "ODD"],
  ["SET", "b:c", "1", "PX", "0", "NX", "XX"],
  ["SET", "b:c", "1", "PX", "0"],
  ["SETEX", "b:c", "0", "1"],
  ["PEXPIRE", "absent", "x"],
  ["INCRBY", "b:c", "x"],
  ["HSET", "k1", "a", "1", "b"],
  ["RPOP", "b:c", "x"],
  ["RPOP", "b:c", "-1"],
  ["LRANGE", "b:c", "x", "y"],
  ["LREM", "b:c", "x", "y"],
  ["LTRIM", "b:c", "x", "y"],
  ["LINDEX", "b:c", "x"],
  ["ZADD", "b:c", "no", "x"],
  ["ZADD", "b:c", "1", "x", "2"],
  ["ZRANGE", "b:c", "x", "y"],
  ["ZRANGEBYSCORE", "b:c", "no", "no"],
  ["ZRANGEBYSCORE", "b:c", "1", "2", "LIMIT", "x", "y"],
];

/** Random operations prove nothing of what they never reach. */
const SEEN = [
  ...["OOM", "READONLY", "MISCONF", "NOSCRIPT", "WRONGTYPE", "EXECABORT", "ERR"],
  ...["c", "d", "g", "e", "r", "w", "s"].map((letter) => `answer ${letter}`),
];

function note(counts: Map<string, number>, reply: unknown): void {
  const add = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1);
  if (typeof reply === "string") {
    const code = /^error: (\w+)/.exec(reply)?.[1];
    if (code !== undefined) add(code);
  } else if (Array.isArray(reply) && reply.length === 5 && typeof reply[2] === "string") {
    for (const letter of reply[2]) if (/[cdgerws]/.test(letter)) add(`answer ${letter}`);
  }
}

async function freshSides(client: Redis): Promise<TwoSides> {
  const sides = twoSides(client);
  await calm(sides, client);
  await sides.run([["FLUSHALL"], ["SCRIPT", "FLUSH"], ["SET", "b:f", "7"]]);
  return sides;
}

type Run = (sides: TwoSides, draw: Draw, client: Redis) => ReturnType<TwoSides["run"]>;

const RUN: Readonly<Record<Kind, Run>> = {
  command: (sides, draw) => sides.run([commandOf(draw, sides)]),
  async script(sides, draw) {
    const { script, keys, argv } = scriptCallOf(draw, sides.model);
    const text = SCRIPT_TEXTS[script];
    const rest = [`${keys.length}`, ...keys, ...argv];
    const pairs = await sides.run([["EVALSHA", shaOf(text), ...rest]]);
    const isUnknown = `${pairs[0]!.real}`.startsWith("error: NOSCRIPT");
    return isUnknown ? [...pairs, ...await sides.run([["EVAL", text, ...rest]])] : pairs;
  },
  transaction(sides, draw) {
    const commands: Command[] = [["MULTI"]];
    for (let left = draw.between(0, 4); left > 0; left--) commands.push(commandOf(draw, sides));
    return sides.run([...commands, draw.chance(0.9) ? ["EXEC"] : ["DISCARD"]]);
  },
  async end(sides, draw) {
    const key = draw.pick(["b:f", "b:l", "b:j", "q1", "k1"]);
    const pairs = await sides.run([
      draw.chance(0.5) ? ["PEXPIRE", key, `${SOON_MS}`] : ["SET", key, "soon", "PX", `${SOON_MS}`],
    ]);
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    return [...pairs, ...await sides.run([["TYPE", key], ["PTTL", key]])];
  },
  async trouble(sides, draw, client) {
    const trouble = draw.pick(Object.keys(TROUBLES));
    await calm(sides, client);
    await TROUBLES[trouble]!(sides, client);
    const pairs = [];
    for (let left = draw.between(3, 9); left > 0; left--) {
      pairs.push(
        ...await RUN[draw.pick<Kind>(["command", "script", "transaction"])](sides, draw, client),
      );
    }
    if (draw.chance(0.8)) await calm(sides, client);
    return pairs;
  },
  forget: (sides) => sides.run([["SCRIPT", "FLUSH"]]),
};

const TROUBLES: Readonly<Record<string, (sides: TwoSides, client: Redis) => Promise<void>>> = {
  async memory({ model }, client) {
    await client.config("SET", "maxmemory", "1");
    model.conditions.isOutOfMemory = true;
  },
  async disk({ model }, client) {
    await client.config("SET", "stop-writes-on-bgsave-error", "yes");
    model.conditions.isDiskFull = true;
  },
  /** Of a master that nobody ever saw, so that it keeps what it has. */
  async replica({ model }, client) {
    await client.call("REPLICAOF", "127.0.0.1", "1");
    model.follow(model);
  },
};

async function calm({ model }: TwoSides, client: Redis): Promise<void> {
  await client.config("SET", "maxmemory", "0");
  await client.config("SET", "stop-writes-on-bgsave-error", "no");
  if (model.isReplica) model.follow(null);
  await client.call("REPLICAOF", "NO", "ONE");
  Object.assign(model.conditions, { isOutOfMemory: false, isDiskFull: false });
}

/** Leaves the server with a save that failed: whether that stops writes is a setting. */
async function failToSave(server: RedisServer, client: Redis): Promise<void> {
  await Deno.mkdir(`${server.dir}/dump.rdb`);
  await client.config("SET", "stop-writes-on-bgsave-error", "no");
  await client.config("SET", "save", "1000000 1");
  await client.call("BGSAVE");
  await until(async () => (await client.info("persistence")).includes("last_bgsave_status:err"));
}

/** What was written down gives what is there, but for what has expired without anybody looking. */
function checkLog({ model }: TwoSides): void {
  const isThere = ([key]: [string, unknown]) => model.peek(key) !== undefined;
  const now = new Map([...model.data].filter(isThere));
  const replayed = new Map([...model.log.cutTo(model.log.offset)].filter(isThere));
  assert.deepEqual(replayed, now);
}
