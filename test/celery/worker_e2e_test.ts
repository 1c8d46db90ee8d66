/** A real worker runs the messages, and its results and events are read back. */

import { afterAll, beforeAll, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { celeryTaskId, deliveryTag } from "../../src/celery/ids.ts";
import { decodeUnacked, listOf, messageOf } from "../../src/celery/message.ts";
import { decodeResult } from "../../src/celery/result.ts";
import { timeText } from "../../src/celery/time_text.ts";
import { decodeEvents } from "../../src/celery/worker_event.ts";
import type { Hint, TaskResult } from "../../src/sensors.ts";
import type { Task } from "../../src/task.ts";
import { type CeleryWorker, type Run, startCelery } from "../support/celery_worker.ts";
import { needs } from "../support/needs.ts";
import { type RedisServer, startRedis } from "../support/redis_server.ts";
import { aTask } from "../support/build.ts";

const TRANSPORT = { sep: "\x06\x16", prioritySteps: [0, 3, 6, 9] };
const QUEUE = "maintenance";

interface Sent {
  readonly id: string;
  readonly tag: string;
  readonly fireId: string;
  readonly publishedMs: number;
}

/** What echo gives back. */
interface Echo {
  args: unknown[];
  kwargs: Record<string, unknown>;
  headers: Record<string, unknown>;
  timelimit: unknown;
  expires: string | null;
  priority: number;
}

needs("redis", "celery").describe("a real worker", () => {
  let server: RedisServer;
  let redis: Redis;
  let worker: CeleryWorker;
  let listener: Listener;
  let count = 0;

  beforeAll(async () => {
    server = await startRedis();
    redis = server.client();
    listener = await listen(server.client());
    const options = { concurrency: 4, hasEvents: true, tracksStarted: false };
    worker = await startCelery({ brokerUrl: server.url, ...options });
  });
  afterAll(async () => {
    await worker?.kill();
    await server?.stop();
  });

  async function send(own: Partial<Task>, publishedMs = Date.now()): Promise<Sent> {
    const task = aTask({ queue: QUEUE, ...own });
    const fireId = `${task.name}@${++count}`;
    const id = celeryTaskId("test", fireId);
    const tag = deliveryTag(id, 1);
    const parts = { taskId: id, deliveryTag: tag, fireId, dueMs: count, publishedMs };
    const message = messageOf(task, "beat@host").render(parts);
    await redis.lpush(listOf(task.queue, task.priority, TRANSPORT), message);
    return { id, tag, fireId, publishedMs };
  }

  /**
   * Sends, and waits for the final result: as it was told, because a retry's own state may be written
   * over it in the key (Celery sends the retry first, and looks and writes in two steps).
   */
  async function run(own: Partial<Task>, publishedMs?: number) {
    const sent = await send(own, publishedMs);
    const { text, result } = await listener.result(sent.id);
    return { ...sent, result, value: JSON.parse(text).result as Echo };
  }

  it("runs a task of the schedule, and says when it was done", async () => {
    const name = "paper_trading.scheduler_tick";
    const { id, fireId, publishedMs, result } = await run({
      ...{ name, celeryTask: name, queue: "paper_trading", expiresMs: 2_000 },
    });
    assert.equal(result.status, "SUCCESS");
    assert.ok(result.doneMs! >= publishedMs && result.doneMs! <= Date.now());
    const [first] = await worker.waitFor((runs) => runs.some((run) => run.id === id));
    assert.equal(first?.fire_id, fireId);
    assert.equal(first?.entry, name);
    assert.equal(first?.due, timeText(1));
  });

  it("hands over arguments, headers, priority, expires and time limits", async () => {
    const args = [1, -1.5, null, true, "Grüße 日本 😀\u0000", { nested: [[], {}] }];
    const kwargs = { "näme": "'\"\\\n", empty: "" };
    const { value, publishedMs } = await run({
      ...{ args, kwargs, priority: 9, expiresMs: 60_000, timeLimitS: 60, softTimeLimitS: 50 },
      headers: { "x-tenant": "gold", "x-trace": { id: [1] } },
    });
    assert.deepEqual(value.args, args);
    assert.deepEqual(value.kwargs, kwargs);
    assert.equal(value.headers["x-tenant"], "gold");
    assert.deepEqual(value.headers["x-trace"], { id: [1] });
    assert.equal(value.headers["x-beat-published"], timeText(publishedMs));
    assert.equal(value.priority, 9);
    assert.deepEqual(value.timelimit, [60, 50]);
    assert.equal(value.expires, timeText(publishedMs + 60_000));
  });

  it("hands over nearly a megabyte", async () => {
    const args = ["é".repeat(390_000)];
    const { value } = await run({ args });
    assert.deepEqual(value.args, args);
  });

  it("enforces a soft time limit", async () => {
    const limits = { softTimeLimitS: 0.2, timeLimitS: 30 };
    const { value, result } = await run({ celeryTask: "check.slow", args: [20], ...limits });
    assert.equal(result.status, "FAILURE");
    assert.equal((value as unknown as { exc_type: string }).exc_type, "SoftTimeLimitExceeded");
  });

  it("revokes what has expired, without running it", async () => {
    const { id, result } = await run({ expiresMs: 1_000 }, Date.now() - 1_500);
    assert.deepEqual([result.status, result.revokedAs], ["REVOKED", "expired"]);
    assert.ok(result.doneMs !== null);
    const revoked = await listener.event(id, "revoked");
    assert.equal(revoked.isExpired, true);
    assert.ok((await worker.runs()).every((run) => run.id !== id));
  });

  it("fails a task that it does not know", async () => {
    const { result, value } = await run({ celeryTask: "no.such.task" });
    assert.equal(result.status, "FAILURE");
    assert.equal((value as unknown as { exc_type: string }).exc_type, "NotRegistered");
  });

  it("keeps the id over a retry, and loses Beat's headers", async () => {
    const { id, result } = await run({ celeryTask: "check.retry", args: [0] });
    assert.equal(result.status, "SUCCESS");
    const runs = (await worker.runs()).filter((run) => run.id === id);
    assert.deepEqual(runs.map((run) => run.retries), [0, 1, 2]);
    assert.deepEqual(runs.map((run) => run.fire_id !== null), [true, false, false]);
  });

  it("stores nothing where the result is ignored, by the message or by the task", async () => {
    for (const own of [{ ignoreResult: true }, { celeryTask: "check.ignored" }]) {
      const { id } = await send(own);
      await listener.event(id, "succeeded");
      assert.equal(await redis.exists(`celery-task-meta-${id}`), 0);
    }
  });

  it("tells of a run in events, in their order and by its own clock", async () => {
    const { id, publishedMs } = await run({});
    const { runtimeMs, worker: node } = await listener.event(id, "succeeded");
    const events = listener.events(id);
    assert.deepEqual(events.map(({ type }) => type), ["received", "started", "succeeded"]);
    assert.ok(events.every(({ atMs }) => atMs >= publishedMs && atMs <= Date.now()));
    assert.equal(node, worker.node);
    assert.ok(runtimeMs !== null && runtimeMs >= 0);
  });

  it("holds what it runs in unacked, under the delivery tag", async () => {
    const { id, tag } = await send({ celeryTask: "check.slow", args: [0.3] });
    await worker.waitFor((runs) => runs.some((run) => run.id === id));
    const text = await redis.hget("unacked", tag);
    assert.equal(decodeUnacked(text ?? "").taskId, id);
    await listener.result(id);
  });

  it("is alive after all of this, ran nothing twice, and ends its run when told to stop", async () => {
    const { id } = await send({ celeryTask: "check.slow", args: [0.3] });
    await worker.waitFor((runs) => runs.some((run) => run.id === id));
    await worker.stop();
    assert.equal(await worker.ended, 0);
    const text = await redis.get(`celery-task-meta-${id}`);
    assert.equal(decodeResult(text ?? "")?.status, "SUCCESS");
    assert.deepEqual(doubled(await worker.runs()), []);
    assert.equal(await redis.exists(QUEUE, "unacked"), 0);
  });
});

needs("redis", "celery").it("a killed worker leaves what it ran in unacked", async () => {
  const server = await startRedis();
  const worker = await startCelery({ brokerUrl: server.url });
  try {
    const redis = server.client();
    const id = celeryTaskId("test", "check.slow@1");
    const parts = { taskId: id, deliveryTag: deliveryTag(id, 1), fireId: "check.slow@1" };
    const slow = aTask({ celeryTask: "check.slow", args: [60], queue: QUEUE });
    const times = { dueMs: 1, publishedMs: Date.now() };
    await redis.lpush(QUEUE, messageOf(slow, "beat@host").render({ ...parts, ...times }));
    await worker.waitFor((runs) => runs.length === 1);
    await worker.kill();
    assert.deepEqual(await redis.hkeys("unacked"), [parts.deliveryTag]);
    const started = decodeResult(await redis.get(`celery-task-meta-${id}`) ?? "");
    assert.deepEqual([started?.status, started?.worker], ["STARTED", worker.node]);
  } finally {
    await worker.kill();
    await server.stop();
  }
});

/** Ids that ran more than once and not by a retry. */
function doubled(runs: readonly Run[]): string[] {
  const keys = runs.map(({ id, retries }) => `${id} ${retries}`);
  return keys.filter((key, index) => keys.indexOf(key) !== index);
}

type EventHint = Extract<Hint, { kind: "event" }>;

interface Told {
  readonly text: string;
  readonly result: TaskResult;
}

interface Listener {
  /** Resolves when a final result of this task was stored, with what was told of it. */
  result(id: string): Promise<Told>;
  /** Resolves with the event of this type. */
  event(id: string, type: EventHint["type"]): Promise<EventHint>;
  events(id: string): EventHint[];
}

async function listen(client: Redis): Promise<Listener> {
  const results = new Map<string, Told>();
  const events: EventHint[] = [];
  const looks = new Set<() => void>();
  client.on("pmessage", (_pattern: string, channel: string, text: string) => {
    if (channel.startsWith("celery-task-meta-")) {
      const result = decodeResult(text);
      const id = channel.slice("celery-task-meta-".length);
      if (result?.doneMs != null) results.set(id, { text, result });
    } else {
      events.push(...decodeEvents(text).filter((hint) => hint.kind === "event"));
    }
    for (const look of looks) look();
  });
  await client.psubscribe("celery-task-meta-*", "/0.celeryev/*");

  const wait = <T>(what: string, find: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`expected ${what} within 20 s`)), 20_000);
      const look = () => {
        const found = find();
        if (found === undefined) return;
        clearTimeout(late);
        looks.delete(look);
        resolve(found);
      };
      looks.add(look);
      look();
    });
  const of = (id: string) => events.filter(({ taskId }) => taskId === id);
  return {
    result: (id) => wait(`a result of ${id}`, () => results.get(id)),
    event: (id, type) => wait(`${type} of ${id}`, () => of(id).find((hint) => hint.type === type)),
    events: of,
  };
}
