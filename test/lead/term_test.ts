/** A term's beginning and end, and the schedule that changes under it. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import { newHistory, watchHistory } from "../../src/lead/history.ts";
import { closeTerm, declare, openTerm } from "../../src/lead/term.ts";
import type { Tick } from "../../src/core/tick.ts";
import { PREPARE_MS, tick } from "../../src/core/tick.ts";
import { encodeCursor, encodeNote, pauseCursor } from "../../src/cursor.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import type { Row } from "../../src/event.ts";
import { appendRow } from "../../src/memory/store.ts";
import { gateOf } from "../../src/policies/mod.ts";
import { pause as pausePolicy } from "../../src/policies/pause.ts";
import type { Committed } from "../../src/ports.ts";
import { BATCH_MAX } from "../../src/ports.ts";
import type { Task } from "../../src/task.ts";
import { aReady, aRoster, rowsOf, T0 } from "../support/build.ts";
import { aDesk, bothSides, type Desk, FENCE, publishedOf, TERM } from "../support/desk.ts";
import { type Fault, flakyJournal } from "../support/flaky_journal.ts";

const OPENING = {
  ...{ owner: "me", epoch: "e", build: "test", lostAfter: null },
  history: newHistory(),
};
const NEXT = { ...TERM, fence: FENCE + 1 };
const SECOND = { trigger: { kind: "every", everyMs: 1000, phaseMs: 0 } } as const;
const MINUTE = { trigger: { kind: "every", everyMs: 60_000, phaseMs: 0 } } as const;

describe("openTerm()", () => {
  it("says who leads, and makes every task known from now on", async () => {
    const desk = aDesk();
    const now = await desk.open(aRoster(aTask("a"), aTask("b")));
    assert.deepEqual(await storyOf(desk), ["term.started", "task.known a", "task.known b"]);
    assert.equal(now.agenda.nextMs(), T0 + 1000);
    assertAgreed(desk, now);
  });

  it("says that the history is gone where it is", async () => {
    const desk = aDesk();
    await openTerm(desk.parts, aRoster(), TERM, { ...OPENING, lostAfter: 0 });
    assert.deepEqual(await storyOf(desk), ["term.started", "term.history_lost"]);
    assert.match(await lossIn(desk), /^Beat's keys were gone: firing starts from now/);
  });

  it("says it once for all who know the history before, also where the reply was lost", async () => {
    const desk = aDesk();
    const journal = flakyJournal(desk.parts.journal);
    const opening = { ...OPENING, epoch: "epoch of a/1 %", lostAfter: FENCE - 1 };
    journal.faults.push("reply");
    const parts = { ...desk.parts, journal };
    await assert.rejects(openTerm(parts, aRoster(), TERM, opening), JournalUnavailableError);
    const told: string[] = [];
    for (const [index, owner] of ["me", "other"].entries()) {
      const term = { ...TERM, fence: FENCE + 1 + index };
      desk.store.fence = term.fence;
      const onHistoryLost = (reason: string) => void told.push(reason);
      await openTerm(parts, aRoster(), term, { ...opening, owner, onHistoryLost });
    }
    assert.deepEqual(told, []);
    assert.deepEqual(await storyOf(desk), [
      ...["term.started", "term.history_lost", "term.started", "term.started"],
    ]);
  });

  it("says it again of another epoch, and of one that was told before it was known", async () => {
    for (const [epoch, lostAfter] of [["other", FENCE - 1], [OPENING.epoch, FENCE]] as const) {
      const desk = aDesk();
      await openTerm(desk.parts, aRoster(), TERM, { ...OPENING, lostAfter: FENCE - 1 });
      desk.store.fence = NEXT.fence;
      await openTerm(desk.parts, aRoster(), NEXT, { ...OPENING, epoch, lostAfter });
      const story = ["term.started", "term.history_lost"];
      assert.deepEqual(await storyOf(desk), [...story, ...story]);
    }
  });

  it("tells of rows that are gone since then, and not of those that went with the history", async () => {
    const desk = aDesk();
    await openTerm(desk.parts, aRoster(), TERM, { ...OPENING, lostAfter: FENCE - 1 });
    desk.store.fence = NEXT.fence;
    const history = newHistory();
    const after = { fromId: `${FENCE + 1}-0`, toId: `${FENCE + 2}-0` };
    history.cuts = [{ fromId: `${FENCE - 9}-0`, toId: `${FENCE - 1}-0` }, after];
    await openTerm(desk.parts, aRoster(), NEXT, { ...OPENING, lostAfter: FENCE - 1, history });
    const rows = await rowsOf(desk.journal);
    const cuts = rows.filter(({ type }) => type === "term.history_shortened");
    assert.deepEqual(cuts.map(({ detail }) => detail), [{ owner: OPENING.owner, ...after }]);
    assert.deepEqual(history.cuts, []);
  });

  it("does not say that firing starts from now where a history of before came back", async () => {
    const desk = aDesk();
    const roster = aRoster(aTask("a", { catchUp: { policy: "all", windowMs: 60_000, cap: 9 } }));
    await desk.open(roster);
    await desk.clock.advance(2000);
    desk.store.fence = NEXT.fence;
    const told: string[] = [];
    const now = await openTerm(desk.parts, roster, NEXT, {
      ...OPENING,
      lostAfter: FENCE,
      onHistoryLost: (reason) => void told.push(reason),
    });
    await desk.tick(now!, NEXT);
    assert.deepEqual(publishedOf(desk, "a"), [T0 + 1000, T0 + 2000]);
    assert.match(told.join(), /another history .*; firing goes on from what stands there$/);
    assert.deepEqual([await lossIn(desk)], told);
  });

  it("tells of lost rows that its load shows, unless a leader of meanwhile has told", async () => {
    for (const isTold of [false, true]) {
      const desk = aDesk();
      const history = newHistory();
      const parts = { ...desk.parts, journal: watchHistory(desk.parts.journal, history) };
      await openTerm(parts, aRoster(aTask("a")), TERM, { ...OPENING, history });
      const lost = desk.store.entries.pop()!.id;
      desk.store.cursors.delete("a");
      const cut = { fromId: desk.store.entries.at(-1)!.id, toId: lost };
      const detail = { owner: "other", ...cut };
      const row = { type: "term.history_shortened", task: "", dueMs: null, decidedMs: T0, detail };
      if (isTold) appendRow(desk.store, T0, row as Row, FENCE);
      desk.store.fence = NEXT.fence;
      await openTerm(parts, aRoster(aTask("a")), NEXT, { ...OPENING, history });
      const told = (await rowsOf(desk.journal)).filter(({ type }) => type === row.type);
      assert.deepEqual(told.map((each) => each.detail), [{
        ...detail,
        owner: isTold ? "other" : OPENING.owner,
      }]);
      assert.deepEqual(history.cuts, []);
    }
  });

  it("goes on where the last term stood, and fires what was due in between", async () => {
    const desk = aDesk();
    const roster = aRoster(aTask("a", { catchUp: { policy: "all", windowMs: 60_000, cap: 9 } }));
    await desk.open(roster);
    await desk.clock.advance(3000);
    const now = await nextTerm(desk, roster);
    await desk.tick(now, NEXT);
    assert.deepEqual(publishedOf(desk, "a"), [1, 2, 3].map((second) => T0 + second * 1000));
  });

  it("takes over the open fires", async () => {
    const desk = aDesk();
    const roster = aRoster(aTask("a"));
    const before = await desk.open(roster);
    await desk.clock.advance(1000);
    await desk.tick(before);
    const now = await nextTerm(desk, roster);
    assert.equal(now.world.open.size, 1);
    assertAgreed(desk, now);
  });

  it("is null, and writes nothing, where somebody newer leads", async () => {
    const desk = aDesk();
    desk.store.fence = FENCE + 1;
    assert.equal(await openTerm(desk.parts, aRoster(aTask("a")), TERM, OPENING), null);
    assert.deepEqual(await storyOf(desk), []);
  });

  it("can be tried again under the next fence, whichever call was lost", async () => {
    for (
      const faults of [["request"], ["reply"], ["none", "request"], ["none", "reply"]] as const
    ) {
      const desk = aDesk();
      desk.journal.faults.push(...faults);
      await assert.rejects(desk.open(aRoster(aTask("a"))), JournalUnavailableError);
      assertAgreed(desk, await nextTerm(desk, aRoster(aTask("a"))));
      const rows = await rowsOf(desk.journal);
      const known = rows.filter(({ type }) => type === "task.known");
      const started = rows.filter(({ type, fence }) =>
        type === "term.started" && fence === NEXT.fence
      );
      assert.deepEqual([known.length, started.length], [1, 1], faults.join());
    }
  });

  it("makes more tasks known than one call takes", async () => {
    const desk = aDesk();
    const tasks = Array.from({ length: 2 * BATCH_MAX + 1 }, (_, index) => aTask(`task${index}`));
    const now = await desk.open(aRoster(...tasks));
    assert.equal(now.world.cursors.size, 2 * BATCH_MAX + 2);
    assert.ok(desk.journal.asked.every((steps) => steps.length <= BATCH_MAX));
    assertAgreed(desk, now);
  });
});

describe("declare()", () => {
  it("never fires the past of a trigger that changed", async () => {
    const { desk, now } = await opened("a", MINUTE);
    await desk.clock.advance(59_500);
    const next = await desk.redeclare(now, aRoster(aTask("a", SECOND)));
    assert.equal((await desk.tick(next)).published, 0);
    await desk.clock.advance(500);
    await desk.tick(next);
    assert.deepEqual(publishedOf(desk, "a"), [T0 + 60_000]);
    assertAgreed(desk, next);
  });

  it("loses no due time of a task that changed otherwise", async () => {
    const { desk, now } = await opened("a");
    await desk.clock.advance(1000);
    const next = await desk.redeclare(now, aRoster(aTask("a", { args: ["new"], queue: "new" })));
    await desk.tick(next);
    assert.deepEqual(publishedOf(desk, "a"), [T0 + 1000]);
    assert.deepEqual([...desk.store.lists.keys()], ["new"]);
  });

  it("lets a task rest that is declared no more, and starts it anew later", async () => {
    const { desk, now } = await opened("a");
    const without = await desk.redeclare(now, aRoster());
    assert.equal(without.agenda.nextMs(), null);
    await desk.clock.advance(5000);
    assert.equal((await desk.tick(without)).committed, 0);
    const again = await desk.redeclare(without, aRoster(aTask("a")));
    assert.equal((await desk.tick(again)).published, 0);
    await desk.clock.advance(1000);
    await desk.tick(again);
    assert.deepEqual(publishedOf(desk, "a"), [T0 + 6000]);
    assert.deepEqual(await storyOf(desk), [
      "term.started",
      "task.known a",
      "task.retired a",
      "task.known a",
      "fire.published a",
    ]);
  });

  it("moves no other fire", async () => {
    const desk = aDesk();
    const roster = aRoster(aTask("a"), aTask("b"));
    const now = await desk.open(roster);
    await desk.clock.advance(1000);
    await desk.tick(now);
    const next = await desk.redeclare(now, aRoster(aTask("a"), aTask("b", MINUTE)));
    await desk.clock.advance(1000);
    await desk.tick(next);
    assert.deepEqual(publishedOf(desk, "a"), [T0 + 1000, T0 + 2000]);
  });

  it("recovers where the cursors are gone, and does not fire the past", async () => {
    const { desk, now } = await opened("a");
    await desk.clock.advance(1000);
    await desk.tick(now);
    desk.store.cursors.clear();
    desk.store.open.clear();
    await desk.clock.advance(3000);
    const tally = await desk.tick(now);
    assert.deepEqual([...tally.reread], ["a"]);
    const next = await desk.redeclare(now, now.roster);
    assert.equal((await desk.tick(next)).published, 0);
    await desk.clock.advance(1000);
    await desk.tick(next);
    assert.deepEqual(publishedOf(desk, "a"), [T0 + 1000, T0 + 5000]);
  });

  it("gives its revision back to a task that a shorter history left under another", async () => {
    const { desk, now } = await opened("a", { args: [1] });
    const before = desk.store.cursors.get("a")!;
    const next = await desk.redeclare(now, aRoster(aTask("a", { args: [2] })));
    desk.store.cursors.set("a", before);
    await desk.clock.advance(1000);
    const tally = await desk.tick(next);
    assert.deepEqual([...tally.otherRevision], ["a"]);
    const settled = await desk.redeclare(next, next.roster);
    await desk.tick(settled);
    assert.deepEqual(publishedOf(desk, "a"), [T0 + 1000]);
    assertAgreed(desk, settled);
  });

  it("records each control row once, in order, whatever is lost, late or refused", async () => {
    const fault = fc.constantFrom<Fault>("none", "request", "reply", "late", "refused");
    await fc.assert(fc.asyncProperty(fc.array(fault, { maxLength: 8 }), async (faults) => {
      const { desk, now } = await opened("a");
      desk.journal.faults.push(...faults);
      const rows: Row[] = [];
      const names = ["one", "two", "three", "four"];
      let office = { now, term: TERM };
      for (let round = 0; round < 40 && (round < names.length || rows.length > 0); round++) {
        if (round < names.length) rows.push(reloaded(names[round]!));
        try {
          await declare(desk.parts, office.now, office.term, rows);
        } catch (error) {
          if (isRefusal(error)) continue;
          office = await anyTerm(desk, now.roster);
          assertFenced(await desk.journal.arrive());
        }
      }
      assert.deepEqual(await addedOf(desk), names.map((each) => [each]));
      assert.equal(rows.length, 0);
      assertAgreed(desk, office.now);
    }));
  });

  it("knows a control row that arrived before the next term, and keeps one that did not", async () => {
    for (const isBefore of [true, false]) {
      const { desk, now } = await opened("a");
      const rows = [reloaded("one")];
      desk.journal.faults.push("late");
      await assert.rejects(declare(desk.parts, now, TERM, rows), JournalUnavailableError);
      assert.equal(rows.length, 1, "it may not be recorded");
      if (isBefore) await desk.journal.arrive();
      const next = await desk.nextTerm(now.roster);
      assertFenced(await desk.journal.arrive());
      const before = desk.journal.asked.length;
      await declare(desk.parts, next.now, next.term, rows);
      assert.equal(desk.journal.asked.length - before, isBefore ? 0 : 1);
      assert.deepEqual([rows.length, await addedOf(desk)], [0, [["one"]]]);
    }
  });

  it("keeps control rows of a call that was refused, and sends them in the same term", async () => {
    const { desk, now } = await opened("a");
    const rows = [reloaded("one"), reloaded("two")];
    desk.journal.faults.push("refused");
    await assert.rejects(declare(desk.parts, now, TERM, rows), { retry: "alarm" });
    assert.equal(rows.length, 2);
    await declare(desk.parts, now, TERM, rows);
    assert.deepEqual([rows.length, await addedOf(desk)], [0, [["one"], ["two"]]]);
  });

  it("keeps control rows where somebody newer leads", async () => {
    const { desk, now } = await opened("a");
    desk.store.fence = NEXT.fence;
    const rows = [reloaded("one")];
    assert.equal(await declare(desk.parts, now, TERM, rows), null);
    assert.deepEqual([rows.length, await addedOf(desk)], [1, []]);
  });

  it("records more control rows than one call takes, over lost replies", async () => {
    for (
      const faults of [[], ["reply"], ["none", "reply"], ["request", "none", "reply"]] as const
    ) {
      const { desk, now } = await opened("a");
      const names = Array.from({ length: 2 * BATCH_MAX + 1 }, (_, index) => `row${index}`);
      const rows = names.map(reloaded);
      desk.journal.faults.push(...faults);
      let office = { now, term: TERM };
      for (let round = 0; round < 10 && rows.length > 0; round++) {
        await declare(desk.parts, office.now, office.term, rows).catch(async (error) => {
          assert.ok(!isRefusal(error));
          office = await anyTerm(desk, now.roster);
        });
      }
      assert.deepEqual(await addedOf(desk), names.map((each) => [each]));
      assert.ok(desk.journal.asked.every((steps) => steps.length <= BATCH_MAX));
    }
  });

  it("does not say again what was said several times in one millisecond", async () => {
    const { desk, now } = await opened("a");
    const rows = Array.from({ length: 4 }, () => reloaded("same"));
    await declare(desk.parts, now, TERM, rows);
    assert.equal(rows.length, 0);
    assert.equal((await addedOf(desk)).length, 4);
  });
});

describe("closeTerm()", () => {
  it("says that the term is over, once, also when it is sent again", async () => {
    const { desk, now } = await opened("a");
    const end = { owner: "me", reason: "stopped" };
    desk.journal.faults.push("reply");
    await assert.rejects(closeTerm(now, TERM, end), JournalUnavailableError);
    await closeTerm(now, TERM, end);
    const story = await storyOf(desk);
    assert.equal(story.filter((each) => each === "term.ended").length, 1);
  });

  it("sends nothing of what was lost before", async () => {
    const { desk, now } = await opened("a");
    await desk.clock.advance(1000);
    desk.journal.faults.push("request");
    await assert.rejects(desk.tick(now));
    await closeTerm(now, TERM, { owner: "me", reason: "stopped" });
    assert.deepEqual(await storyOf(desk), ["term.started", "task.known a", "term.ended"]);
    const { now: next, term } = await desk.nextTerm(now.roster);
    await desk.tick(next, term);
    assert.deepEqual(publishedOf(desk, "a"), [T0 + 1000], "it is due still");
  });

  it("tells what was skipped in a row, also where it was stopped as the next was prepared", async () => {
    const desk = aDesk();
    const pause = { dueMs: T0, revision: encodeNote({ who: "ops", note: "", untilMs: null }) };
    desk.store.cursors.set(pauseCursor("a"), encodeCursor(pause));
    const now = await desk.open(aRoster({ ...aTask("a"), gate: gateOf([pausePolicy()]) }));
    for (let second = 1; second <= 3; second++) {
      await desk.clock.advance(1000);
      await desk.tick(now);
    }
    await desk.clock.advance(1000 - PREPARE_MS);
    const stop = new AbortController();
    const last = tick(now, TERM, stop.signal);
    stop.abort();
    await last;
    const closing = closeTerm(now, TERM, { owner: "me", reason: "stopped" });
    await desk.clock.advance(PREPARE_MS);
    await closing;
    assert.deepEqual(await storyOf(desk), [
      ...["term.started", "task.known a", "fire.skipped a", "task.dropped a", "term.ended"],
    ]);
  });
});

function aTask(name: string, own: Partial<Task> = {}) {
  return aReady({ name, ...SECOND, ...own });
}

async function opened(name: string, own: Partial<Task> = {}): Promise<{ desk: Desk; now: Tick }> {
  const desk = aDesk();
  return { desk, now: await desk.open(aRoster(aTask(name, own))) };
}

/** Another leader's term, on what the one before it left. */
async function nextTerm(desk: Desk, roster: Tick["roster"]): Promise<Tick> {
  return (await desk.nextTerm(roster)).now;
}

