/** What levels follow, read from a real Redis: who consumes a queue, and the text of a key. */

import { after, before } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { gaugesOver } from "../../src/commands/gauges.ts";
import { BeatError } from "../../src/errors.ts";
import { redisGauges } from "../../src/redis/gauges.ts";
import { endpointAt } from "../support/endpoint.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const { describe, it } = needs("redis");
const NEVER = new AbortController().signal;

describe("redisGauges()", () => {
  let redis: RedisServer;
  let gauges: ReturnType<typeof redisGauges>;
  before(async () => {
    redis = await startRedis();
    gauges = redisGauges({
      broker: endpointAt(redis.port),
      transport: { globalKeyPrefix: "", sep: "\x06\x16" } as never,
      commandTimeoutMs: 5_000,
    });
    await until(async () => await gauges.text("none") === null);
  });
  after(async () => {
    gauges.close();
    await redis.stop();
  });

  it("counts nobody where nobody answers", async () => {
    const counts = await gauges.consumers(["maintenance", "other"]);
    assert.deepEqual([...counts!], [["maintenance", 0], ["other", 0]]);
  });

  it("reads a share from a key, and says what else stands there", async () => {
    const client = redis.client();
    const share = () => gaugesOver(gauges).share({ kind: "redis", key: "api:errors" }, NEVER);
    await assert.rejects(share(), /expected the key api:errors to be there/);
    await client.set("api:errors", "0.25");
    assert.deepEqual(await share(), { share: 0.25, atMs: null });
    await client.set("api:errors", "25 %");
    await assert.rejects(share(), /expected `api:errors` to be the share.*got "25 %"$/);
    await client.del("api:errors");
    await client.lpush("api:errors", "0.25");
    await assert.rejects(share(), (error) => error instanceof BeatError);
  });
});
