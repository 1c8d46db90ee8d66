import { after, before, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";
import { termStart } from "../../src/commands/term_start.ts";
import type { Row } from "../../src/event.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { appendRow } from "../../src/memory/store.ts";
import { redisJournal } from "../../src/redis/journal.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { redisLease } from "../../src/redis/lease.ts";
import { connect, untilReady } from "../../src/redis/client.ts";
import { beat } from "../support/beat.ts";
import { aRow, aStep, T0 } from "../support/build.ts";
import { endpointAt } from "../support/endpoint.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";

const KEYS = keysOf("beat", "");
const STARTED: Row = {
  type: "term.started",
  task: "",
  dueMs: null,
  decidedMs: T0,
  detail: { owner: "host:1:a", epoch: "e", build: "1.2.3" },
};

const redisThere = needs("redis");

redisThere.describe("beat leader", () => {
  let redis: RedisServer;
  let cwd: string;
  const endings: (() => unknown)[] = [];
  before(async () => {
    redis = await startRedis();
    cwd = await Deno.makeTempDir({ prefix: "leader-test-" });
  });
  after(async () => {
    for (const end of endings) end();
    await redis.stop();
    await Deno.remove(cwd, { recursive: true });
  });
  const look = (...args: string[]) =>
    beat(["leader", ...args], { cwd, env: { CELERY_BROKER_URL: redis.url } });

  /** The connection of a replica's lease. */
  async function replica(): Promise<ReturnType<typeof connect>> {
    const client = connect(endpointAt(redis.port), { name: KEYS.lease, commandTimeoutMs: 2_000 });
    endings.push(() => client.disconnect());
    await untilReady(client, AbortSignal.timeout(10_000));
    return client;
  }

  redisThere.it("ends with 4 where nobody leads", async () => {
    const { code, out, err } = await look();
    assert.equal(code, 4);
    assert.equal(out, `standbys  0\nnamespace beat\nbroker    ${redis.url}\n`);
    assert.match(err, /^nobody leads.*\nno Beat has ever led in this namespace/);
    const { code: same, out: json } = await look("--json");
    assert.equal(same, 4);
    assert.deepEqual(JSON.parse(json), {
      ...{ owner: null, fence: null, since: null, build: null },
      ...{ lease_left_ms: null, standbys: 0, last: null, namespace: "beat", broker: redis.url },
    });
  });

  redisThere.it("says who leads, since when, with which fence, and who stands by", async () => {
    const leading = await replica();
    await replica();
    await replica();
    const request = { owner: "host:1:a", ttlMs: 60_000, minFence: 6, epoch: "e" };
    const taken = await redisLease(leading, KEYS).take(request);
    assert.ok(taken.kind === "taken");
    const untold = JSON.parse((await look("--json")).out);
    assert.deepEqual([untold.owner, untold.since], ["host:1:a", null]);

    const step = aStep({
      task: "@term",
      row: STARTED,
      publish: null,
      next: `${taken.fence} started0`,
    });
    await redisJournal(leading, KEYS).commit([step], taken.fence);
    const { code, out, err } = await look();
    assert.equal(code, 0, err);
    assert.match(out, /^leader {4}host:1:a\nfence {5}\d+\nsince {5}20\S+Z \(\S+ \S+\)\nbuild/);
    assert.match(out, /\nlease {5}\S+ s left\nstandbys {2}2\nnamespace beat\nbroker/);
    const told = JSON.parse((await look("--json")).out);
    assert.ok(Math.abs(Date.parse(told.since) - taken.serverMs) < 5_000);
    assert.deepEqual([told.fence, told.build, told.standbys], [taken.fence, "1.2.3", 2]);
    assert.ok(told.lease_left_ms > 30_000 && told.lease_left_ms <= 60_000);
  });

  redisThere.it("counts nobody where the user may not look at connections", async () => {
    const admin = redis.client();
    await admin.acl("SETUSER", "looker", "on", ">pass", "~beat:*", "+@all", "-client|list");
    const url = `redis://looker:pass@127.0.0.1:${redis.port}/0`;
    const { code, out, err } = await look("--json", "--broker", url);
    assert.equal(code, 0, err);
    assert.equal(JSON.parse(out).standbys, null);
  });

  redisThere.it("says who led last, where that one is gone", async () => {
    const client = redis.client();
    const { owner, fence } = JSON.parse((await look("--json")).out);
    await redisLease(client, KEYS).release(owner);
    const { code, out } = await look();
    assert.equal(code, 4);
    assert.match(out, /^led last {2}host:1:a\nfence {5}\d+\nlast sign 20\S+Z \(.* ago\)\nst/);
    const told = JSON.parse((await look("--json")).out);
    assert.deepEqual([told.owner, told.last.owner, told.last.fence], [null, owner, fence]);
  });
});

describe("termStart()", () => {
  it("finds the first row of a term, whatever the journal looks like", async () => {
    const term = fc.record({
      rows: fc.nat(5),
      gapMs: fc.nat(2_000_000),
      paceMs: fc.nat(3),
      isTold: fc.boolean(),
    });
    await fc.assert(fc.asyncProperty(fc.array(term, { maxLength: 6 }), async (terms) => {
      const journal = memoryJournal({ serverMs: () => T0 });
      let nowMs = T0;
      const starts: (number | null)[] = [];
      for (const [index, { rows, gapMs, paceMs, isTold }] of terms.entries()) {
        nowMs += gapMs;
        starts.push(isTold ? nowMs : null);
        const told: Row[] = isTold ? [STARTED] : [];
        for (const row of [...told, ...Array.from({ length: rows }, () => aRow())]) {
          appendRow(journal.store, nowMs, row, 2 * index + 1);
          nowMs += paceMs;
        }
      }
      for (const [index, startMs] of starts.entries()) {
        const found = await termStart(journal, 2 * index + 1);
        assert.equal(found?.atMs ?? null, startMs);
        assert.equal(await termStart(journal, 2 * index + 2), null);
      }
    }));
  });
});
