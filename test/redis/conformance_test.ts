/** The journal and the lease over a real Redis, held to the suites that memory passes as well. */

import type { Redis } from "ioredis";
import { after, before } from "@std/testing/bdd";
import { describeJournal } from "../conformance/journal.ts";
import { describeLease } from "../conformance/lease.ts";
import { describeTrim } from "../conformance/trim.ts";
import { describeRequests } from "../conformance/requests.ts";
import { redisJournal } from "../../src/redis/journal.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { redisLease } from "../../src/redis/lease.ts";
import { redisRequests } from "../../src/redis/requests.ts";
import { redisDump } from "../support/dump.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";

needs("redis").describe("redis", () => {
  let server: RedisServer;
  let client: Redis;
  before(async () => {
    server = await startRedis();
    client = server.client();
  });
  after(() => server.stop());

  async function rigOf() {
    await client.flushall();
    const keys = keysOf("beat-test", "prefix.");
    return {
      journal: redisJournal(client, keys),
      lease: redisLease(client, keys),
      dump: () => redisDump(client, keys),
      pop: (list: string) => client.rpop(keys.list(list)),
      spoilList: async (list: string) => void await client.set(keys.list(list), "a string"),
      appendForeign: async () => void await client.xadd(keys.journal, "*", "hello", "world"),
      expire: async () => void await client.pexpire(keys.lease, 0),
      moveEnd: async (byMs: number) =>
        void await client.pexpire(keys.lease, await client.pttl(keys.lease) + byMs),
      setEpoch: async (text: string) => void await client.set(keys.epoch, text),
      flush: async () => void await client.flushall(),
      stop: () => Promise.resolve(),
    };
  }

  describeJournal("redisJournal()", rigOf);
  describeTrim("redisJournal()", rigOf);
  describeLease("redisLease()", rigOf);
  describeRequests("redisRequests()", async () => {
    await client.flushall();
    return redisRequests(client, keysOf("beat-test", "prefix."));
  });
});
