/** Commits that get lost, late or refused, and outcomes that were not expected. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import type { Term } from "../../src/core/chain.ts";
import type { World } from "../../src/core/world.ts";
import { cursorText } from "../../src/core/world.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import type { Committed, Step } from "../../src/ports.ts";
import { aReady, aWorld, publishSteps, T0 } from "../support/build.ts";
import {
  aDesk,
  bothSides,
  type Desk,
  FENCE,
  messageCount,
  publishedOf,
  TERM,
} from "../support/desk.ts";
import type { Fault } from "../support/flaky_journal.ts";

const NEXT = { ...TERM, fence: FENCE + 1 };

describe("committer()", () => {
  it("takes in what was committed, and says what it was", async () => {
    const { desk, world, sender } = prepared(["a", "b"]);
    const tally = await sender.commitAll([fires(world, "a", 1), fires(world, "b", 1, 2)], FENCE);
    assert.equal(tally.published, 3);
    assert.equal(tally.committed, 3);
    assert.deepEqual(tally.spoken.map(({ open: { task, dueMs } }) => [task, dueMs - START]), [
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

  it("sends nothing again whose outcome is not known, and guesses nothing of it", async () => {
    for (const fault of ["request", "reply", "late"] as const) {
      const { desk, world, sender } = prepared(["a", "b"]);
      const lost = fires(world, "a", 1);
      desk.journal.faults.push(fault);
      await assert.rejects(sender.commitAll([lost], FENCE), { retry: "backoff" });
      assert.equal(cursorText(world, "a"), `${START} ${revision}`);
      assert.equal(world.open.size, 0);
      const fresh = fires(world, "b", 1);
      await sender.commitAll([], FENCE);
      await sender.commitAll([fresh], FENCE);
      assert.deepEqual(desk.journal.asked, [lost, fresh], fault);
    }
  });

  it("carries out what was staged first, all of it at once, and then sends the rest", async () => {
    const { desk, world, sender } = prepared(["a", "b", "c", "d"], { stepsMin: 1 });
    const crowd = ["a", "b", "c"].map((task) => fires(world, task, 1));
    const ahead = sender.stage(crowd, FENCE);
    assert.deepEqual(desk.journal.asked, []);
    const rest = fires(world, "d", 1);
    const tally = await sender.commitAll([rest], FENCE, ahead);
    assert.equal(tally.published, 4);
    assert.deepEqual(desk.journal.asked, [...crowd, rest]);
    assert.equal(desk.journal.inFlightMax, 3);
    assertAgreed(desk, world);
  });

  it("takes in each part of what was staged, whatever becomes of another", async () => {
    for (const [at, task] of ["a", "b", "c"].entries()) {
      const { desk, world, sender } = prepared(["a", "b", "c", "d"], { stepsMin: 1 });
      const ahead = sender.stage(["a", "b", "c"].map((name) => fires(world, name, 1)), FENCE);
      desk.journal.faults.push(...["none", "none", "none"].with(at, "refused") as Fault[]);
      const rest = fires(world, "d", 1);
      await assert.rejects(sender.commitAll([rest], FENCE, ahead), { retry: "alarm" });
      assert.ok(!desk.journal.asked.includes(rest));
      assert.deepEqual(publishedOf(desk, task), []);
      assert.equal(messageCount(desk), 2);
      assertAgreed(desk, world);
    }
  });

  it("stages crowds only", () => {
    const { desk, world, sender } = prepared(["a", "b"], { stepsMin: 3 });
    assert.equal(sender.stage([fires(world, "a", 1), fires(world, "b", 1)], FENCE), null);
    assert.notEqual(sender.stage([fires(world, "a", 1, 2), fires(world, "b", 1)], FENCE), null);
    assert.equal(desk.stages.length, 1);
    assert.equal(prepared(["a"]).sender.stage([fires(world, "a", 1)], FENCE), null);
  });

  it("refuses a call that arrives after the next term has begun", async () => {
    const { desk, world, sender } = prepared(["a"]);
    desk.journal.faults.push("late");
    await assert.rejects(sender.commitAll([fires(world, "a", 1)], FENCE));
    desk.store.fence = NEXT.fence;
    const next = await desk.load();
    assert.deepEqual(await desk.journal.arrive(), [{ kind: "fenced" }]);
    assert.equal(messageCount(desk), 0);
    assertAgreed(desk, next);
    await desk.committer(next).commitAll([fires(next, "a", 1)], NEXT.fence);
    assert.deepEqual(publishedOf(desk, "a"), [START + 1]);
    assertAgreed(desk, next);
  });

  it("finds in the next term what arrived before it", async () => {
    const { desk, world, sender } = prepared(["a"]);
    desk.journal.faults.push("late");
    await assert.rejects(sender.commitAll([fires(world, "a", 1)], FENCE));
    await desk.journal.arrive();
    desk.store.fence = NEXT.fence;
    const next = await desk.load();
    assert.equal(next.cursors.get("a")?.dueMs, START + 1);
    assert.equal(next.open.size, 1);
  });

  it("sends no further batch after a failure, and waits for what is under way", async () => {
    for (const fault of ["request", "reply", "late", "refused"] as const) {
      const { desk, world, sender } = prepared(["a", "b", "c"]);
      desk.journal.faults.push(fault, "held");
      const batches = ["a", "b", "c"].map((task) => fires(world, task, 1));
      const sent = watched(sender.commitAll(batches, FENCE));
      await settled();
      assert.equal(sent.isOver, false);
      desk.journal.letGo();
      await assert.rejects(sent.promise, JournalUnavailableError);
      assert.deepEqual(desk.journal.asked, batches.slice(0, 2), fault);
      assert.deepEqual(publishedOf(desk, "b"), [START + 1]);
      assert.equal(world.cursors.get("b")?.dueMs, START + 1, "what was answered is known");
    }
  });

  it("throws that an outcome is not known, even where the other call was refused", async () => {
    for (const unknown of ["request", "reply", "late"] as const) {
      for (const faults of [["refused", unknown], [unknown, "refused"]] as const) {
        const { desk, world, sender } = prepared(["a", "b"]);
        desk.journal.faults.push(...faults);
        const batches = [fires(world, "a", 1), fires(world, "b", 1)];
        await assert.rejects(sender.commitAll(batches, FENCE), { retry: "backoff" });
        assert.equal(desk.journal.asked.length, 2, faults.join());
      }
    }
  });

  it("throws what no waiting mends, even where the other call was refused", async () => {
    for (const isFirst of [true, false]) {
      const { desk, world, sender } = prepared(["a", "b"]);
      desk.journal.faults.push(...isFirst ? ["none", "refused"] as const : ["refused"] as const);
      const broken = fires(world, "a", 1).map((step) => ({ ...step, notBeforeMs: 0.5 }));
      const sound = fires(world, "b", 1);
      const batches = isFirst ? [broken, sound] : [sound, broken];
      await assert.rejects(sender.commitAll(batches, FENCE), /notBeforeMs/);
    }
  });

  it("goes on in the same term where a call was refused", async () => {
    const { desk, world, sender } = prepared(["a", "b"]);
    desk.journal.faults.push("refused");
    const batches = () => [fires(world, "a", 1), fires(world, "b", 1)];
    await assert.rejects(sender.commitAll(batches(), FENCE), { retry: "alarm" });
    assert.deepEqual([publishedOf(desk, "a"), publishedOf(desk, "b")], [[], [START + 1]]);
    assertAgreed(desk, world);
    const tally = await sender.commitAll([fires(world, "a", 1)], FENCE);
    assert.equal(tally.published, 1);
    assert.equal(desk.journal.reloads.length, 0);
    assertAgreed(desk, world);
  });

  it("leaves nothing under way where planning the next batch throws", async () => {
    const { desk, world, sender } = prepared(["a"]);
    desk.journal.faults.push("held");
    function* batches(): Generator<readonly Step[]> {
      yield fires(world, "a", 1);
      throw new TypeError("a defect");
    }
    const sent = watched(sender.commitAll(batches(), FENCE));
    await settled();
    assert.equal(sent.isOver, false);
    desk.journal.letGo();
    await assert.rejects(sent.promise, /a defect/);
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

  it("leaves what was decided too long ago, with all that stands behind it", async () => {
    const { desk, world, sender } = prepared(["a", "b"]);
    const [first, second] = fires(world, "a", 1, 2);
    const row = { ...first!.row, decidedMs: START - 20_000 };
    const stale = { ...first!, row, notAfterMs: START - 10_000 };
    const tally = await sender.commitAll([[stale, second!, ...fires(world, "b", 1)]], FENCE);
    assert.ok(tally.staleByMs >= 20_000);
    assert.deepEqual([publishedOf(desk, "a"), publishedOf(desk, "b")], [[], [START + 1]]);
    assert.deepEqual([...tally.reread], []);
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

  it("lets an error through that is a defect, and sends nothing again", async () => {
    const { desk, world, sender } = prepared(["a"]);
    const [step] = fires(world, "a", 1);
    await assert.rejects(
      sender.commitAll([[{ ...step!, notBeforeMs: 0.5 }]], FENCE),
      /notBeforeMs/,
    );
    await sender.commitAll([], FENCE);
    assert.equal(desk.journal.asked.length, 1);
  });

  it("publishes each fire once and knows it, whatever is lost, late or refused", async () => {
    await fc.assert(fc.asyncProperty(aRun(), async ({ faults, arrivals }) => {
      const { desk, ...first } = prepared(["a", "b", "c"]);
      desk.journal.faults.push(...faults);
      let { world, sender } = first;
      let term = TERM;
      for (let round = 0; round < 40 && isOpen(world); round++) {
        const error = await sender.commitAll(planned(world, term), term.fence).catch((it) => it);
        if (!(error instanceof Error)) continue;
        assert.ok(error instanceof JournalUnavailableError);
        if (error.retry === "alarm") continue;
        const arrival = arrivals.shift();
        if (arrival === "before the term") await desk.journal.arrive();
        term = { ...term, fence: term.fence + 1 };
        desk.store.fence = term.fence;
        if (arrival === "before it is loaded") assertFenced(await desk.journal.arrive());
        world = await desk.load();
        sender = desk.committer(world);
        if (arrival === "after") assertFenced(await desk.journal.arrive());
      }
      if (term.fence !== FENCE) assertFenced(await desk.journal.arrive());
      for (const task of ["a", "b", "c"]) {
        assert.deepEqual(publishedOf(desk, task), [1, 2, 3].map((each) => START + each));
      }
      assert.equal(messageCount(desk), 9);
      assert.equal(new Set(desk.journal.asked).size, desk.journal.asked.length);
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

function prepared(tasks: readonly string[], options: Parameters<typeof aDesk>[0] = {}) {
  const desk = aDesk(options);
  const world = aWorld(Object.fromEntries(tasks.map((task) => [task, { dueMs: START, revision }])));
  for (const task of tasks) desk.store.cursors.set(task, `${START} ${revision}`);
  return { desk, world, sender: desk.committer(world) };
}

/** Steps that publish `task` so many milliseconds after `START`. */
function fires(world: World, task: string, ...afterMs: readonly number[]): Step[] {
  return firesOf(TERM, world, task, afterMs);
}

