/** What becomes of fires under real Celery workers, read from a real Redis. */

import { after, before, describe } from "@std/testing/bdd";
import type { Redis } from "ioredis";
import assert from "node:assert/strict";
import type { Follower } from "../../src/follow/follow.ts";
import { follower } from "../../src/follow/follow.ts";
import type { World } from "../../src/core/world.ts";
import { applyStep, cursorText } from "../../src/core/world.ts";
import type { OpenFire } from "../../src/open_fire.ts";
import type { Journal } from "../../src/ports.ts";
import type { Hint } from "../../src/sensors.ts";
import { redisJournal } from "../../src/redis/journal.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { redisLease } from "../../src/redis/lease.ts";
import { redisSensors } from "../../src/redis/sensors.ts";
import type { Task } from "../../src/task.ts";
import { aLog, aReady, aWorld, publishSteps, TRANSPORT } from "../support/build.ts";
import type { CeleryWorker, CeleryWorkerOptions } from "../support/celery_worker.ts";
import { startCelery } from "../support/celery_worker.ts";
import { endpointAt } from "../support/endpoint.ts";
import { storyOf } from "../support/follow_rig.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const { it } = needs("redis", "celery");
const NAMESPACE = "beat-life";

/** Takes office: the journal of the term that just began. */
async function takeOffice(client: Redis): Promise<{ journal: Journal; fence: number }> {
  const keys = keysOf(NAMESPACE, "");
  const request = { owner: "test", ttlMs: 600_000, minFence: 0, epoch: "e" };
  const taken = await redisLease(client, keys).take(request);
  if (taken.kind !== "taken") throw new Error(`expected the lease, got ${taken.kind}`);
  return { journal: redisJournal(client, keys), fence: taken.fence };
}

/** A leader with nothing but a follower, on a server of its own. */
async function openOffice(server: RedisServer, isListening: boolean) {
  const client: Redis = server.client();
  const { journal, fence } = await takeOffice(client);
  const endpoint = endpointAt(server.port);
  const options = { broker: endpoint, backend: endpoint, transport: TRANSPORT };
  const sensors = redisSensors({ ...options, commandTimeoutMs: 5_000, onRefused() {} });
  const world: World = aWorld();
  const tasks = new Map<string, Task>();
  const eye = follower({
    sensors,
    journal,
    world,
    // One machine: its clock is the server's.
    server: { nowMs: () => Date.now() },
    log: aLog(),
    namespace: NAMESPACE,
    fence,
    task: (name) => tasks.get(name) ?? null,
    onSettled() {},
  });
  const abort = new AbortController();
  let beats = 0;
  const onHint = (hint: Hint) => {
    if (hint.kind === "worker") beats++;
    eye.hint(hint);
  };
  if (isListening) sensors.listen(onHint, abort.signal);
  await until(() =>
    sensors.reservations(["x"]).then(() => sensors.results(["x"])).then(() => true)
  );
  return {
    client,
    /** How often a worker said that it lives. */
    beats: () => beats,
    story: (open: OpenFire) => storyOf(journal, open),
    publish: (own: Partial<Task>) => publish({ journal, world, tasks, fence }, own),
    follow: (open: OpenFire, row: string) => follow(eye, () => storyOf(journal, open), row),
    close() {
      abort.abort();
      sensors.close();
    },
  };
}

/** As the core does it, now. */
async function publish(
  { journal, world, tasks, fence }: {
    journal: Journal;
    world: World;
    tasks: Map<string, Task>;
    fence: number;
  },
  own: Partial<Task>,
): Promise<OpenFire> {
  const ready = aReady(own);
  tasks.set(ready.task.name, ready.task);
  const nowMs = Date.now();
  const cursor = cursorText(world, ready.task.name);
  const term = { namespace: NAMESPACE, fence };
  const [step] = publishSteps(ready, [nowMs], { cursor, term, nowMs });
  await journal.commit([{ ...step!, notBeforeMs: 0 }], fence);
  applyStep(world, step!);
  return step!.publish!.open;
}

/** Samples once a second, as a leader does, until the fire has a row that starts so. */
async function follow(
  eye: Follower,
  story: () => Promise<string[]>,
  row: string,
): Promise<string[]> {
  let nextMs = 0;
  await until(async () => {
    if (performance.now() < nextMs) return false;
    await eye.sample();
    nextMs = performance.now() + 1_000;
    return (await story()).some((each) => each.startsWith(row));
  }, 40_000).catch(async (cause) => {
    throw new Error(`expected ${row}, got ${await story()}`, { cause });
  });
  return await story();
}

/** A server, an office and a worker of one kind; each kind has its own, and they run at once. */
async function scene(isListening: boolean, own: Partial<CeleryWorkerOptions>) {
  const server = await startRedis();
  const office = await openOffice(server, isListening);
  const options = { brokerUrl: server.url, queues: ["maintenance"], concurrency: 2, ...own };
  const worker = await startCelery(options);
  const extra: CeleryWorker[] = [];
  return {
    office,
    worker,
    async another(more: Partial<CeleryWorkerOptions>): Promise<CeleryWorker> {
      const other = await startCelery({ ...options, ...more });
      extra.push(other);
      return other;
    },
    async close() {
      await Promise.all([worker, ...extra].map((each) => each.kill()));
      office.close();
      await server.stop();
    },
  };
}

