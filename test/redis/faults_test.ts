/** Bad days of a real Redis: after each, a message stands if and only if its row and cursor do. */

import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { afterEach, beforeEach, it } from "@std/testing/bdd";
import type { RetryKind } from "../../src/errors.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import type { Journal, Lease, Step } from "../../src/ports.ts";
import { connect, untilReady } from "../../src/redis/client.ts";
import { redisJournal } from "../../src/redis/journal.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { redisLease } from "../../src/redis/lease.ts";
import type { Dump } from "../support/dump.ts";
import { redisDump } from "../support/dump.ts";
import { endpointAt } from "../support/endpoint.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer, RedisServerOptions } from "../support/redis_server.ts";
import { freePort, startRedis } from "../support/redis_server.ts";
import { openAt, publishStep, settlementOf, skipStep, T0 } from "../support/steps.ts";

const keys = keysOf("beat", "");
/** Above the time, so that the lease gives it just so. */
const FENCE = 9e15;
const TIMEOUT_MS = 400;
const STEPS: readonly Step[] = [
  publishStep(null, T0),
  publishStep(null, T0, { task: "b", list: "slow" }),
  publishStep(T0, T0 + 1),
];
const COMMITTED = ["committed", "committed", "committed"];

needs("redis").describe("redisJournal() and redisLease()", () => {
  let server: RedisServer;
  /** Sees what Redis holds, past the code under test. */
  let admin: Redis;
  let client: Redis;
  let journal: Journal;
  let lease: Lease;

  async function begin(options: RedisServerOptions = {}): Promise<void> {
    server = await startRedis(options);
    admin = server.client();
    client = connect(endpointAt(server.port), { commandTimeoutMs: TIMEOUT_MS, name: "test" });
    await back();
    journal = redisJournal(client, keys);
    lease = redisLease(client, keys);
    await lease.take({ owner: "me", ttlMs: 60_000, minFence: FENCE - 1, epoch: "epoch" });
  }
  const back = () => untilReady(client, AbortSignal.timeout(10_000));
  const commit = async (steps: readonly Step[] = STEPS) => {
    const reply = await journal.commit(steps, FENCE);
    return reply.kind === "done" ? reply.outcomes.map(({ kind }) => kind) : [reply.kind];
  };
  const dump = () => redisDump(admin, keys);

  beforeEach(() => begin());
  afterEach(async () => {
    client.disconnect();
    await server.stop();
  });

  /** `call` is refused as `retry`, and nothing at all has changed. */
  async function refuses(call: () => Promise<unknown>, retry: RetryKind, message: RegExp) {
    const before = await dumpOrKeys(admin);
    const error = await call().then(() => null, (reason: unknown) => reason);
    assert.ok(error instanceof JournalUnavailableError, `expected a refusal, got ${error}`);
    assert.equal(error.retry, retry);
    assert.match(error.message, message);
    assert.deepEqual(await dumpOrKeys(admin), before);
  }

  it("write nothing when out of memory, keep the lease, and go on afterwards", async () => {
    await commit();
    await admin.config("SET", "maxmemory", "1");
    const more = [publishStep(T0 + 1, T0 + 2), publishStep(null, T0, { task: "c" })];
    await refuses(() => commit(more), "alarm", /OOM.*raise maxmemory/);
    await refuses(() => commit([skipStep(T0 + 1, T0 + 2)]), "alarm", /OOM/);
    const settlement = settlementOf(openAt(T0));
    await refuses(() => journal.settle([settlement], FENCE), "alarm", /OOM/);
    assert.equal(typeof await lease.renew({ owner: "me", fence: FENCE, ttlMs: 60_000 }), "number");
    await lease.release("me");
    const request = { owner: "you", ttlMs: 60_000, minFence: 0, epoch: "" };
    await refuses(() => lease.take(request), "alarm", /OOM/);

    await admin.config("SET", "maxmemory", "0");
    assert.deepEqual(await commit(more), ["committed", "committed"]);
    assertWhole(await dump());
  });

  it("take an expired message out even when out of memory, with its row", async () => {
    await commit();
    await admin.config("SET", "maxmemory", "1");
    const remove = { list: "celery", bytes: `report@${T0}`, reach: 1 };
    const reply = await journal.settle([settlementOf(openAt(T0), { remove })], FENCE);
    assert.deepEqual(reply.kind === "done" && reply.outcomes, ["settled"]);
    const { lists, entries, open } = await dump();
    assert.deepEqual(lists["celery"], [`report@${T0 + 1}`]);
    assert.equal(entries.length, 4);
    assert.ok(!(`report@${T0}` in open));
  });

  it("ask for another connection when the server has become a replica", async () => {
    await commit();
    await admin.replicaof("127.0.0.1", await freePort());
    const closed = new Promise((done) => client.once("close", done));
    await refuses(() => commit([publishStep(T0 + 1, T0 + 2)]), "reconnect", /READONLY/);
    await closed;
    await admin.replicaof("NO", "ONE");
    await back();
    assert.deepEqual(await commit([publishStep(T0 + 1, T0 + 2)]), ["committed"]);
    assertWhole(await dump());
  });

  it("go on after the server has lost its scripts, with calls in flight", async () => {
    await commit([publishStep(null, T0, { task: "first" })]);
    await admin.script("FLUSH");
    const both = await Promise.all([commit(), commit([publishStep(null, T0, { task: "c" })])]);
    assert.deepEqual(both, [COMMITTED, ["committed"]]);
    assertWhole(await dump());
  });

  it("find everything again after a restart", async () => {
    client.disconnect();
    await server.stop();
    await begin({ isPersistent: true });
    await commit();
    await server.kill();
    const gone = await commit().then(() => null, (error: unknown) => error);
    assert.ok(gone instanceof JournalUnavailableError && gone.retry === "backoff");
    await server.restart();
    await back();
    assert.deepEqual(await commit(), ["duplicate", "duplicate", "duplicate"]);
    assert.deepEqual((await journal.load()).open.length, 3);
    assertWhole(await dump());
  });

  it("keep an unknown outcome harmless: the server was paused, and did it afterwards", async () => {
    server.pause();
    const error = await commit().then(() => null, (reason: unknown) => reason);
    assert.ok(error instanceof JournalUnavailableError && error.retry === "backoff");
    assert.match(error.message, /timed out/);
    server.resume();
    await back();
    const outcomes = await commit();
    assert.ok(outcomes.every((each) => each === "committed" || each === "duplicate"));
    assert.deepEqual(await commit(), ["duplicate", "duplicate", "duplicate"]);
    assertWhole(await dump());
  });

  it("tell each of two calls in flight when the connection is cut", async () => {
    server.pause();
    const calls = [commit(), commit([publishStep(null, T0, { task: "c" })])].map((call) =>
      call.then(() => "answered", (error: unknown) => (error as JournalUnavailableError).message)
    );
    client.stream.destroy();
    // At once, and not when the time for an answer is over.
    for (const message of await Promise.all(calls)) assert.match(message, /no connection/);
    server.resume();
    await back();
    await commit();
    assertWhole(await dump());
  });

  for (const key of ["fence", "journal", "cursors", "open"] as const) {
    it(`refuse everything while the key of ${key} is somebody else's`, async () => {
      await admin.del(keys[key]);
      await admin.sadd(keys[key], "somebody else's");
      const message = new RegExp(`\`${keys[key]}\` is a set.*BEAT_NAMESPACE`);
      await refuses(() => commit(), "fatal", message);
      if (key !== "cursors") {
        await refuses(() => journal.settle([settlementOf(openAt(T0))], FENCE), "fatal", message);
      }
      if (key === "fence") return;
      await refuses(() => journal.load(), "fatal", new RegExp(`\`${keys[key]}\` is of another`));
    });
  }

  for (const key of ["lease", "fence", "epoch"] as const) {
    it(`do not lead while the key of ${key} is somebody else's`, async () => {
      await admin.del(keys[key]);
      await admin.sadd(keys[key], "somebody else's");
      const request = { owner: "you", ttlMs: 60_000, minFence: 0, epoch: "" };
      await refuses(() => lease.take(request), "fatal", new RegExp(`\`${keys[key]}\` is a set`));
    });
  }

  it("refuse before the first write when the stream is near its last id", async () => {
    await admin.xadd(keys.journal, "18446744073709551615-18446744073709551614", "x", "y");
    await refuses(() => commit(), "fatal", /beyond any clock/);
    await admin.hset(keys.open, `report@${T0}`, "q 0 1 1 1 1 1 celery");
    await refuses(() => journal.settle([settlementOf(openAt(T0))], FENCE), "fatal", /any clock/);
  });

  it("do not load what something else wrote", async () => {
    await commit();
    await admin.hset(keys.cursors, "report", "tomorrow");
    await refuses(() => journal.load(), "fatal", /field "report" of `beat:cursors` cannot be read/);
    await admin.hset(keys.cursors, "report", `${T0} r`);
    await admin.hset(keys.open, "x", "y");
    await refuses(() => journal.load(), "fatal", /field "x" of `beat:open` cannot be read/);
    await admin.hdel(keys.open, "x");
    await admin.xadd(keys.journal, "*", "user", "42");
    await refuses(
      () => journal.load(),
      "fatal",
      /entry (\d+-\d) of `beat:journal` is no row.* remove that entry \(XDEL beat:journal \1\)/s,
    );
  });

  it("give a lease an end again that somebody took away", async () => {
    assert.ok(await admin.pttl(keys.lease) > 0);
    await admin.persist(keys.lease);
    const held = await lease.take({ owner: "you", ttlMs: 5_000, minFence: 0, epoch: "" });
    assert.ok(held.kind === "held" && held.leftMs === 5_000);
    assert.ok(await admin.pttl(keys.lease) > 0);
  });

  it("never lower a fence that was raised by hand", async () => {
    await admin.set(keys.fence, "9001000000000000");
    const taken = await lease.take({ owner: "me", ttlMs: 5_000, minFence: 0, epoch: "" });
    assert.equal(taken.kind === "taken" && taken.fence, 9_001_000_000_000_001);
  });

  it("refuse to lead where the user may not call what a script needs", async () => {
    const rules = ["on", ">secret", "~*", "+@all"];
    await admin.acl("SETUSER", "clerk", ...rules, "-hset", "-lrem");
    const clerk = connect(
      endpointAt(server.port, { username: "clerk", password: "secret" }),
      { commandTimeoutMs: TIMEOUT_MS, name: "clerk" },
    );
    try {
      await untilReady(clerk, AbortSignal.timeout(10_000));
      const restricted = redisJournal(clerk, keys);
      await refuses(() => restricted.load(), "fatal", /allowed to call HSET LREM/);
      await admin.acl("SETUSER", "clerk", "+hset", "+lrem", "resetkeys", "~beat:*");
      await restricted.load();
      await refuses(() => restricted.commit(STEPS, FENCE), "fatal", /NOPERM.*ACL/);
    } finally {
      clerk.disconnect();
    }
  });
});

async function dumpOrKeys(admin: Redis): Promise<Dump | string> {
  // A key of another type cannot be dumped in the usual shape; then its keys must do.
  return await redisDump(admin, keys).catch(async () => (await admin.keys("*")).sort().join(" "));
}

/** I2: a message stands if and only if its row does, and the cursor is there. */
function assertWhole({ lists, entries, cursors, open }: Dump): void {
  const messages = Object.values(lists).flat().sort();
  const published = entries.map(({ fields }) => fields).filter((fields) => fields[3] === "p");
  const fires = published.map((fields) => `${fields[5]}@${fields[7]}`).sort();
  assert.deepEqual(messages, fires);
  assert.deepEqual(Object.keys(open).sort(), fires);
  for (const fields of published) {
    const [dueMs] = cursors[fields[5]!]!.split(" ");
    assert.ok(Number(dueMs) >= Number(fields[7]));
  }
}
