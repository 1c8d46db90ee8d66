/** What Celery really leaves in Redis, put into a real one and read back. */

import { after, before, beforeEach, it } from "@std/testing/bdd";
import type { Redis } from "ioredis";
import assert from "node:assert/strict";
import { JournalUnavailableError } from "../../src/errors.ts";
import type { Hint } from "../../src/sensors.ts";
import type { RedisSensors } from "../../src/redis/sensors.ts";
import { sampleLimits } from "../../src/redis/sample_limits.ts";
import { redisSensors, sensorsOver } from "../../src/redis/sensors.ts";
import type { Transport } from "../../src/settings.ts";
import { endpointAt } from "../support/endpoint.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

// deno-lint-ignore no-explicit-any -- Recorded documents of several shapes.
const fixture = async (name: string): Promise<any> =>
  JSON.parse(
    await Deno.readTextFile(new URL(`../fixtures/celery/${name}.json`, import.meta.url)),
  );

const TRANSPORT: Transport = {
  globalKeyPrefix: "pfx:",
  sep: "\x06\x16",
  prioritySteps: [0, 3, 6, 9],
  visibilityTimeoutMs: 3_600_000,
  unackedKey: "unacked",
  unackedIndexKey: "unacked_index",
  resultKeyPrefix: "",
};

