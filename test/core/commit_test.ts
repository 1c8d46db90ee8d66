/** Commits whose requests and replies get lost, and outcomes that were not expected. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import { decide } from "../../src/core/decide.ts";
import type { World } from "../../src/core/world.ts";
import { cursorText } from "../../src/core/world.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import type { Step } from "../../src/ports.ts";
import { aReady, aWorld, T0 } from "../support/build.ts";
import {
  aDesk,
  bothSides,
  type Desk,
  FENCE,
  messageCount,
  publishedOf,
  TERM,
} from "../support/desk.ts";

describe("committer()", () => {
  it("takes in what was committed, and says what it was", async () => {
    const { desk, world, sender } = prepared(["a", "b"]);
    const tally = await sender.commitAll([fires(world, "a", 1), fires(world, "b", 1, 2)], FENCE);
    assert.equal(tally.published, 3);
    assert.equal(tally.committed, 3);
    assert.deepEqual(tally.spoken.map(({ task, dueMs }) => [task, dueMs - START]), [
      ["a", 1],
      ["b", 1],
      ["b", 2],
    ]);
    assertAgreed(desk, world);
  });

  it("speaks of a few fires of a crowd, and counts all", async () => {
    const { world, sender } = prepared(["a"]);
    const crowd = Array.from({ length: 50 }, (_, index) => index + 1);
    const tally = await sender.commitAll([fires(world, "a", ...crowd)], FENCE);
    assert.equal(tally.published, 50);
    assert.equal(tally.spoken.length, 8);
  });

  it("sends a call whose reply was lost again to the letter, before anything new", async () => {
    const { desk, world, sender } = prepared(["a", "b"]);
    const lost = fires(world, "a", 1);
    desk.journal.faults.push("reply");
    await assert.rejects(sender.commitAll([lost], FENCE), JournalUnavailableError);
    const fresh = fires(world, "b", 1);
    await sender.commitAll([fresh], FENCE);
    assert.deepEqual(desk.journal.asked, [lost, lost, fresh]);
    assert.equal(desk.journal.asked[1], lost);
    assert.deepEqual(publishedOf(desk, "a"), [START + 1]);
    assert.equal(messageCount(desk), 2);
    assertAgreed(desk, world);
  });

  it("carries out a call whose request was lost", async () => {
    const { desk, world, sender } = prepared(["a"]);
    desk.journal.faults.push("request");
    await assert.rejects(sender.commitAll([fires(world, "a", 1)], FENCE));
    const tally = await sender.commitAll([], FENCE);
    assert.equal(tally.published, 1);
    assert.deepEqual(publishedOf(desk, "a"), [START + 1]);
    assertAgreed(desk, world);
  });

  it("asks for new batches only when nothing is in doubt any more", async () => {
    const { desk, world, sender } = prepared(["a", "b"]);
    desk.journal.faults.push("reply", "request");
    await assert.rejects(sender.commitAll([fires(world, "a", 1)], FENCE));
    let isAsked = false;
    function* batches(): Generator<readonly Step[]> {
      isAsked = true;
      yield fires(world, "b", 1);
    }
    await assert.rejects(sender.commitAll(batches(), FENCE));
    assert.equal(isAsked, false);
    await sender.commitAll(batches(), FENCE);
    assert.deepEqual([publishedOf(desk, "a"), publishedOf(desk, "b")], [[START + 1], [START + 1]]);
  });

  it("keeps both calls where two in flight are lost", async () => {
    const { desk, world, sender } = prepared(["a", "b", "c"]);
    desk.journal.faults.push("reply", "request");
    const batches = ["a", "b", "c"].map((task) => fires(world, task, 1));
    await assert.rejects(sender.commitAll(batches, FENCE), /reply lost|request lost/);
    assert.deepEqual(desk.journal.asked, batches.slice(0, 2));
    desk.journal.faults.push("reply");
    await assert.rejects(sender.commitAll([], FENCE));
    await sender.commitAll([], FENCE);
    assert.deepEqual(publishedOf(desk, "a"), [START + 1]);
    assert.deepEqual(publishedOf(desk, "b"), [START + 1]);
    assert.deepEqual(publishedOf(desk, "c"), []);
    assertAgreed(desk, world);
  });

  it("has two calls in flight at most", async () => {
    const { desk, world, sender } = prepared(["a", "b", "c", "d", "e"]);
    desk.journal.faults.push("held", "held", "held", "held", "held");
    const all = sender.commitAll(
      ["a", "b", "c", "d", "e"].map((task) => fires(world, task, 1)),
      FENCE,
    );
    for (let answered = 0; answered < 5; answered++) {
      await settled();
      assert.equal(desk.journal.inFlight.size, Math.min(2, 5 - answered));
      desk.journal.letGo();
    }
    await all;
    assert.equal(desk.journal.inFlightMax, 2);
  });

  it("reads again what somebody else has moved, and publishes nothing in its place", async () => {
    const { desk, world, sender } = prepared(["a"]);
    const steps = fires(world, "a", 1);
    desk.store.cursors.set("a", `${START + 5} ${revision}`);
    const tally = await sender.commitAll([steps], FENCE);
    assert.deepEqual([...tally.reread], ["a"]);
    assert.equal(messageCount(desk), 0);
    assertAgreed(desk, world);
  });

  it("reads a cursor again that went back, so that the same fires go out again", async () => {
    const { desk, world, sender } = prepared(["a"]);
    await sender.commitAll([fires(world, "a", 1)], FENCE);
    desk.store.cursors.set("a", `${START} ${revision}`);
    const tally = await sender.commitAll([fires(world, "a", 2)], FENCE);
    assert.deepEqual([...tally.reread], ["a"]);
    assert.equal(world.cursors.get("a")?.dueMs, START);
  });

  it("reads a cursor again that is gone", async () => {
    const { desk, world, sender } = prepared(["a"]);
    desk.store.cursors.clear();
    await sender.commitAll([fires(world, "a", 1)], FENCE);
    assert.equal(world.cursors.has("a"), false);
  });

  it("reads a cursor again that is under another revision, and says so", async () => {
    const { desk, world, sender } = prepared(["a"]);
    desk.store.cursors.set("a", `${T0} old.old`);
    const tally = await sender.commitAll([fires(world, "a", 1)], FENCE);
    assert.deepEqual([...tally.otherRevision], ["a"]);
    assert.equal(world.cursors.get("a")?.revision, "old.old");
  });

  it("stays at what is early, with all that stands behind it", async () => {
    const { desk, world, sender } = prepared(["a", "b"]);
    const steps = [...fires(world, "a", 1_040, 1_055), ...fires(world, "b", 1)];
    const tally = await sender.commitAll([steps], FENCE);
    assert.equal(tally.earlyByMs, 40);
    assert.deepEqual([publishedOf(desk, "a"), publishedOf(desk, "b")], [[], [START + 1]]);
    assert.deepEqual([...tally.reread], [], "what stands behind an early step is no surprise");
    assert.equal(desk.journal.reloads.length, 0);
    assertAgreed(desk, world);
  });

  it("goes on with other tasks where one list is of another type", async () => {
    const { desk, world, sender } = prepared(["a", "b"]);
    desk.store.foreignLists.add("list-of-a");
    const steps = [...fires(world, "a", 1, 2), ...fires(world, "b", 1, 2)];
    const tally = await sender.commitAll([steps], FENCE);
    assert.deepEqual([...tally.wrongType], ["a"]);
    assert.deepEqual([...tally.reread], []);
    assert.deepEqual(publishedOf(desk, "b"), [START + 1, START + 2]);
    assert.deepEqual(publishedOf(desk, "a"), []);
    assertAgreed(desk, world);
  });

  it("stops at once where somebody newer leads", async () => {
    const { desk, world, sender } = prepared(["a", "b", "c"]);
    desk.store.fence = FENCE + 1;
    const batches = ["a", "b", "c"].map((task) => fires(world, task, 1));
    const tally = await sender.commitAll(batches, FENCE);
    assert.equal(tally.isFenced, true);
    assert.ok(desk.journal.asked.length <= 2);
    assert.equal(messageCount(desk), 0);
  });

  it("asks for nothing new where it is fenced while it repeats a call", async () => {
    const { desk, world, sender } = prepared(["a", "b"]);
    desk.journal.faults.push("reply");
    await assert.rejects(sender.commitAll([fires(world, "a", 1)], FENCE));
    desk.store.fence = FENCE + 1;
    const tally = await sender.commitAll([fires(world, "b", 1)], FENCE);
    assert.equal(tally.isFenced, true);
    assert.equal(desk.journal.asked.length, 2);
  });

  it("lets an error through that is a defect, and keeps nothing in doubt of it", async () => {
    const { desk, world, sender } = prepared(["a"]);
    const [step] = fires(world, "a", 1);
    await assert.rejects(
      sender.commitAll([[{ ...step!, notBeforeMs: 0.5 }]], FENCE),
      /notBeforeMs/,
    );
    await sender.commitAll([], FENCE);
    assert.equal(desk.journal.asked.length, 1);
  });

  it("publishes each fire once and knows it, whatever is lost", async () => {
    const fault = fc.constantFrom("none", "request", "reply");
    await fc.assert(fc.asyncProperty(fc.array(fault, { maxLength: 12 }), async (faults) => {
      const { desk, world, sender } = prepared(["a", "b", "c"]);
      desk.journal.faults.push(...faults as ("none" | "request" | "reply")[]);
      const due = new Map([["a", 0], ["b", 0], ["c", 0]]);
      for (let round = 0; round < 40 && [...due.values()].some((count) => count < 3); round++) {
        try {
          await sender.commitAll(planned(world, due), FENCE);
        } catch (error) {
          assert.ok(error instanceof JournalUnavailableError);
        }
        for (const task of due.keys()) due.set(task, world.cursors.get(task)!.dueMs - START);
      }
      for (const task of due.keys()) {
        assert.deepEqual(publishedOf(desk, task), [1, 2, 3].map((each) => START + each));
      }
      assert.equal(messageCount(desk), 9);
      assert.deepEqual(desk.journal.overlaps, []);
      assertAgreed(desk, world);
    }));
  });
});

/** Ready tasks by name; each has a list of its own, and all have one revision. */
const READY = new Map(
  ["a", "b", "c", "d", "e"].map((name) => [name, {
    ...aReady({ name }),
    list: `list-of-${name}`,
    revision: "same.same",
  }]),
);
const revision = "same.same";

