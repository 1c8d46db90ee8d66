/** Commits that are sent ahead, against a real Redis: carried out whole at a word, or not at all. */

import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { afterEach, beforeEach, it } from "@std/testing/bdd";
import { JournalUnavailableError } from "../../src/errors.ts";
import type { Committed, Journal, Stage, Step } from "../../src/ports.ts";
import { connect, untilReady } from "../../src/redis/client.ts";
import { redisJournal } from "../../src/redis/journal.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { redisStage } from "../../src/redis/stage.ts";
import { redisDump } from "../support/dump.ts";
import { endpointAt } from "../support/endpoint.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { freePort, startRedis } from "../support/redis_server.ts";
import { publishStep, T0 } from "../support/steps.ts";
import { until } from "../support/until.ts";

const keys = keysOf("beat", "");
const FENCE = 7;
const TIMEOUT_MS = 400;
const FIRST: readonly Step[] = [
  publishStep(null, T0),
  publishStep(null, T0, { task: "b", list: "slow" }),
];
const SECOND: readonly Step[] = [publishStep(null, T0, { task: "c" })];
const BOTH = ["committed committed", "committed"];

needs("redis").describe("redisStage()", () => {
  let server: RedisServer;
  /** Sees what Redis holds, past the code under test. */
  let admin: Redis;
  let publishing: Redis;
  let staging: Redis;
  let stage: Stage;
  /** What went past the stage. */
  let plain: (readonly Step[])[];

  beforeEach(async () => {
    server = await startRedis();
    admin = server.client();
    const connected = (name: string) =>
      connect(endpointAt(server.port), { commandTimeoutMs: TIMEOUT_MS, name });
    [publishing, staging] = [connected("publish"), connected("stage")];
    await Promise.all([publishing, staging].map(back));
    await admin.set(keys.fence, FENCE);
    plain = [];
    const inner = redisJournal(publishing, keys);
    const journal: Pick<Journal, "commit"> = {
      commit(steps, fence) {
        plain.push(steps);
        return inner.commit(steps, fence);
      },
    };
    stage = redisStage(staging, keys, { journal });
    // The scripts are known to the server from here on.
    await inner.commit([publishStep(null, T0, { task: "known" })], FENCE);
  });

  afterEach(async () => {
    publishing.disconnect();
    staging.disconnect();
    await server.stop();
  });

  const back = (client: Redis) => untilReady(client, AbortSignal.timeout(10_000));
  const staged = (fence = FENCE) => {
    const staged = stage.stage([FIRST, SECOND], fence);
    assert.ok(staged !== null, "expected it to be staged");
    return staged;
  };
  const said = async (replies: readonly Promise<Committed>[]) =>
    (await Promise.all(replies)).map((reply) =>
      reply.kind === "done" ? reply.outcomes.map(({ kind }) => kind).join(" ") : reply.kind
    );
  const tasksThere = async () =>
    Object.keys((await redisDump(admin, keys)).cursors).filter((task) => task !== "known");
  /** The server has read all that was sent to it. */
  const hasQueued = (count: number) =>
    until(async () => {
      const list = await admin.client("LIST") as string;
      return new RegExp(` name=stage .* multi=${count} `).test(list);
    });

  it("carries out nothing before the word, and all of it then", async () => {
    const ready = staged();
    await hasQueued(2);
    assert.deepEqual(await tasksThere(), []);
    assert.deepEqual(await said(ready.commit()), BOTH);
    const { cursors, lists, open, entries } = await redisDump(admin, keys);
    assert.deepEqual(Object.keys(cursors), ["b", "c", "known", "report"]);
    assert.deepEqual(lists["slow"], [`b@${T0}`]);
    assert.deepEqual(lists["celery"], [`c@${T0}`, `report@${T0}`, `known@${T0}`]);
    assert.equal(Object.keys(open).length, 4);
    assert.equal(entries.length, 4);
    assert.deepEqual(plain, []);
  });

  it("answers as each commit would: what is early, what is double, who is fenced", async () => {
    const later = Date.now() + 3_600_000;
    const early = publishStep(T0, later, { task: "known" });
    const double = publishStep(null, T0, { task: "known" });
    const mixed = stage.stage([[early], [double]], FENCE);
    assert.deepEqual(await said(mixed!.commit()), ["early", "duplicate"]);
    assert.deepEqual(await said(staged(FENCE - 1).commit()), ["fenced", "fenced"]);
    assert.deepEqual(await tasksThere(), []);
    assert.deepEqual(plain, []);
  });

  it("tells the newest row before each and after it", async () => {
    const replies = await Promise.all(staged().commit());
    const ids = replies.map((reply) => reply.kind === "done" ? reply.lastId : null);
    const { entries } = await redisDump(admin, keys);
    assert.deepEqual(ids, [
      { before: entries[0]!.id, after: entries[2]!.id },
      { before: entries[2]!.id, after: entries[3]!.id },
    ]);
  });

  it("is fenced by who came after it was staged", async () => {
    const ready = staged();
    await hasQueued(2);
    await admin.set(keys.fence, FENCE + 1);
    assert.deepEqual(await said(ready.commit()), ["fenced", "fenced"]);
    assert.deepEqual(await tasksThere(), []);
  });

  it("carries out nothing of what is discarded, and stages again", async () => {
    const ready = staged();
    await hasQueued(2);
    ready.discard();
    await back(staging);
    assert.deepEqual(await tasksThere(), []);
    assert.deepEqual(await said(staged().commit()), BOTH);
    assert.deepEqual(plain, []);
  });

  it("lets what was staged before and forgotten go", async () => {
    staged();
    await hasQueued(2);
    assert.equal(stage.stage([SECOND], FENCE), null);
    await back(staging);
    assert.deepEqual(await said(staged().commit()), BOTH);
  });

  it("commits one by one what a lost connection took along", async () => {
    const ready = staged();
    await hasQueued(2);
    const closed = new Promise((done) => staging.once("close", done));
    await admin.client("KILL", "TYPE", "normal", "SKIPME", "yes");
    await closed;
    await Promise.all([publishing, staging].map(back));
    assert.deepEqual(await said(ready.commit()), BOTH);
    assert.deepEqual(plain, [FIRST, SECOND]);
  });

  it("cannot stage without a connection", () => {
    staging.disconnect();
    assert.equal(stage.stage([FIRST], FENCE), null);
  });

  it("commits one by one where the server has lost its scripts meanwhile", async () => {
    const ready = staged();
    await hasQueued(2);
    await admin.script("FLUSH");
    assert.deepEqual(await said(ready.commit()), BOTH);
    assert.deepEqual(plain, [FIRST, SECOND]);
    assert.equal(staging.status, "ready");
  });

  it("writes nothing when out of memory, says so as a commit does, and goes on", async () => {
    for (const isFullBefore of [true, false]) {
      if (isFullBefore) await admin.config("SET", "maxmemory", "1");
      const ready = staged();
      if (!isFullBefore) await hasQueued(2);
      await admin.config("SET", "maxmemory", "1");
      for (const reply of ready.commit()) {
        await assert.rejects(
          reply,
          (error) =>
            error instanceof JournalUnavailableError && error.retry === "alarm" &&
            /OOM.*raise maxmemory/.test(error.message),
        );
      }
      assert.deepEqual(await tasksThere(), []);
      await admin.config("SET", "maxmemory", "0");
      await back(staging);
    }
    assert.deepEqual(await said(staged().commit()), BOTH);
  });

  it("asks for another connection where the server has become a replica", async () => {
    const ready = staged();
    await hasQueued(2);
    await admin.replicaof("127.0.0.1", await freePort());
    const closed = new Promise((done) => staging.once("close", done));
    for (const reply of ready.commit()) {
      await assert.rejects(
        reply,
        (error) => error instanceof JournalUnavailableError && error.retry === "reconnect",
      );
    }
    await closed;
    await admin.replicaof("NO", "ONE");
    await Promise.all([publishing, staging].map(back));
    assert.deepEqual(await said(staged().commit()), BOTH);
  });

  it("does not know what became of it where no answer comes, and sends nothing again", async () => {
    const ready = staged();
    await hasQueued(2);
    server.pause();
    for (const reply of ready.commit()) {
      await assert.rejects(
        reply,
        (error) =>
          error instanceof JournalUnavailableError && error.retry === "backoff" &&
          /timed out/.test(error.message),
      );
    }
    assert.deepEqual(plain, []);
    server.resume();
    await back(staging);
    const outcomes = await said(staged().commit());
    assert.match(
      outcomes.join(" "),
      /^(committed committed committed|duplicate duplicate duplicate)$/,
    );
    assert.deepEqual(await tasksThere(), ["b", "c", "report"]);
  });
});
