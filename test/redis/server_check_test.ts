import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { risksOf, serverRisks } from "../../src/redis/server_check.ts";
import { needs } from "../support/needs.ts";
import { startRedis } from "../support/redis_server.ts";

const SAFE = { maxmemory_policy: "noeviction", aof_enabled: "1", redis_version: "7.0.15" };

describe("risksOf()", () => {
  const cases: readonly [Partial<typeof SAFE>, string | null, RegExp | null][] = [
    [{}, "", null],
    [
      { maxmemory_policy: "allkeys-lru" },
      "",
      /evicts.*allkeys-lru.*Set maxmemory-policy noeviction/,
    ],
    [{ aof_enabled: "0" }, "", /keeps nothing on disk.*appendonly yes/],
    [{ aof_enabled: "0" }, "3600 1", /no append-only file.*last snapshot.*appendonly yes/],
    [{ aof_enabled: "0" }, null, /no append-only file/],
    [{ redis_version: "6.2.0" }, "", null],
    [{ redis_version: "6.0.16" }, "", /expected Redis 6\.2 or newer, got 6\.0\.16/],
    [{ redis_version: "3.2.0" }, "", /expected Redis 6\.2 or newer, got 3\.2\.0/],
  ];
  for (const [own, save, expected] of cases) {
    it(`says ${expected ?? "nothing"} for ${JSON.stringify(own)} and save ${save}`, () => {
      const risks = risksOf(new Map(Object.entries({ ...SAFE, ...own })), save);
      if (expected === null) assert.deepEqual(risks, []);
      else assert.match(risks.join("\n"), expected);
    });
  }
});

needs("redis").describe("serverRisks()", () => {
  it("reads them from a real server, and follows its settings", async () => {
    const redis = await startRedis({ isPersistent: true });
    try {
      const client = redis.client();
      assert.deepEqual(await serverRisks(client), []);
      await client.config("SET", "maxmemory-policy", "volatile-ttl");
      await client.config("SET", "appendonly", "no");
      await client.config("SET", "save", "");
      const risks = await serverRisks(client);
      assert.equal(risks.length, 2);
      assert.match(risks.join("\n"), /volatile-ttl[^]*nothing on disk/);
    } finally {
      await redis.stop();
    }
  });
});
