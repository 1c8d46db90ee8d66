/** Durations back from now are counted by Redis' clock, as the times of rows are, whatever clock the reader has. */

import { after, before } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { keysOf } from "../../src/redis/keys.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { sqlBeat } from "../support/sql_beat.ts";

const { describe, it } = needs("redis");

const MINUTE_MS = 60_000;
const SINCE = ["--since", "1h"];

describe("read on a machine whose clock is two hours ahead", () => {
  let redis: RedisServer;
  let cwd: string;
  before(async () => {
    redis = await startRedis();
    cwd = await Deno.makeTempDir({ prefix: "other-clock-" });
    const fields = ["v", "1", "t", "p", "d", "1", "m", "1", "f", "3"];
    const { journal } = keysOf("beat", "");
    for (const [task, agoMs] of [["old", 70 * MINUTE_MS], ["new", 50 * MINUTE_MS]] as const) {
      await redis.client().xadd(journal, `${Date.now() - agoMs}-0`, ...fields, "k", task);
    }
    const ahead = `const now = Date.now; Date.now = () => now() + ${120 * MINUTE_MS};`;
    await Deno.writeTextFile(`${cwd}/ahead.js`, ahead);
  });
  after(async () => {
    await redis.stop();
    await Deno.remove(cwd, { recursive: true });
  });

  async function told(...args: string[]): Promise<string> {
    const env = { CELERY_BROKER_URL: redis.url };
    const { success, out, err } = await sqlBeat(args, { cwd, env, preload: `${cwd}/ahead.js` });
    assert.ok(success, err);
    return out;
  }
  const tasksOf = (lines: string) =>
    lines.trimEnd().split("\n").map((line) => JSON.parse(line).task as string);

  it("beat journal prints the rows of the last hour", async () => {
    assert.deepEqual(tasksOf(await told("journal", "--json", ...SINCE)), ["new"]);
    const until = new Date(Date.now() - 55 * MINUTE_MS).toISOString();
    assert.deepEqual(tasksOf(await told("journal", "--json", "--since", "2h", "--until", until)), [
      "old",
    ]);
  });

  it("beat journal export writes them", async () => {
    assert.deepEqual(tasksOf(await told("journal", "export", ...SINCE)), ["new"]);
  });

  it("beat audit sql asks about them", async () => {
    const out = await told("audit", "sql", "--json", "select task from journal", ...SINCE);
    assert.deepEqual(JSON.parse(out), [{ task: "new" }]);
  });
});