/** Where the cursors stand: long enough ago that nothing near it is early. */
const START = T0 - 1_000;

function prepared(tasks: readonly string[]) {
  const desk = aDesk();
  const world = aWorld(Object.fromEntries(tasks.map((task) => [task, { dueMs: START, revision }])));
  for (const task of tasks) desk.store.cursors.set(task, `${START} ${revision}`);
  return { desk, world, sender: desk.committer(world) };
}

/** Steps that publish `task` so many milliseconds after `START`. */
function fires(world: World, task: string, ...afterMs: readonly number[]): Step[] {
  const gap = { dropped: null, fires: afterMs.map((each) => START + each) };
  return decide(READY.get(task)!, cursorText(world, task), gap, TERM, T0);
}

/** The next fire of each task that is not through, in two batches; made when it is asked for. */
function* planned(world: World, due: ReadonlyMap<string, number>): Generator<readonly Step[]> {
  for (const tasks of [["a", "b"], ["c"]]) {
    yield tasks.flatMap((task) => {
      const dueMs = world.cursors.get(task)!.dueMs + 1;
      return due.get(task)! < 3 && dueMs <= START + 3 ? fires(world, task, dueMs - START) : [];
    });
  }
}

function assertAgreed(desk: Desk, world: World): void {
  const { redis, leader } = bothSides(desk, world);
  assert.deepEqual(leader, redis);
}

/** Lets everything run that waits for nothing. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
