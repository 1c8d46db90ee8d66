/** What a new leader reads of a real Redis where much is open. */

import type { ChainableCommander, Redis } from "ioredis";
import assert from "node:assert/strict";
import { after, before, it } from "@std/testing/bdd";
import { JournalUnavailableError } from "../../src/errors.ts";
import { encodeOpen, openKey } from "../../src/open_fire.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { loadAll } from "../../src/redis/load.ts";
import { anOpenFire, T0 } from "../support/build.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";

const COUNT = 9_000;

needs("redis").describe("loadAll() of more open fires than one page has", () => {
  const keys = keysOf("beat-test", "");
  let server: RedisServer;
  let client: Redis;
  before(async () => {
    server = await startRedis();
    client = server.client();
    const fires = Array.from(
      { length: COUNT },
      (_, at) => anOpenFire({ dueMs: T0 + at, publishedMs: T0 + at }),
    );
    await client.hset(
      keys.open,
      Object.fromEntries(fires.map((each) => [openKey(each), encodeOpen(each)])),
    );
  });
  after(() => server.stop());

  it("reads each once, in pieces", async () => {
    await client.config("RESETSTAT");
    const { open } = await loadAll(client, keys, "paged");
    assert.deepEqual(
      open.map(({ dueMs }) => dueMs - T0).sort((one, other) => one - other),
      Array.from({ length: COUNT }, (_, at) => at),
    );
    const calls = /cmdstat_hscan:calls=(\d+)/.exec(await client.info("commandstats"));
    assert.ok(Number(calls?.[1]) >= 3, "no answer is of all of them");
  });

  it("does not put pages of two connections together: the second may be to another server", async () => {
    const begin = client.multi.bind(client) as () => ChainableCommander;
    let pages = 0;
    client.multi = (() => {
      const multi = begin();
      const exec = multi.exec.bind(multi);
      multi.exec = async () => {
        const replies = await exec();
        if (++pages === 2) {
          client.disconnect(true);
          await new Promise((resolve) => client.once("ready", resolve));
        }
        return replies;
      };
      return multi;
    }) as typeof client.multi;
    await assert.rejects(
      loadAll(client, keys, "paged"),
      (error) => error instanceof JournalUnavailableError && error.retry === "backoff",
    );
    assert.equal(client.listenerCount("close"), 0);
  });
});
