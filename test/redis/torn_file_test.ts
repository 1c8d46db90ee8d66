/**
 * What Redis makes of an append-only file that was torn inside a step, which README, *Limits* tells: half
 * of the step may come back at the second start, unless the file was written anew after the first.
 */

import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { appendOnlyFile, writeFileAnew } from "../chaos/servers.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";

/** As long as its end: EXEC and a part of what is before it. Bytes. */
const TORN_BYTES = 40;
const { describe, it } = needs("redis");

describe("an append-only file that was torn inside a step", () => {
  it("gives none of it back, however often Redis starts, once it was written anew", async () => {
    const server = await startRedis({ isPersistent: true });
    try {
      const client = server.client();
      await tear(server, client);
      assert.deepEqual(await held(client), [[], []]);
      await writeFileAnew(client);
      await step(client, "second");
      await server.kill();
      await server.restart();
      assert.deepEqual(await held(client), [["second"], ["second"]]);
    } finally {
      await server.stop();
    }
  });

  it("may give half of it back at the second start where it was not", async () => {
    const server = await startRedis({ isPersistent: true });
    try {
      const client = server.client();
      await tear(server, client);
      await step(client, "second");
      await server.kill();
      await server.restart();
      const [list, hash] = await held(client);
      // Not asserted: a version of Redis that mends it is welcome.
      const isBack = list!.includes("first");
      console.log(`the torn step ${isBack ? "came back, without its last write" : "stayed away"}`);
      assert.ok(list!.includes("second"));
      assert.deepEqual(hash, ["second"]);
    } finally {
      await server.stop();
    }
  });
});

/** A message, then a cursor, as Beat writes them. */
function step(client: Redis, name: string): Promise<unknown> {
  const text = "redis.call('LPUSH', 'q', ARGV[1]) redis.call('HSET', 'c', 't', ARGV[1])";
  return client.eval(text, 0, name);
}

async function held(client: Redis): Promise<string[][]> {
  return [await client.lrange("q", 0, -1), await client.hvals("c")];
}

async function tear(server: RedisServer, client: Redis): Promise<void> {
  await step(client, "first");
  await server.kill();
  const path = await appendOnlyFile(server);
  const { size } = await Deno.stat(path);
  await Deno.truncate(path, size - TORN_BYTES);
  await server.restart();
}
