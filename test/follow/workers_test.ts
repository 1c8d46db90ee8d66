/** What workers say of themselves, and what is believed of it: that they live, stop, start anew, are gone. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { beatFor, followRig, idsOf, runningFire, WORKER } from "../support/follow_rig.ts";

const SECOND = 1_000;

const LIVING = { kind: "worker", worker: WORKER, isOnline: true } as const;

/** What tells two processes of one name apart: their numbers, or a count that goes back. */
const PROCESSES = [
  [{ processId: 1 }, { processId: 2 }],
  [{ processId: 1, processed: 5 }, { processId: 1, processed: 0 }],
] as const;

/** A fire that a worker runs, which said of itself that it lives. */
async function heardRun(says: { processId?: number; processed?: number; beatMs?: number }) {
  const rig = followRig();
  rig.hint({ kind: "line", isUp: true });
  rig.hint({ ...LIVING, ...says });
  const open = await rig.publish();
  rig.take(open);
  rig.event(open, "started");
  rig.ack(open);
  return { rig, open };
}

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

  it("does not take a clock that was set, or a machine that slept, for silence", async () => {
    for (const byMs of [1_200 * SECOND, -1_200 * SECOND]) {
      const { rig } = await runningFire();
      await beatFor(rig, 6);
      rig.advance(byMs);
      await rig.watch(7 * SECOND);
      assert.deepEqual(await rig.story(), ["taken event", "acked broker"]);
      await rig.watch(5 * SECOND);
      assert.equal((await rig.story()).at(-1), "finished lost");
    }
  });

  it("calls it lost when the worker is back under its name, in a new process", async () => {
    for (const [before, after] of PROCESSES) {
      const { rig } = await heardRun(before);
      await rig.watch(4 * SECOND);
      for (let passed = 0; passed < 12; passed++) {
        rig.hint({ ...LIVING, ...after });
        await rig.watch(SECOND);
      }
      assert.equal((await rig.story()).at(-1), "finished lost");
    }
  });

  it("believes the silence of a worker that seldom speaks after three times as long", async () => {
    const seldom = { beatMs: 30_000 };
    const { rig } = await heardRun(seldom);
    for (let beats = 0; beats < 4; beats++) {
      await rig.watch(30 * SECOND);
      rig.hint({ ...LIVING, ...seldom });
    }
    await rig.watch(89 * SECOND);
    assert.equal((await rig.story()).at(-1), "acked broker");
    await rig.watch(2 * SECOND);
    assert.equal((await rig.story()).at(-1), "finished lost");
  });

  it("does not take two workers of one name for one that starts anew", async () => {
    for (const [one, other] of PROCESSES) {
      const { rig, open } = await heardRun(one);
      for (let passed = 0; passed < 60; passed += 2) {
        rig.hint({ ...LIVING, ...one });
        await rig.watch(SECOND);
        rig.hint({ ...LIVING, ...other });
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

describe("follower() on a worker that stops in order", () => {
  it("lets it end what it runs", async () => {
    const { rig, open } = await runningFire();
    await beatFor(rig, 10);
    rig.beat(WORKER, false);
    await rig.watch(600 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event", "acked broker"]);
    rig.event(open, "succeeded");
    await rig.sample();
    assert.equal((await rig.story()).at(-1), "finished success");
  });

  it("does not wait for it for ever", async () => {
    const { rig } = await runningFire();
    await beatFor(rig, 10);
    rig.beat(WORKER, false);
    await rig.watch(895 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event", "acked broker"]);
    await rig.watch(10 * SECOND);
    assert.equal((await rig.story()).at(-1), "finished lost");
  });
});

describe("follower() on a worker that goes on", () => {
  it("does not take what it said after a run for words while it was busy", async () => {
    const { rig, open } = await runningFire();
    // A pool of the kind solo says nothing meanwhile; its last word is lost, and the result is seen late.
    await rig.watch(300 * SECOND);
    await beatFor(rig, 10);
    rig.storeResult(open, "SUCCESS");
    await rig.watch(60 * SECOND);
    assert.equal((await rig.story(open)).at(-1), "finished success");
    rig.beat();
    const other = await rig.publish();
    rig.take(other);
    rig.event(other, "received");
    rig.ack(other);
    rig.event(other, "started");
    await rig.watch(60 * SECOND);
    assert.deepEqual(await rig.story(other), ["taken event", "acked broker"]);
  });

  it("does not call a run lost that was begun anew in its new process", async () => {
    const { rig, open } = await runningFire({ task: { ignoreResult: true } }, false);
    await beatFor(rig, 12, 2);
    rig.giveBack(open);
    rig.take(open);
    rig.event(open, "received");
    rig.event(open, "started");
    await beatFor(rig, 60, 2);
    rig.ack(open);
    await beatFor(rig, 5, 2);
    rig.event(open, "succeeded");
    await rig.sample();
    assert.equal((await rig.story()).at(-1), "finished success");
  });

  it("calls a run lost although it starts anew twice in ten seconds", async () => {
    const { rig } = await runningFire();
    await beatFor(rig, 5, 2);
    await beatFor(rig, 15, 3);
    assert.equal((await rig.story()).at(-1), "finished lost");
  });
});
