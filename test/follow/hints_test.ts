/** What workers say over pub/sub: it makes the end known sooner, and may be missing. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { T0 } from "../support/build.ts";
import { beatFor, followRig, idsOf, runningFire, WORKER } from "../support/follow_rig.ts";

const SECOND = 1_000;

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
    await rig.glance();
    assert.equal(rig.settled.length, 1);
    assert.equal(rig.hasHints(), false);
  });

  it("believes a worker whose clock is behind once the message has been gone for as long", async () => {
    for (const behindMs of [1_500, 5_000]) {
      for (const ignoreResult of [false, true]) {
        const rig = followRig({ task: { ignoreResult } });
        const open = await rig.publish();
        const event = (type: "received" | "started" | "succeeded") =>
          rig.hint({
            ...{ kind: "event", type, worker: WORKER, taskId: idsOf(open).taskId },
            ...{ atMs: T0 - behindMs, runtimeMs: 12, isExpired: false },
          });
        for (const type of ["received", "started", "succeeded"] as const) event(type);
        await rig.watch(10_000);
        assert.deepEqual(await rig.story(), [], "it may be of a copy: its own still waits");
        rig.take(open);
        rig.ack(open);
        await rig.watch(60_000);
        const rows = await Array.fromAsync(rig.journal.read({ from: "-", to: "+" }));
        assert.deepEqual(await rig.story(), ["acked broker", "finished success"]);
        assert.equal(rows.at(-1)!.detail.runtimeMs, 12);
        assert.equal(rows.at(-2)!.detail.worker, WORKER);
      }
    }
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
