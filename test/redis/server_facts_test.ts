import { after, before } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { PIDBOX_BINDING } from "../../src/celery/pidbox.ts";
import { connect, untilReady } from "../../src/redis/client.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { readEpoch } from "../../src/redis/read.ts";
import { serverFacts, unackedOf, workerPrefixes } from "../../src/redis/server_facts.ts";
import { endpointAt } from "../support/endpoint.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";

const { describe, it } = needs("redis");

describe("what a server tells of itself", () => {
  let redis: RedisServer;
  let client: ReturnType<typeof connect>;
  before(async () => {
    redis = await startRedis();
    client = connect(endpointAt(redis.port), { name: "test", commandTimeoutMs: 5_000 });
    await untilReady(client, AbortSignal.timeout(10_000));
  });
  after(async () => {
    client.disconnect();
    await redis.stop();
  });

  it("is its settings, its clock and the size of the journal", async () => {
    const keys = keysOf("beat", "");
    const empty = await serverFacts(client, keys);
    assert.deepEqual(empty.journal, { rows: 0, bytes: null, firstMs: null, lastMs: null });
    await client.xadd(keys.journal, "1000-0", "v", "1");
    await client.xadd(keys.journal, "9000-0", "v", "1");
    const { info, savePoints, clock, journal } = await serverFacts(client, keys);
    assert.equal(info?.get("maxmemory_policy"), "noeviction");
    assert.equal(savePoints, "");
    // One machine: its clock is the server's.
    assert.ok(Math.abs(clock.differenceMs) <= clock.errorMs + 50, JSON.stringify(clock));
    assert.deepEqual([journal.rows, journal.firstMs, journal.lastMs], [2, 1_000, 9_000]);
    assert.ok(journal.bytes! > 0);
  });

  it("is the history's name as leaders know it, whatever a later build asks of them", async () => {
    const keys = keysOf("beat", "");
    assert.equal(await readEpoch(client, keys), null);
    for (const stored of ["an-id.0", "an-id.0 v2"]) {
      await client.set(keys.epoch, stored);
      assert.equal(await readEpoch(client, keys), "an-id.0");
    }
  });

  it("is what workers hold, and since when", async () => {
    assert.deepEqual(await unackedOf(client, "unacked_index"), { count: 0, oldestMs: null });
    await client.zadd("unacked_index", 12.5, "one", 99, "two");
    assert.deepEqual(await unackedOf(client, "unacked_index"), { count: 2, oldestMs: 12_500 });
  });

  it("is the prefixes that workers use: the expected one, else all others", async () => {
    assert.deepEqual(await workerPrefixes(client, "p:"), []);
    await client.sadd(`shop:${PIDBOX_BINDING}`, "x");
    await client.sadd(PIDBOX_BINDING, "x");
    assert.deepEqual(await workerPrefixes(client, "p:"), ["", "shop:"]);
    assert.deepEqual(await workerPrefixes(client, "shop:"), ["shop:"]);
    assert.deepEqual(await workerPrefixes(client, ""), [""]);
  });
});
