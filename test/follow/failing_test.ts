/** A follower whose calls fail, or whose leader ends: nothing is lost, repeated or forgotten. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { auditOf } from "../../src/audit/audit.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import { openKey } from "../../src/open_fire.ts";
import { WHOLE } from "../support/audited.ts";
import { rowsOf, T0 } from "../support/build.ts";
import { beatFor, followRig, idsOf, oneFire, runningFire, WORKER } from "../support/follow_rig.ts";

const SECOND = 1_000;
const HOUR = 3_600_000;

/** A fire that was given up, and the reply to that was lost. */
async function givenUp() {
  const { rig, open } = await oneFire({ task: { giveUpMs: HOUR } });
  await rig.watch(HOUR - 5 * SECOND);
  rig.advance(5 * SECOND);
  rig.faults.loseReply = 1;
  await assert.rejects(rig.sample(), JournalUnavailableError);
  return { rig, open };
}

describe("follower() when something fails", () => {
  it("tells what it has settled, also where it failed after that", async () => {
    const { rig, open } = await oneFire();
    rig.advance(1);
    await rig.publish();
    rig.take(open);
    rig.event(open, "failed");
    rig.faults.queues = 1;
    await assert.rejects(rig.sample(), JournalUnavailableError);
    assert.deepEqual(await rig.story(open), ["acked event", "finished failure"]);
    assert.equal(rig.settled.length, 1, "it may fail for as long as it leads");
    await rig.sample();
    assert.equal(rig.settled.length, 1);
  });

  it("records a late ack of what it ended, and the reply to that was lost", async () => {
    const { rig, open } = await givenUp();
    const told = rig.settled.length;
    await rig.sample();
    assert.equal(rig.settled.length, told + 1);
    rig.storeResult(open, "SUCCESS");
    await rig.watch(60 * SECOND);
    assert.deepEqual((await rig.story()).slice(-2), [
      "expired unacknowledged beat",
      "late_ack result success",
    ]);
  });

  it("repeats nothing and loses nothing when a request or a reply is lost", async () => {
    for (const fault of ["settle", "loseReply"] as const) {
      const { rig, open } = await oneFire();
      rig.take(open);
      rig.storeResult(open, "SUCCESS");
      rig.faults[fault] = 1;
      await assert.rejects(rig.sample(), JournalUnavailableError);
      await rig.watch(5 * SECOND);
      assert.deepEqual(await rig.story(), ["acked result", "finished success"], fault);
      assert.equal(rig.world.open.size, 0);
    }
  });

  it("records a late ack once, though the reply was lost", async () => {
    const { rig, open } = await oneFire({ task: { giveUpMs: HOUR } });
    await rig.watch(HOUR + 2 * SECOND);
    const other = await rig.publish();
    rig.storeResult(open, "SUCCESS");
    rig.faults.commit = 1;
    await assert.rejects(rig.watch(60 * SECOND), JournalUnavailableError);
    await rig.watch(60 * SECOND);
    assert.deepEqual((await rig.story(open)).slice(2), ["late_ack result success"]);
    rig.advance(HOUR);
    await rig.watch(2 * SECOND);
    rig.storeResult(other, "FAILURE");
    await rig.watch(60 * SECOND);
    assert.equal((await rig.story(other)).at(-1), "late_ack result failure");
  });

  it("concludes nothing from silence while the result backend is away", async () => {
    const { rig, open } = await oneFire({ task: { giveUpMs: 60_000, expiresMs: 20_000 } });
    const held = await rig.publish();
    rig.take(open);
    rig.ack(open);
    rig.take(held);
    rig.faults.results = 1;
    await rig.watch(200 * SECOND);
    assert.deepEqual(await rig.story(), ["taken unacked"]);
    rig.faults.results = 0;
    rig.storeResult(open, "SUCCESS");
    await rig.watch(60 * SECOND);
    assert.deepEqual(await rig.story(open), ["acked result", "finished success"]);
    assert.equal(rig.log.lines.length, 2);
  });

  it("goes on after the broker was away", async () => {
    const { rig, open } = await oneFire();
    rig.take(open);
    rig.sensors.tell({ kind: "result", taskId: idsOf(open).taskId });
    rig.storeResult(open, "SUCCESS");
    rig.faults.queues = 1;
    await assert.rejects(rig.sample(), JournalUnavailableError);
    await rig.watch(2 * SECOND);
    assert.deepEqual(await rig.story(), ["acked result", "finished success"]);
  });

  it("says that it is fenced, and writes nothing", async () => {
    const { rig, open } = await oneFire();
    rig.storeResult(open, "SUCCESS");
    rig.take(open);
    rig.store.fence = 2;
    assert.equal((await rig.sample()).isFenced, true);
    assert.deepEqual(await rig.story(), []);
  });

  it("takes over what another leader left open", async () => {
    const rig = followRig();
    const opens = [];
    for (let count = 0; count < 5; count++) {
      opens.push(await rig.publish());
      rig.advance(10);
    }
    const [taken, acked, queued, gone] = opens;
    for (const open of [taken!, acked!]) rig.take(open);
    rig.ack(acked!);
    await rig.watch(3 * SECOND);
    rig.take(gone!);
    rig.storeResult(gone!, "SUCCESS");
    await rig.changeLeader();
    for (const open of [taken!, acked!]) rig.storeResult(open, "SUCCESS");
    await rig.watch(3 * SECOND);
    assert.deepEqual([...rig.world.open.values()].map(openKey), [queued!, opens[4]!].map(openKey));
    assert.deepEqual(await rig.story(acked!), ["acked broker", "finished success"]);
  });

  it("ends what it has ended, also where nothing says so any more, and the reply was lost", async () => {
    const { rig } = await runningFire();
    await beatFor(rig, 6);
    await rig.watch(9 * SECOND);
    rig.faults.loseReply = 1;
    await assert.rejects(rig.watch(2 * SECOND), JournalUnavailableError);
    assert.equal((await rig.story()).at(-1), "finished lost");
    rig.beat(WORKER);
    const told = rig.settled.length;
    await rig.sample();
    assert.equal(rig.settled.length, told + 1);
    assert.equal(rig.world.open.size, 0);
  });

  it("records what comes for a fire before it has read that it was given up", async () => {
    const { rig, open } = await givenUp();
    rig.storeResult(open, "SUCCESS");
    await rig.watch(60 * SECOND);
    assert.deepEqual((await rig.story()).slice(-2), [
      "expired unacknowledged beat",
      "late_ack result success",
    ]);
  });

  it("lets go of one alone of too many, though the request was lost", async () => {
    const rig = followRig();
    for (let count = 0; count < 101; count++) {
      if (count === 100) await rig.watch(5 * SECOND);
      const open = await rig.publish();
      rig.take(open);
      rig.ack(open);
      rig.advance(1);
    }
    // The last is acked, and the first is to be let go.
    await rig.watch(2 * SECOND);
    rig.faults.settle = 1;
    await assert.rejects(rig.sample(), JournalUnavailableError);
    await rig.watch(10 * SECOND);
    assert.equal(rig.world.open.size, 100);
  });

  it("does not forget what a worker told after a reply was lost", async () => {
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
});
