/** What is right the first time must be so the second time: the next delivery, run, process, leader, reply. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { auditOf } from "../../src/audit/audit.ts";
import { worldOf } from "../../src/core/world.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import { NO_ID } from "../../src/event.ts";
import { openFires } from "../../src/follow/open_fires.ts";
import { openKey } from "../../src/open_fire.ts";
import { WHOLE } from "../support/audited.ts";
import { anOpenFire, rowsOf, T0 } from "../support/build.ts";
import type { FollowRig, RigOptions } from "../support/follow_rig.ts";
import { followRig, idsOf, WORKER } from "../support/follow_rig.ts";

const SECOND = 1_000;
const HOUR = 3_600_000;

const ANOTHER = "00000000-0000-5000-8000-000000000000";

/** Messages of others, more than a sample reads. */
const OTHERS = Array.from({ length: 150 }, () => "somebody else's");

const heard = { kind: "worker", worker: WORKER, isOnline: true } as const;

/** A worker that can be heard begins a fire. @param isEarly it acks first */
async function begun(options: RigOptions = {}, isEarly = true) {
  const rig = followRig(options);
  rig.hint({ kind: "line", isUp: true });
  rig.hint({ ...heard, processId: 1 });
  const open = await rig.publish();
  rig.take(open);
  rig.event(open, "received");
  if (isEarly) rig.ack(open);
  rig.event(open, "started");
  await rig.watch(3 * SECOND);
  return { rig, open };
}

async function beatFor(rig: FollowRig, seconds: number, processId = 1): Promise<void> {
  for (let passed = 0; passed < seconds; passed++) {
    rig.hint({ ...heard, processId });
    await rig.watch(SECOND);
  }
}