/** The first term that can begin; those before it failed to. */
async function anyTerm(desk: Desk, roster: Tick["roster"]): ReturnType<Desk["nextTerm"]> {
  try {
    return await desk.nextTerm(roster);
  } catch (error) {
    assert.ok(error instanceof JournalUnavailableError);
    return await anyTerm(desk, roster);
  }
}

function isRefusal(error: unknown): boolean {
  assert.ok(error instanceof JournalUnavailableError);
  return error.retry === "alarm";
}

function assertFenced(replies: readonly Committed[]): void {
  for (const { kind } of replies) assert.equal(kind, "fenced");
}

/** What each reload added, in the order of the journal. */
async function addedOf(desk: Desk): Promise<unknown[]> {
  const rows = await rowsOf(desk.journal);
  return rows.filter(({ type }) => type === "control.reloaded").map(({ detail }) => detail.added);
}

function reloaded(added: string): Row {
  const detail = { added: [added], changed: [], retired: [] };
  return { type: "control.reloaded", task: "", dueMs: null, decidedMs: T0, detail };
}

/** Type and task of each row. */
async function lossIn(desk: Desk): Promise<string> {
  const rows = await rowsOf(desk.journal);
  return String(rows.find(({ type }) => type === "term.history_lost")!.detail.reason);
}

async function storyOf(desk: Desk): Promise<string[]> {
  return (await rowsOf(desk.journal)).map(({ type, task }) => `${type} ${task}`.trim());
}

function assertAgreed(desk: Desk, { world }: Tick): void {
  const { redis, leader } = bothSides(desk, world);
  assert.deepEqual(leader, redis);
}