function firesOf(term: Term, world: World, task: string, afterMs: readonly number[]): Step[] {
  const dueTimes = afterMs.map((each) => START + each);
  const cursor = cursorText(world, task);
  return publishSteps(READY.get(task)!, dueTimes, { cursor, term, nowMs: T0 });
}

/** What befalls the calls, and when the late ones arrive. */
function aRun() {
  const fault = fc.constantFrom<Fault>("none", "request", "reply", "late", "refused");
  const arrival = fc.constantFrom("before the term", "before it is loaded", "after", "never");
  return fc.record({
    faults: fc.array(fault, { maxLength: 12 }),
    arrivals: fc.array(arrival, { maxLength: 8 }),
  });
}

/** The next fire of each task that is not through, in two batches; made when it is asked for. */
function* planned(world: World, term: Term): Generator<readonly Step[]> {
  for (const tasks of [["a", "b"], ["c"]]) {
    yield tasks.flatMap((task) => {
      const afterMs = world.cursors.get(task)!.dueMs + 1 - START;
      return afterMs <= 3 ? firesOf(term, world, task, [afterMs]) : [];
    });
  }
}

function isOpen({ cursors }: World): boolean {
  return [...cursors.values()].some(({ dueMs }) => dueMs < START + 3);
}

function assertFenced(replies: readonly Committed[]): void {
  for (const { kind } of replies) assert.equal(kind, "fenced");
}

function assertAgreed(desk: Desk, world: World): void {
  const { redis, leader } = bothSides(desk, world);
  assert.deepEqual(leader, redis);
}

/** Lets everything run that waits for nothing. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** A promise, and whether it is over by now. */
function watched<T>(promise: Promise<T>) {
  const state = { promise, isOver: false };
  const note = () => void (state.isOver = true);
  promise.then(note, note);
  return state;
}