describe("follower() on a worker that stops in order", () => {
  it("lets it end what it runs", async () => {
    const { rig, open } = await begun();
    await beatFor(rig, 10);
    rig.beat(WORKER, false);
    await rig.watch(600 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event", "acked broker"]);
    rig.event(open, "succeeded");
    await rig.sample();
    assert.equal((await rig.story()).at(-1), "finished success");
  });

  it("does not wait for it for ever", async () => {
    const { rig } = await begun();
    await beatFor(rig, 10);
    rig.beat(WORKER, false);
    await rig.watch(3_610 * SECOND);
    assert.equal((await rig.story()).at(-1), "finished lost");
  });
});

describe("follower() on a worker that goes on", () => {
  it("does not take what it said after a run for words while it was busy", async () => {
    const { rig, open } = await begun();
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
    const { rig, open } = await begun({ task: { ignoreResult: true } }, false);
    await beatFor(rig, 12, 2);
    rig.giveBack(open);
    await beatFor(rig, 3, 2);
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
    const { rig } = await begun();
    await beatFor(rig, 5, 2);
    await beatFor(rig, 15, 3);
    assert.equal((await rig.story()).at(-1), "finished lost");
  });
});

describe("follower() at the second look at a message", () => {
  it("ends one that expired out of reach, behind one of ours that waits on", async () => {
    const rig = followRig({ task: { expiresMs: 60_000, takeByMs: 24 * HOUR } });
    const first = await rig.publish();
    // The message of another task of the queue, which does not expire.
    const { bytes } = rig.find(first)!;
    const lasting = bytes.replaceAll(idsOf(first).taskId, ANOTHER).replace(/"expires":"[^"]*"/, "");
    rig.world.open.remove(openKey(first));
    const others = Array.from({ length: 7 }, () => OTHERS).flat();
    rig.store.lists.set("maintenance", [...others, lasting.replace(/,,/, ",")]);
    rig.advance(2 * SECOND);
    const open = await rig.publish();
    await rig.watch(119 * SECOND);
    assert.deepEqual(await rig.story(open), []);
    await rig.watch(5 * SECOND);
    assert.deepEqual(await rig.story(open), ["expired ttl beat"]);
  });

  it("gives up what one look found gone, and none since could find", async () => {
    const rig = followRig({ task: { giveUpMs: 120_000, ignoreResult: true } });
    const opens = [await rig.publish()];
    rig.advance(2 * SECOND);
    opens.push(await rig.publish());
    rig.advance(SECOND);
    rig.store.lists.get("maintenance")!.unshift(...OTHERS);
    for (const open of opens) {
      rig.take(open);
      rig.ack(open);
      await rig.sample();
    }
    await rig.watch(180 * SECOND);
    for (const open of opens) {
      assert.deepEqual(await rig.story(open), ["overdue", "expired unacknowledged beat"]);
    }
  });
});

describe("follower() of the next leader", () => {
  for (const takeByMs of [SECOND, 24 * HOUR]) {
    it(`awaits a finish for as long as an audit does, with take_by of ${takeByMs} ms`, async () => {
      const rig = followRig({ task: { takeByMs } });
      const open = await rig.publish();
      await rig.watch(12 * SECOND);
      rig.take(open);
      rig.ack(open);
      await rig.watch(20 * SECOND);
      rig.advance(12 * HOUR);
      await rig.changeLeader();
      await rig.watch(3 * SECOND);
      rig.advance(12 * HOUR);
      await rig.watch(360 * SECOND);
      const audit = auditOf({ ...WHOLE, isTrimmed: true });
      for (const row of await rowsOf(rig.journal)) audit.take(row);
      const { findings } = audit.close(T0 + 24 * HOUR + 395 * SECOND);
      assert.deepEqual(findings.filter(({ kind }) => kind === "stuck"), []);
      assert.equal((await rig.story()).at(-1), "finished unknown");
    });
  }

  it("awaits the finish of what a worker had held for a day", async () => {
    const rig = followRig();
    const open = await rig.publish();
    rig.take(open);
    await rig.watch(3 * SECOND);
    rig.advance(25 * HOUR);
    rig.ack(open);
    await rig.watch(5 * SECOND);
    await rig.changeLeader();
    await rig.watch(60 * SECOND);
    assert.deepEqual(await rig.story(), ["taken unacked", "acked broker"]);
  });

  it("is given the fires in the order of their publishing: of too many, the oldest are let go", () => {
    const fires = [5, 1, 9, 3].map((late) =>
      anOpenFire({ dueMs: T0 + late, publishedMs: T0 + late, state: "acked" })
    );
    const { open } = worldOf({ cursors: new Map(), open: fires, lastId: NO_ID }, openFires());
    const unfinished = [...open.tracked.unfinishedOf(fires[0]!.task)];
    assert.deepEqual(unfinished.map((each) => each.open.dueMs - T0), [1, 3, 5, 9]);
  });
});

describe("follower() on what is delivered once more", () => {
  it("sees a message go that waited again when its leader began", async () => {
    const rig = followRig({ task: { ignoreResult: true } });
    const open = await rig.publish();
    rig.take(open);
    await rig.watch(3 * SECOND);
    rig.giveBack(open);
    await rig.watch(70 * SECOND);
    await rig.changeLeader();
    await rig.watch(10 * SECOND);
    rig.take(open);
    rig.ack(open);
    await rig.watch(70 * SECOND);
    assert.deepEqual((await rig.story()).slice(-2), ["acked broker", "finished unknown"]);
  });

  it("waits again whether a retry explains a receipt", async () => {
    const { rig, open } = await begun({}, false);
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
    const { rig, open } = await begun({ task: { ignoreResult: true } }, false);
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
    const { rig, open } = await begun({}, false);
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

describe("follower() after a reply that was lost", () => {
  it("does not forget what a worker told meanwhile", async () => {
    const rig = followRig({ task: { ignoreResult: true } });
    const open = await rig.publish();
    rig.advance(SECOND);
    rig.take(open);
    rig.event(open, "received");
    rig.faults.loseReply = 1;
    await assert.rejects(rig.sample(), JournalUnavailableError);
    rig.event(open, "succeeded");
    rig.ack(open);
    await rig.watch(60 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event", "acked event", "finished success"]);
  });

  it("records what comes for a fire that was given up in it", async () => {
    const rig = followRig({ task: { giveUpMs: 60_000, takeByMs: HOUR } });
    const open = await rig.publish();
    rig.advance(60 * SECOND);
    rig.faults.loseReply = 1;
    await assert.rejects(rig.sample(), JournalUnavailableError);
    await rig.watch(3 * SECOND);
    rig.storeResult(open, "SUCCESS");
    await rig.watch(60 * SECOND);
    assert.deepEqual(await rig.story(), [
      "expired unacknowledged beat",
      "late_ack result success",
    ]);
  });
});
