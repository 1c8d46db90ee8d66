/** Fires followed to their end, second by second, over a broker that the test moves by hand. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { wantedName } from "../../src/fire.ts";
import { openKey } from "../../src/open_fire.ts";
import { ANOTHER, followRig, idsOf, oneFire, OTHERS } from "../support/follow_rig.ts";

const SECOND = 1_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe("follower() on a fire that runs", () => {
  it("acks and finishes by the result, without ever having seen it taken", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    rig.ack(open);
    rig.storeResult(open, "SUCCESS");
    await rig.sample();
    assert.deepEqual(await rig.story(), ["acked result", "finished success"]);
    assert.equal(rig.world.open.size, 0);
  });

  it("sees it taken, then failed", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    await rig.watch(2 * SECOND);
    rig.storeResult(open, "FAILURE");
    rig.ack(open);
    await rig.watch(5 * SECOND);
    assert.deepEqual(await rig.story(), ["taken unacked", "acked result", "finished failure"]);
  });

  it("takes STARTED of an early ack for taken, its absence from the broker for acked", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    rig.ack(open);
    rig.storeResult(open, "STARTED");
    await rig.sample();
    assert.deepEqual(await rig.story(), ["taken result"]);
    await rig.watch(4 * SECOND);
    assert.deepEqual(await rig.story(), ["taken result", "acked broker"]);
    rig.storeResult(open, "SUCCESS");
    await rig.watch(60 * SECOND);
    assert.deepEqual(await rig.story(), ["taken result", "acked broker", "finished success"]);
  });

  it("looks at one that runs for long ever less often, and sees its end in a tenth of its time", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    rig.ack(open);
    await rig.watch(600 * SECOND);
    const before = rig.faults.asked;
    await rig.watch(1_400 * SECOND);
    assert.ok(rig.faults.asked - before < 30, `${rig.faults.asked - before} looks`);
    const other = await rig.publish();
    rig.take(other);
    rig.ack(other);
    await rig.watch(40 * SECOND);
    rig.storeResult(other, "SUCCESS");
    await rig.watch(5 * SECOND);
    assert.equal((await rig.story(other)).at(-1), "finished success");
  });

  it("needs two looks a second apart before the broker's silence is an ack", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    rig.ack(open);
    await rig.sample();
    rig.advance(SECOND - 1);
    await rig.sample();
    assert.deepEqual(await rig.story(), []);
    rig.advance(1);
    await rig.sample();
    assert.deepEqual(await rig.story(), ["acked broker"]);
  });

  it("does not take the moment between list and reservation for an ack", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    rig.ack(open);
    await rig.sample();
    rig.sensors.unacked.set(idsOf(open).tag, "first");
    await rig.watch(10 * SECOND);
    assert.deepEqual(await rig.story(), ["taken unacked"]);
  });

  it("closes with an unknown outcome where results are ignored", async () => {
    for (const options of [{ task: { ignoreResult: true } }, { hasResults: false }]) {
      const { rig, open } = await oneFire(options);
      rig.take(open);
      rig.ack(open);
      await rig.watch(3 * SECOND);
      assert.deepEqual(await rig.story(), ["acked broker", "finished unknown"]);
      assert.equal(rig.world.open.size, 0);
    }
  });

  it("knows that results of a fire which somebody asked for are ignored with those of its task", async () => {
    const rig = followRig({ task: { ignoreResult: true } });
    const open = await rig.publish(wantedName("check.echo", "r1"));
    rig.advance(SECOND);
    rig.take(open);
    rig.ack(open);
    await rig.watch(3 * SECOND);
    assert.deepEqual(await rig.story(open), ["acked broker", "finished unknown"]);
  });

  it("goes on looking where Redis' clock is set back", async () => {
    const { rig } = await oneFire({ hasResults: false });
    await rig.watch(10 * SECOND);
    rig.advance(-HOUR / 2);
    const open = await rig.publish();
    rig.advance(SECOND);
    rig.take(open);
    await rig.watch(5 * SECOND);
    rig.ack(open);
    await rig.watch(60 * SECOND);
    const story = ["taken unacked", "acked broker", "finished unknown"];
    assert.deepEqual(await rig.story(open), story);
  });

  it("counts two looks anew where Redis' clock was set back between them", async () => {
    const { rig, open } = await oneFire();
    rig.advance(2 * HOUR);
    rig.take(open);
    await rig.watch(2 * SECOND);
    rig.ack(open);
    rig.hint({ kind: "result", taskId: idsOf(open).taskId });
    await rig.sample();
    rig.advance(-HOUR);
    await rig.watch(5 * SECOND);
    assert.deepEqual(await rig.story(), ["taken unacked", "acked broker"]);
  });

  it("does not end with a retry, whose message has another tag", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    rig.ack(open);
    rig.storeResult(open, "RETRY");
    await rig.watch(10 * SECOND);
    assert.deepEqual(await rig.story(), ["taken result"]);
    rig.storeResult(open, "SUCCESS");
    await rig.watch(60 * SECOND);
    assert.deepEqual(await rig.story(), ["taken result", "acked result", "finished success"]);
  });

  it("lets a six-hour backup stay taken, and does not ask every second", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    let asked = 0;
    const { reservations } = rig.sensors;
    rig.sensors.reservations = (tags) => {
      asked += tags.length;
      return reservations(tags);
    };
    await rig.watch(6 * HOUR);
    assert.deepEqual(await rig.story(), ["taken unacked"]);
    assert.ok(asked < 400, `expected at most a look a minute, got ${asked}`);
  });

  it("does not count a result that is older than the publish", async () => {
    const { rig, open } = await oneFire();
    rig.storeResult(open, "SUCCESS", { doneMs: open.publishedMs - 1_001 });
    await rig.watch(3 * SECOND);
    assert.deepEqual(await rig.story(), []);
  });

  it("sees the end of a run on a worker whose clock is behind", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    rig.ack(open);
    rig.storeResult(open, "SUCCESS", { doneMs: open.publishedMs - 5 * SECOND });
    await rig.watch(5 * SECOND);
    assert.deepEqual(await rig.story(), ["acked broker"], "it may be the result of a copy");
    await rig.watch(60 * SECOND);
    assert.deepEqual(await rig.story(), ["acked broker", "finished success"]);
  });

  it("awaits the finish of a hundred fires of a task, and no more", async () => {
    const rig = followRig();
    const opens = [];
    for (let count = 0; count < 103; count++) {
      opens.push(await rig.publish());
      rig.advance(1);
    }
    for (const open of opens) {
      rig.take(open);
      rig.ack(open);
    }
    await rig.watch(10 * SECOND);
    assert.equal(rig.world.open.size, 100);
    for (const open of opens.slice(0, 3)) {
      assert.deepEqual(await rig.story(open), ["acked broker", "finished unknown"]);
    }
  });

  it("awaits a finish no longer where leaders change every few hours", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    await rig.watch(2 * SECOND);
    rig.ack(open);
    await rig.watch(5 * SECOND);
    assert.deepEqual(await rig.story(), ["taken unacked", "acked broker"]);
    for (let hours = 0; hours < 48; hours += 12) {
      rig.advance(12 * HOUR);
      await rig.changeLeader();
      await rig.watch(5 * SECOND);
    }
    assert.equal((await rig.story()).at(-1), "finished unknown");
  });

  it("awaits a finish for a day", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    rig.ack(open);
    await rig.watch(DAY - 60 * SECOND);
    assert.deepEqual(await rig.story(), ["acked broker"]);
    await rig.watch(3 * 60 * SECOND);
    assert.deepEqual(await rig.story(), ["acked broker", "finished unknown"]);
  });
});

describe("follower() on a message that waits", () => {
  it("raises overdue once, and keeps the message", async () => {
    const { rig, open } = await oneFire();
    await rig.watch(HOUR);
    assert.deepEqual(await rig.story(), ["overdue"]);
    assert.notEqual(rig.find(open), undefined);
    rig.take(open);
    await rig.watch(2 * SECOND);
    assert.deepEqual(await rig.story(), ["overdue", "taken unacked"]);
  });

  it("removes it once its own end has passed by more than a second", async () => {
    const { rig, open } = await oneFire({ task: { expiresMs: 10_000 } });
    await rig.watch(10 * SECOND);
    assert.deepEqual(await rig.story(), []);
    await rig.watch(SECOND);
    assert.deepEqual(await rig.story(), ["expired ttl beat"]);
    assert.equal(rig.find(open), undefined);
    assert.equal(rig.world.open.size, 0);
  });

  it("does not touch an expired message that a worker holds: the worker decides", async () => {
    const { rig, open } = await oneFire({ task: { expiresMs: 10_000 } });
    rig.take(open);
    await rig.watch(HOUR);
    assert.deepEqual(await rig.story(), ["taken unacked"]);
    rig.ack(open);
    rig.storeResult(open, "REVOKED", { revokedAs: "expired" });
    await rig.watch(120 * SECOND);
    assert.deepEqual(await rig.story(), ["taken unacked", "expired ttl worker"]);
  });

  it("believes a worker that calls it expired before our clock does", async () => {
    const { rig, open } = await oneFire({ task: { expiresMs: 10_000 } });
    rig.take(open);
    rig.ack(open);
    rig.storeResult(open, "REVOKED", { revokedAs: "expired" });
    await rig.sample();
    assert.deepEqual(await rig.story(), ["expired ttl worker"]);
  });

  it("reads the evidence before it calls a fire expired", async () => {
    const { rig, open } = await oneFire({ task: { expiresMs: 10_000 } });
    rig.take(open);
    rig.giveBack(open);
    rig.storeResult(open, "SUCCESS");
    rig.advance(60 * SECOND);
    await rig.sample();
    assert.deepEqual(await rig.story(), ["acked result", "finished success"]);
    assert.notEqual(rig.find(open), undefined);
  });

  it("looks again when a worker was quicker than the removal", async () => {
    const { rig, open } = await oneFire({ task: { expiresMs: 10_000 } });
    rig.advance(60 * SECOND);
    const { settle } = rig.journal;
    rig.journal.settle = (settlements, fence) => {
      rig.take(open);
      rig.journal.settle = settle;
      return settle(settlements, fence);
    };
    await rig.sample();
    assert.deepEqual(await rig.story(), []);
    rig.ack(open);
    rig.storeResult(open, "REVOKED", { revokedAs: "expired" });
    await rig.watch(2 * SECOND);
    assert.deepEqual(await rig.story(), ["expired ttl worker"]);
  });

  it("clears an avalanche of dead messages, behind others too", async () => {
    const rig = followRig({ task: { expiresMs: 2_000 } });
    rig.store.lists.set("maintenance", Array.from({ length: 150 }, () => "somebody else's"));
    for (let count = 0; count < 3_000; count++) {
      await rig.publish();
      rig.advance(1);
    }
    rig.advance(10 * SECOND);
    for (let calls = 0; calls < 5; calls++) await rig.sample();
    assert.equal(rig.world.open.size, 0);
    assert.equal(rig.store.lists.get("maintenance")?.length, 150);
  });

  it("ends a fire that expired out of reach, and leaves the message to the workers", async () => {
    const rig = followRig({ task: { expiresMs: 2_000 } });
    rig.store.lists.set("maintenance", Array.from({ length: 1_500 }, () => "somebody else's"));
    const open = await rig.publish();
    await rig.watch(59 * SECOND);
    assert.deepEqual(await rig.story(), []);
    await rig.watch(70 * SECOND);
    assert.deepEqual(await rig.story(), ["overdue", "expired ttl beat"]);
    assert.notEqual(rig.find(open), undefined);
  });

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

  it("gives up after `give_up`, and records what comes then", async () => {
    const { rig, open } = await oneFire({ task: { giveUpMs: HOUR } });
    await rig.watch(HOUR + 2 * SECOND);
    assert.deepEqual(await rig.story(), ["overdue", "expired unacknowledged beat"]);
    rig.take(open);
    rig.ack(open);
    rig.storeResult(open, "SUCCESS");
    await rig.watch(120 * SECOND);
    assert.deepEqual(await rig.story(), [
      "overdue",
      "expired unacknowledged beat",
      "late_ack result success",
    ]);
  });

  it("does not give up what workers took while nobody looked", async () => {
    const { rig, open } = await oneFire({ task: { giveUpMs: HOUR, ignoreResult: true } });
    rig.take(open);
    rig.ack(open);
    rig.advance(2 * HOUR);
    await rig.changeLeader();
    await rig.watch(3 * SECOND);
    assert.deepEqual(await rig.story(), ["acked broker", "finished unknown"]);
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

  it("finds a fire of a priority list in the plain list, where Kombu gave it back", async () => {
    const { rig, open } = await oneFire({ task: { priority: 9, expiresMs: HOUR } });
    assert.equal(open.list, "maintenance\x06\x169");
    rig.take(open);
    await rig.watch(2 * SECOND);
    rig.giveBack(open, "maintenance");
    await rig.watch(10 * SECOND);
    assert.deepEqual(await rig.story(), ["taken unacked", "redelivered 2"]);
    await rig.watch(2 * HOUR);
    assert.deepEqual((await rig.story()).slice(2), ["overdue", "expired ttl beat"]);
    assert.equal(rig.find(open), undefined);
  });
});
