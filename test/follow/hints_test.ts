/** What workers say over pub/sub: it makes the end known sooner, and may be missing. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { T0 } from "../support/build.ts";
import type { FollowRig, RigOptions } from "../support/follow_rig.ts";
import { followRig, idsOf, WORKER } from "../support/follow_rig.ts";

const SECOND = 1_000;

/** A fire that a worker runs under early ack, with a worker that can be heard. */
async function runningFire(options: RigOptions = {}) {
  const rig = followRig(options);
  rig.hint({ kind: "line", isUp: true });
  rig.beat();
  const open = await rig.publish();
  rig.advance(SECOND);
  rig.take(open);
  rig.event(open, "received");
  rig.ack(open);
  rig.event(open, "started");
  await rig.watch(2 * SECOND);
  return { rig, open };
}

async function beatFor(rig: FollowRig, seconds: number): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 2) {
    await rig.watch(2 * SECOND);
    rig.beat();
  }
}

describe("follower() with workers' events", () => {
  it("closes by the event, with the run time, and not again by the result", async () => {
    const { rig, open } = await runningFire();
    rig.event(open, "succeeded");
    await rig.glance();
    rig.storeResult(open, "SUCCESS");
    rig.hint({ kind: "result", taskId: idsOf(open).taskId });
    await rig.watch(5 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event", "acked event", "finished success"]);
    const rows = await Array.fromAsync(rig.journal.read({ from: "-", to: "+" }));
    assert.equal(rows.at(-1)!.detail["runtimeMs"], 12);
    assert.equal(rows.find(({ type }) => type === "fire.taken")!.detail["worker"], WORKER);
  });

  it("looks at a hinted fire without waiting for the next sample", async () => {
    const rig = followRig();
    const open = await rig.publish();
    rig.advance(10);
    rig.storeResult(open, "SUCCESS");
    assert.equal(rig.hasHints(), false);
    rig.hint({ kind: "result", taskId: idsOf(open).taskId });
    assert.equal(rig.hasHints(), true);
    const { settled } = await rig.glance();
    assert.equal(settled.length, 1);
    assert.equal(rig.hasHints(), false);
  });

  it("calls an expired message what the worker called it", async () => {
    const rig = followRig({ task: { expiresMs: 10_000 } });
    const open = await rig.publish();
    rig.take(open);
    rig.event(open, "revoked", true);
    await rig.glance();
    assert.deepEqual(await rig.story(), ["expired ttl worker"]);
  });

  it("passes over events of other fires, and of an earlier copy of this one", async () => {
    const rig = followRig();
    const open = await rig.publish();
    const { taskId } = idsOf(open);
    const event = { kind: "event", type: "succeeded", worker: WORKER, runtimeMs: 1 } as const;
    rig.hint({ ...event, taskId, atMs: T0 - 2_000, isExpired: false });
    rig.hint({ ...event, taskId: "somebody else's", atMs: T0, isExpired: false });
    await rig.watch(2 * SECOND);
    assert.deepEqual(await rig.story(), []);
  });

  it("awaits the events of a worker where results are ignored", async () => {
    const { rig, open } = await runningFire({ task: { ignoreResult: true } });
    await beatFor(rig, 30);
    assert.deepEqual(await rig.story(), ["taken event", "acked broker"]);
    rig.event(open, "succeeded");
    await rig.sample();
    assert.deepEqual(await rig.story(), ["taken event", "acked broker", "finished success"]);
  });

  it("records an event for a fire that was given up", async () => {
    const rig = followRig({ task: { giveUpMs: 60_000 } });
    const open = await rig.publish();
    await rig.watch(62 * SECOND);
    rig.event(open, "succeeded");
    rig.event(open, "succeeded");
    await rig.watch(2 * SECOND);
    const story = await rig.story();
    assert.deepEqual(story.slice(-2), ["expired unacknowledged beat", "late_ack event success"]);
  });
});

describe("follower() on a worker that is gone", () => {
  it("calls a run lost when its worker falls silent in the middle", async () => {
    const { rig } = await runningFire();
    await beatFor(rig, 6);
    await rig.watch(9 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event", "acked broker"]);
    await rig.watch(2 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event", "acked broker", "finished lost"]);
  });

  it("records the result of a run that it took for lost", async () => {
    const { rig, open } = await runningFire();
    await beatFor(rig, 6);
    await rig.watch(12 * SECOND);
    rig.storeResult(open, "SUCCESS");
    await rig.watch(5 * SECOND);
    assert.deepEqual((await rig.story()).slice(-2), ["finished lost", "late_ack result success"]);
  });

  it("does not believe the silence of a worker that never spoke while it ran a task", async () => {
    const { rig } = await runningFire();
    await rig.watch(60 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event", "acked broker"]);
  });

  it("believes the silence of a worker that spoke while it ran one before", async () => {
    const { rig, open } = await runningFire();
    await beatFor(rig, 20);
    // Celery tells the result first.
    rig.storeResult(open, "SUCCESS");
    rig.hint({ kind: "result", taskId: idsOf(open).taskId });
    await rig.glance();
    rig.event(open, "succeeded");
    const other = await rig.publish();
    rig.take(other);
    rig.event(other, "started");
    rig.ack(other);
    await rig.watch(15 * SECOND);
    assert.equal((await rig.story(other)).at(-1), "finished lost");
  });

  it("does not believe silence while nobody could be heard, nor right after", async () => {
    const { rig } = await runningFire();
    await beatFor(rig, 6);
    rig.hint({ kind: "line", isUp: false });
    await rig.watch(60 * SECOND);
    rig.hint({ kind: "line", isUp: true });
    await rig.watch(9 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event", "acked broker"]);
    await rig.watch(2 * SECOND);
    assert.equal((await rig.story()).at(-1), "finished lost");
  });

  it("calls it lost when the worker is back under its name, in a new process", async () => {
    const beat = { kind: "worker", worker: WORKER, isOnline: true } as const;
    for (
      const [before, after] of [
        [{ processId: 1 }, { processId: 2 }],
        [{ processId: 1, processed: 5 }, { processId: 1, processed: 0 }],
      ]
    ) {
      const rig = followRig();
      rig.hint({ kind: "line", isUp: true });
      rig.hint({ ...beat, ...before });
      const open = await rig.publish();
      rig.take(open);
      rig.event(open, "started");
      rig.ack(open);
      await rig.watch(4 * SECOND);
      for (let passed = 0; passed < 12; passed++) {
        rig.hint({ ...beat, ...after });
        await rig.watch(SECOND);
      }
      assert.equal((await rig.story()).at(-1), "finished lost");
    }
  });

  it("believes the silence of a worker that seldom speaks after three times as long", async () => {
    const beat = { kind: "worker", worker: WORKER, isOnline: true, beatMs: 30_000 } as const;
    const rig = followRig();
    rig.hint({ kind: "line", isUp: true });
    rig.hint(beat);
    const open = await rig.publish();
    rig.take(open);
    rig.event(open, "started");
    rig.ack(open);
    for (let beats = 0; beats < 4; beats++) {
      await rig.watch(30 * SECOND);
      rig.hint(beat);
    }
    await rig.watch(89 * SECOND);
    assert.equal((await rig.story()).at(-1), "acked broker");
    await rig.watch(2 * SECOND);
    assert.equal((await rig.story()).at(-1), "finished lost");
  });

  it("does not take two workers of one name for one that starts anew", async () => {
    const beat = { kind: "worker", worker: WORKER, isOnline: true } as const;
    for (
      const [one, other] of [
        [{ processId: 1 }, { processId: 2 }],
        [{ processId: 1, processed: 5 }, { processId: 1, processed: 0 }],
      ]
    ) {
      const rig = followRig();
      rig.hint({ kind: "line", isUp: true });
      rig.hint({ ...beat, ...one });
      const open = await rig.publish();
      rig.take(open);
      rig.event(open, "started");
      rig.ack(open);
      for (let passed = 0; passed < 60; passed += 2) {
        rig.hint({ ...beat, ...one });
        await rig.watch(SECOND);
        rig.hint({ ...beat, ...other });
        await rig.watch(SECOND);
      }
      assert.equal((await rig.story()).at(-1), "acked broker");
      rig.storeResult(open, "SUCCESS");
      await rig.watch(60 * SECOND);
      assert.equal((await rig.story()).at(-1), "finished success");
    }
  });

  it("prefers the result of a worker that stopped in order", async () => {
    const { rig, open } = await runningFire();
    rig.storeResult(open, "SUCCESS");
    rig.beat(WORKER, false);
    await rig.watch(60 * SECOND);
    assert.equal((await rig.story()).at(-1), "finished success");
  });

  it("does not call a message lost that the broker still holds for it", async () => {
    const rig = followRig();
    rig.hint({ kind: "line", isUp: true });
    const open = await rig.publish();
    rig.take(open);
    rig.event(open, "started");
    await beatFor(rig, 6);
    await rig.watch(60 * SECOND);
    rig.giveBack(open);
    rig.take(open);
    rig.event(open, "received", false, "w2@host");
    rig.event(open, "succeeded", false, "w2@host");
    await rig.watch(2 * SECOND);
    assert.equal((await rig.story()).at(-1), "finished success");
    assert.equal((await rig.story()).includes("finished lost"), false);
  });
});