type Scene = Awaited<ReturnType<typeof scene>>;

const slow = (seconds: number): Partial<Task> => ({
  name: "slow",
  celeryTask: "check.slow",
  args: [seconds],
});
const is = (open: OpenFire) => (each: { fire_id: string | null }) =>
  each.fire_id === `${open.task}@${open.dueMs}`;

describe("life of a fire with a Celery worker", () => {
  let early: Scene;
  let late: Scene;
  before(async () => {
    [early, late] = await Promise.all([
      scene(true, { acksLate: false, hasEvents: true, name: "early" }),
      scene(false, { acksLate: true, visibilityTimeoutS: 1, name: "late" }),
    ]);
  });
  after(() => Promise.all([early?.close(), late?.close()]).then(() => {}));

  async function bothFinish(own: Partial<Task>, wanted: string): Promise<void> {
    await Promise.all([early, late].map(async ({ office }) => {
      const open = await office.publish(own);
      const story = await office.follow(open, "finished");
      assert.equal(story.at(-1), wanted);
      assert.equal(story.filter((row) => row.startsWith("acked")).length, 1);
    }));
  }

  it("acks and finishes what succeeds, early and late, heard or not", () =>
    bothFinish({ name: "echo" }, "finished success"));

  it("acks and finishes what fails", () =>
    bothFinish({ name: "fail", celeryTask: "check.fail" }, "finished failure"));

  it("follows retries to their end, under one id", async () => {
    const open = await late.office.publish({
      name: "retry",
      celeryTask: "check.retry",
      args: [0.5],
    });
    const story = await late.office.follow(open, "finished");
    assert.deepEqual(story.slice(-2), ["acked result", "finished success"]);
    assert.equal(
      (await late.worker.runs()).filter(({ id }) => story && id !== "").length > 2,
      true,
    );
  });

  it("closes a fire whose results are ignored, told by events or by nobody", async () => {
    const own = { name: "ignored", celeryTask: "check.ignored", ignoreResult: true };
    const [heard, unheard] = [await early.office.publish(own), await late.office.publish(own)];
    assert.equal((await early.office.follow(heard, "finished")).at(-1), "finished success");
    assert.deepEqual((await late.office.follow(unheard, "finished")).slice(-2), [
      "acked broker",
      "finished unknown",
    ]);
  });

  it("follows runs that are longer than the period of their task, each to its own end", async () => {
    await Promise.all([early, late].map(async ({ office }) => {
      const first = await office.publish(slow(4));
      await office.follow(first, "taken");
      const second = await office.publish(slow(0.1));
      await office.follow(second, "finished");
      assert.equal((await office.story(first)).includes("finished success"), false);
      assert.equal((await office.follow(first, "finished")).at(-1), "finished success");
    }));
  });

  it("raises overdue where nobody consumes, and takes expired messages out", async () => {
    const { office } = late;
    const own = { queue: "nobody", takeByMs: 1_000 };
    const dead = await office.publish({ ...own, name: "dead", expiresMs: 2_000 });
    const waiting = await office.publish({ ...own, name: "waiting" });
    assert.deepEqual(await office.follow(dead, "expired"), ["overdue", "expired ttl beat"]);
    assert.deepEqual(await office.story(waiting), ["overdue"]);
    assert.equal(await office.client.llen("nobody"), 1);
  });

  it("believes the worker that drops an expired message", async () => {
    const { office } = late;
    const busy = [
      await office.publish(slow(3)),
      await office.publish({ ...slow(3), name: "slow2" }),
    ];
    await late.worker.waitFor((runs) => busy.every((open) => runs.some(is(open))));
    const open = await office.publish({ name: "dropped", expiresMs: 1_000 });
    const story = await office.follow(open, "expired");
    assert.match(story.at(-1)!, /^expired ttl/);
    assert.equal((await late.worker.runs()).some(is(open)), false);
    for (const each of busy) await office.follow(each, "finished");
  });

  it("counts a second delivery when a worker is killed under acks_late", async () => {
    const { office } = late;
    const open = await office.publish({ ...slow(4), name: "killed" });
    await late.worker.waitFor((runs) => runs.some(is(open)));
    await office.follow(open, "taken");
    await late.worker.kill();
    // A worker gives back what is overdue when it starts, and then only every 100 s.
    await until(async () => {
      const [, reservedS] = await office.client.zrange("unacked_index", 0, 0, "WITHSCORES");
      return Date.now() / 1_000 > Number(reservedS) + 1.5;
    });
    const other = await late.another({ name: "later" });
    const story = await office.follow(open, "finished");
    assert.deepEqual(story.filter((row) => !row.startsWith("taken")), [
      "redelivered 2",
      "acked result",
      "finished success",
    ]);
    assert.equal((await other.runs()).filter(is(open)).length >= 1, true);
  });

  it("calls a run lost when its worker is killed under early ack", async () => {
    const { office, worker } = early;
    const open = await office.publish({ ...slow(60), name: "lost" });
    await worker.waitFor((runs) => runs.some(is(open)));
    await office.follow(open, "acked");
    // It has to be heard while it runs: then its silence means something.
    const before = office.beats();
    await until(() => office.beats() >= before + 3);
    await worker.kill();
    const story = await office.follow(open, "finished");
    assert.deepEqual(story.slice(-2), ["acked broker", "finished lost"]);
  });
});
