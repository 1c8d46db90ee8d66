/** What is noted of each delivery: told in order or not, to this leader or to another. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { rowsOf } from "../support/build.ts";
import {
  ANOTHER,
  beatFor,
  followRig,
  idsOf,
  oneFire,
  OTHERS,
  runningFire,
  WORKER,
} from "../support/follow_rig.ts";

const SECOND = 1_000;
const HOUR = 3_600_000;

describe("follower() on what is delivered again", () => {
  it("records the end of a run whose message was given back, and expired there", async () => {
    const { rig, open } = await oneFire({ task: { expiresMs: HOUR / 2 } });
    rig.take(open);
    await rig.watch(HOUR);
    rig.giveBack(open);
    await rig.watch(2 * SECOND);
    assert.deepEqual(await rig.story(), ["taken unacked", "expired ttl beat"]);
    assert.equal(rig.find(open), undefined);
    rig.storeResult(open, "SUCCESS");
    await rig.watch(5 * SECOND);
    assert.equal((await rig.story()).at(-1), "late_ack result success");
  });

  it("counts each return that it sees", async () => {
    const { rig, open } = await oneFire();
    const taken = "taken unacked";
    for (let round = 0; round < 2; round++) {
      rig.take(open);
      await rig.watch(70 * SECOND);
      rig.giveBack(open);
      await rig.watch(3 * SECOND);
    }
    assert.deepEqual(await rig.story(), [taken, "redelivered 2", taken, "redelivered 3"]);
  });

  it("notices a return that was over between two looks", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    await rig.watch(2 * SECOND);
    rig.giveBack(open);
    rig.take(open);
    await rig.watch(60 * SECOND);
    assert.deepEqual(await rig.story(), ["taken unacked", "redelivered 2", "taken unacked"]);
  });

  it("takes a second receipt for a delivery, unless a retry explains it", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    rig.event(open, "received");
    rig.event(open, "received");
    rig.event(open, "retried");
    await rig.watch(5 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event"]);
    rig.event(open, "received");
    await rig.watch(5 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event", "redelivered 2", "taken event"]);
  });

  it("waits again whether a retry explains a receipt", async () => {
    const { rig, open } = await runningFire({}, false);
    rig.event(open, "received");
    await rig.watch(5 * SECOND);
    const story = ["taken event", "redelivered 2", "taken event"];
    assert.deepEqual(await rig.story(), story);
    rig.event(open, "received");
    await rig.glance();
    rig.event(open, "retried");
    await rig.watch(5 * SECOND);
    assert.deepEqual(await rig.story(), story);
  });

  for (const who of ["the same leader", "the next leader"]) {
    it(`believes a worker that has it now, heard by ${who}`, async () => {
      const rig = followRig({ task: { expiresMs: 60_000 } });
      const open = await rig.publish();
      rig.advance(SECOND);
      rig.take(open);
      // That it was received got lost.
      rig.event(open, "started");
      await rig.watch(2 * SECOND);
      rig.giveBack(open);
      await rig.watch(3 * SECOND);
      if (who === "the next leader") await rig.changeLeader();
      const { bytes } = rig.find(open)!;
      const returned = bytes.replaceAll(idsOf(open).taskId, ANOTHER);
      rig.store.lists.get("maintenance")!.unshift(...OTHERS.map(() => returned));
      rig.take(open);
      rig.ack(open);
      for (const type of ["received", "started"] as const) rig.event(open, type, false, "w2@host");
      await rig.watch(180 * SECOND);
      assert.deepEqual(await rig.story(), ["taken event", "redelivered 2", "taken event"]);
    });
  }

  it("does not take the worker that had it before for the one that has it", async () => {
    const { rig, open } = await runningFire({ task: { ignoreResult: true } }, false);
    await beatFor(rig, 10);
    await rig.watch(60 * SECOND);
    rig.giveBack(open);
    rig.take(open);
    await rig.watch(60 * SECOND);
    rig.ack(open);
    await rig.watch(5 * SECOND);
    const rows = await rowsOf(rig.journal);
    const taken = rows.filter(({ type }) => type === "fire.taken").map(({ detail }) => detail);
    assert.deepEqual(taken, [{ by: "event", worker: WORKER }, { by: "unacked" }]);
    assert.equal((await rig.story()).at(-1), "finished unknown");
  });

  it("sees a message leave that was rejected once, and taken again", async () => {
    const { rig, open } = await runningFire({}, false);
    rig.giveBack(open);
    rig.event(open, "rejected");
    await rig.watch(3 * SECOND);
    rig.take(open);
    rig.event(open, "received", false, "w2@host");
    await rig.watch(3 * SECOND);
    rig.store.lists.set("maintenance", [...OTHERS]);
    rig.ack(open);
    await rig.watch(90 * SECOND);
    assert.equal((await rig.story()).at(-1), "acked broker");
  });
});

describe("follower() with events out of their order", () => {
  it("takes a receipt that is told after the start for the first", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    rig.event(open, "started");
    rig.event(open, "received");
    await rig.watch(5 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event"]);
    rig.event(open, "received");
    await rig.watch(5 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event", "redelivered 2", "taken event"]);
  });

  it("waits for the retry that a receipt is of, however often the message was delivered before", async () => {
    for (const deliveries of [1, 2, 3]) {
      const { rig, open } = await oneFire();
      rig.take(open);
      for (let count = 0; count < deliveries; count++) {
        rig.event(open, "received");
        await rig.watch(5 * SECOND);
      }
      const before = await rig.story();
      assert.equal(before.length, 2 * deliveries - 1);
      rig.event(open, "received");
      rig.advance(100);
      await rig.glance();
      rig.event(open, "retried");
      await rig.watch(5 * SECOND);
      assert.deepEqual(await rig.story(), before);
    }
  });
});