needs("redis").describe("redisSensors()", () => {
  let server: RedisServer;
  let client: Redis;
  let sensors: RedisSensors;

  before(async () => {
    server = await startRedis();
    client = server.client();
    sensors = redisSensors({
      broker: endpointAt(server.port),
      backend: endpointAt(server.port, { database: 1 }),
      transport: TRANSPORT,
      commandTimeoutMs: 1_000,
      onRefused() {},
    });
    await until(() => sensors.reservations([]).then(() => sensors.results(["x"])).then(() => true));
  });
  after(async () => {
    sensors.close();
    await server.stop();
  });
  beforeEach(async () => void await client.flushall());

  it("reads the old end of lists first, under the global prefix", async () => {
    const { raw, sent } = await fixture("redelivered-message");
    await client.lpush("pfx:q", ...Array.from({ length: 5 }, (_, index) => `newer ${index}`));
    await client.rpush("pfx:q", sent, raw);
    const [sample, empty] = await sensors.sampleQueues(["q", "none"], 3);
    assert.equal(sample!.depth, 7);
    const [first, second, third] = sample!.oldest;
    assert.deepEqual([first!.bytes, first!.isRedelivered], [raw, true]);
    assert.deepEqual([second!.bytes, second!.isRedelivered], [sent, false]);
    assert.equal(first!.taskId, second!.taskId);
    assert.deepEqual([third!.taskId, third!.bytes], ["", "newer 0"]);
    assert.deepEqual(empty, { depth: 0, oldest: [] });
  });

  it("reads a few messages at once where they are long, and all of them where they are not", async () => {
    const fill = async (length: number) => {
      await client.del("pfx:q");
      await client.lpush("pfx:q", ...Array.from({ length: 120 }, () => "x".repeat(length)));
    };
    const seen = async () => (await sensors.sampleQueues(["q"], 100))[0]!.oldest.length;
    await fill(200_000);
    await seen();
    assert.deepEqual([await seen(), await seen()], [5, 5]);
    await fill(1_000);
    await seen();
    assert.deepEqual([await seen(), await seen()], [50, 100]);
  });

  it("reads some lists at a time, so that nothing waits for all of them", async () => {
    const moments: number[] = [];
    const counting = {
      ...client,
      multi() {
        moments.push(0);
        const moment = client.multi();
        const { llen } = moment;
        moment.llen = ((key: string) => {
          moments[moments.length - 1]!++;
          return llen.call(moment, key);
        }) as typeof llen;
        return moment;
      },
    } as unknown as Redis;
    const over = sensorsOver({ queues: counting, results: null }, TRANSPORT);
    const lists = Array.from({ length: 23 }, (_, index) => `q${index}`);
    await client.lpush("pfx:q22", "last");
    const samples = await over.sampleQueues(lists, 3);
    assert.deepEqual(moments, [10, 10, 3]);
    assert.deepEqual(
      samples.map(({ depth }) => depth),
      lists.map((list) => list === "q22" ? 1 : 0),
    );
  });

  it("believes no server that knows only an older fence, and connects anew", async () => {
    const queues = server.client();
    const over = sensorsOver({ queues, results: null }, TRANSPORT, { fenceKey: "beat:fence" });
    await client.set("beat:fence", "5");
    assert.equal((await over.sampleQueues(["q"], 3, 5)).length, 1);
    const isClosed = new Promise((resolve) => queues.once("close", resolve));
    await assert.rejects(over.sampleQueues(["q"], 3, 6), /leads no more/);
    await isClosed;
    await client.set("beat:fence", "7");
    await until(() => queues.status === "ready");
    assert.equal((await over.sampleQueues(["q"], 3, 6)).length, 1);
    assert.equal((await over.sampleQueues(["q"], 3)).length, 1);
  });

  it("reads ever fewer where the answer does not get through", async () => {
    const limits = { lists: sampleLimits(), results: sampleLimits() };
    const failing = {
      ...client,
      multi: () => client.multi().call("NOSUCH"),
      mget: () => client.call("NOSUCH"),
    } as unknown as Redis;
    const over = sensorsOver({ queues: failing, results: failing }, TRANSPORT, { limits });
    await assert.rejects(over.sampleQueues(["q"], 100), JournalUnavailableError);
    assert.equal(limits.lists.of("q", 100), 2);
    await assert.rejects(over.results(["x", "y", "z", "u"]), JournalUnavailableError);
    assert.equal(limits.results.of("results", 200), 1);
  });

  it("reads a few results at once where they are long, and many where they are not", async () => {
    const asked: number[] = [];
    const counting = {
      ...client,
      mget: (...keys: string[]) => {
        asked.push(keys.length);
        return client.mget(...keys);
      },
    } as unknown as Redis;
    const limits = { lists: sampleLimits(), results: sampleLimits() };
    const over = sensorsOver({ queues: client, results: counting }, TRANSPORT, { limits });
    const long = JSON.stringify({ status: "SUCCESS", result: "x".repeat(400_000) });
    const ids = Array.from({ length: 12 }, (_, index) => `long${index}`);
    for (const id of ids) await client.set(`celery-task-meta-${id}`, long);
    const read = await over.results(ids);
    assert.deepEqual(read.map((result) => result?.status), ids.map(() => "SUCCESS"));
    await over.results(ids);
    assert.deepEqual(asked, [10, 2, 2, 2, 2, 2, 2, 2]);
    asked.length = 0;
    await over.results(Array.from({ length: 500 }, (_, index) => `none${index}`));
    assert.deepEqual(asked, [2, 20, 200, 200, 78]);
  });

  it("reads the ends of a result that does not get through, and all others whole", async () => {
    let mayBeLong = 0;
    const stuck = {
      ...client,
      pipeline: () => client.pipeline(),
      disconnect() {},
      mget: async (...keys: string[]) => {
        const texts = await client.mget(...keys);
        if (texts.every((text) => (text?.length ?? 0) < 1_000_000)) return texts;
        mayBeLong++;
        throw new Error("Command timed out");
      },
    } as unknown as Redis;
    const limits = { lists: sampleLimits(), results: sampleLimits() };
    const over = sensorsOver({ queues: client, results: stuck }, TRANSPORT, { limits });
    const documentOf = (result: string) =>
      JSON.stringify({ status: "SUCCESS", result, date_done: "2026-11-24T18:55:26.991122" });
    const ids = ["short", "absent", "long", "other"];
    await client.set("celery-task-meta-short", documentOf("x"));
    await client.set("celery-task-meta-long", documentOf("x".repeat(2_000_000)));
    await client.lpush("celery-task-meta-other", "no result");
    await assert.rejects(over.results(ids), JournalUnavailableError);
    for (let look = 0; look < 3; look++) {
      const read = await over.results(ids);
      assert.deepEqual(read.map((each) => each?.status), [
        "SUCCESS",
        undefined,
        "SUCCESS",
        undefined,
      ]);
      assert.equal(read[2]!.doneMs, Date.parse("2026-11-24T18:55:26.991Z"));
    }
    assert.equal(mayBeLong, 1);
    await client.del("celery-task-meta-long", "celery-task-meta-other");
  });

  it("takes a key of another type for an empty list", async () => {
    await client.set("pfx:q", "a string");
    assert.deepEqual(await sensors.sampleQueues(["q"], 3), [{ depth: 0, oldest: [] }]);
  });

  it("tells a first reservation from one after a return", async () => {
    const { entries } = await fixture("unacked-entry");
    const { raw } = await fixture("redelivered-message");
    for (const { field, value_raw } of entries) await client.hset("pfx:unacked", field, value_raw);
    await client.hset("pfx:unacked", "again", `[${raw}, "", "q_a"]`);
    const escaped = JSON.stringify({ headers: { argsrepr: '{"redelivered": true}' } });
    await client.hset("pfx:unacked", "liar", `[${escaped}, "", "q"]`);
    const tags = [entries[0].field, "nobody's", "again", "liar"];
    const expected = ["first", "none", "again", "first"];
    assert.deepEqual(await sensors.reservations(tags), expected);
    const many = Array.from({ length: 150 }, () => tags).flat();
    assert.deepEqual((await sensors.reservations(many)).slice(-4), expected);
  });

  it("reads results from the backend's database, in order and in any number", async () => {
    const { results } = await fixture("result-backend-metas");
    const backend = server.client();
    await backend.select(1);
    const ids: string[] = [];
    for (const [name, { value }] of Object.entries<{ value: unknown }>(results)) {
      ids.push(name);
      await backend.set(`celery-task-meta-${name}`, JSON.stringify(value));
    }
    const many = [...Array.from({ length: 450 }, (_, index) => `none ${index}`), ...ids];
    const read = await sensors.results(many);
    assert.equal(read.length, many.length);
    assert.equal(read.slice(0, 450).every((result) => result === null), true);
    const byName = new Map(ids.map((id, index) => [id, read[450 + index]!]));
    assert.equal(byName.get("SUCCESS")!.doneMs, Date.parse("2026-11-24T18:55:26.991Z"));
    assert.equal(byName.get("REVOKED_expired")!.revokedAs, "expired");
    assert.deepEqual(byName.get("STARTED"), {
      status: "STARTED",
      doneMs: null,
      revokedAs: null,
      worker: "w1@host",
    });
  });

  it("has no results where no Redis stores them", async () => {
    const blind = redisSensors({
      broker: endpointAt(server.port),
      backend: null,
      transport: TRANSPORT,
      commandTimeoutMs: 1_000,
      onRefused() {},
    });
    assert.equal(blind.hasResults, false);
    assert.deepEqual(await blind.results(["a", "b"]), [null, null]);
    blind.close();
  });

  it("hears events and results, and again after the connections were cut", async () => {
    const heard: Hint[] = [];
    const abort = new AbortController();
    sensors.listen((hint) => heard.push(hint), abort.signal);
    const { one_whole_batch: batch } = await fixture("events");
    const envelope = JSON.stringify(batch.envelope);
    const tell = () =>
      Promise.all([
        client.publish("pfx:/0.celeryev/task.multi", envelope),
        client.publish("pfx:/7.celeryev/task.multi", envelope),
        client.publish("celery-task-meta-some-id", "{}"),
      ]);
    const isEnough = async () => {
      const [events, others, results] = await tell();
      assert.equal(others, 0);
      return events > 0 && results > 0;
    };
    await until(isEnough);
    // Each comes over a connection of its own, in whatever order.
    await until(() => heard.some((hint) => hint.kind === "result" && hint.taskId === "some-id"));
    await until(() => heard.some((hint) => hint.kind === "event" && hint.worker === "w1@host"));
    assert.deepEqual(heard.find(({ kind }) => kind === "line"), { kind: "line", isUp: true });

    await client.client("KILL", "TYPE", "pubsub");
    const downAt = () => heard.findIndex((hint) => hint.kind === "line" && !hint.isUp);
    await until(() => downAt() >= 0);
    const since = () => heard.slice(downAt() + 1);
    const upAt = () => since().findIndex((hint) => hint.kind === "line" && hint.isUp);
    await until(isEnough);
    await until(() => upAt() >= 0 && since().slice(upAt()).some(({ kind }) => kind === "event"));

    abort.abort();
    await until(async () => (await tell()).every((receivers) => receivers === 0));
  });

  it("says once that it may not listen, and keeps its connection", async () => {
    const rules = ["on", ">PASSWORD", "~*", "+@all", "-psubscribe"];
    await client.call("ACL", "SETUSER", "deaf", ...rules);
    const refused: string[] = [];
    const deaf = endpointAt(server.port, { username: "deaf", password: "PASSWORD" });
    const listening = redisSensors({
      ...{ broker: deaf, backend: null, transport: TRANSPORT, commandTimeoutMs: 1_000 },
      onRefused: (what, error) => refused.push(`${what}: ${error.message}`),
    });
    const abort = new AbortController();
    listening.listen(() => {}, abort.signal);
    await until(() => refused.length > 0);
    const connections = async () =>
      /total_connections_received:(\d+)/.exec(await client.info("stats"))?.[1];
    const before = await connections();
    // Asked whether it still stands, as each second: one that was lost is made anew within 200 ms.
    await until(async () =>
      / name=beat-events .* cmd=ping user=deaf/.test(String(await client.call("CLIENT", "LIST")))
    );
    assert.equal(await connections(), before);
    assert.equal(refused.length, 1);
    assert.match(refused[0]!, /^events of workers: Redis at .*NOPERM.*ACL/);
    listening.close();
    abort.abort();
  });

  it("notices that a connection which only listens is dead", async () => {
    const heard: Hint[] = [];
    const abort = new AbortController();
    sensors.listen((hint) => heard.push(hint), abort.signal);
    await until(() => heard.some((hint) => hint.kind === "line" && hint.isUp));
    server.pause();
    await until(() => heard.some((hint) => hint.kind === "line" && !hint.isUp));
    await assert.rejects(sensors.sampleQueues(["q"], 1), JournalUnavailableError);
    await assert.rejects(sensors.reservations(["t"]), JournalUnavailableError);
    await assert.rejects(sensors.results(["t"]), JournalUnavailableError);
    server.resume();
    await until(() => heard.findLast((hint) => hint.kind === "line")?.isUp === true);
    abort.abort();
  });
});
