import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { simClock } from "../support/sim_clock.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import {
  forgetTold,
  lookBack,
  newHistory,
  watchHistory,
  watchJournal,
  watchStage,
} from "../../src/lead/history.ts";
import type { Row } from "../../src/event.ts";
import { LOOKS } from "../../src/lead/looks.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { appendRow } from "../../src/memory/store.ts";
import { aRow } from "../support/build.ts";
import { openAt, publishStep, settlementOf, T0 } from "../support/steps.ts";

const FENCE = 1;

function rig() {
  const memory = memoryJournal({ serverMs: () => T0 + 100, fence: FENCE });
  const cuts: unknown[] = [];
  const history = newHistory((cut) => cuts.push(cut));
  const journal = watchHistory(memory, history);
  /** Takes the newest rows away, as a promoted replica that never had them does. */
  const cut = (count: number) => {
    memory.store.entries.splice(-count);
  };
  return { memory, history, journal, cut, cuts };
}

describe("watchHistory()", () => {
  it("says nothing while the journal grows, whoever writes", async () => {
    const { memory, history, journal } = rig();
    await journal.commit([publishStep(null, T0)], FENCE);
    await memory.commit([publishStep(T0, T0 + 1)], FENCE);
    await journal.settle([settlementOf(openAt(T0))], FENCE);
    await journal.load();
    assert.deepEqual(history.cuts, []);
    assert.equal(history.lastId, memory.store.entries.at(-1)?.id);
  });

  it("notices in each kind of reply that rows are gone, and which", async () => {
    const asks = [
      (journal: ReturnType<typeof rig>["journal"]) =>
        journal.commit([publishStep(T0 + 1, T0 + 2)], FENCE),
      (journal: ReturnType<typeof rig>["journal"]) =>
        journal.settle([settlementOf(openAt(T0))], FENCE),
      (journal: ReturnType<typeof rig>["journal"]) => journal.load(),
    ];
    for (const ask of asks) {
      const { memory, history, journal, cut } = rig();
      await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
      const [stayed, lost] = memory.store.entries.map(({ id }) => id);
      cut(1);
      await ask(journal);
      assert.deepEqual(history.cuts, [{ fromId: stayed, toId: lost }]);
    }
  });

  it("notices it in what was staged before rows went", async () => {
    const { memory, history, journal, cut } = rig();
    await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
    const [stayed, lost] = memory.store.entries.map(({ id }) => id);
    const stage = watchStage({
      stepsMin: 1,
      stage: (batches, fence) => ({
        commit: () => batches.map((steps) => memory.commit(steps, fence)),
        discard() {},
      }),
    }, history);
    const staged = stage.stage([[publishStep(T0 + 1, T0 + 2)], []], FENCE)!;
    cut(1);
    await Promise.all(staged.commit());
    assert.deepEqual(history.cuts, [{ fromId: stayed, toId: lost }]);
  });

  it("takes the shorter history for what there is, so that the next cut is told apart", async () => {
    const { history, journal, cut } = rig();
    await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
    cut(1);
    await journal.load();
    history.cuts = [];
    await journal.load();
    assert.deepEqual(history.cuts, []);
  });

  it("tells a later cut apart, and makes one of those that a deeper cut takes in", async () => {
    const { memory, history, journal, cut, cuts } = rig();
    await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
    const [first, second] = memory.store.entries.map(({ id }) => id);
    cut(1);
    await journal.load();
    for (const row of [aRow(), aRow()]) appendRow(memory.store, T0 + 9_000, row, FENCE + 1);
    await journal.load();
    const [, third, fourth] = memory.store.entries.map(({ id }) => id);
    cut(1);
    await journal.load();
    assert.deepEqual(history.cuts, [
      { fromId: first, toId: second },
      { fromId: third, toId: fourth },
    ]);
    assert.deepEqual(cuts, history.cuts);
    cut(1);
    await journal.load();
    assert.deepEqual(history.cuts, [{ fromId: first, toId: fourth }]);
  });

  it("notices it, too, when the journal has grown past what was seen", async () => {
    const { memory, history, journal, cut, cuts } = rig();
    await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
    const [stayed, lost] = memory.store.entries.map(({ id }) => id);
    cut(1);
    for (const row of [aRow(), aRow()]) appendRow(memory.store, T0 + 9_000, row, FENCE + 1);
    await journal.load();
    assert.deepEqual(history.cuts, [{ fromId: stayed, toId: lost }]);
    assert.equal(history.lastId, memory.store.entries.at(-1)?.id);
    assert.deepEqual(cuts, history.cuts, "said once");
  });

  it("takes a journal that holds nothing so old for a trimmed one", async () => {
    const { memory, history, journal } = rig();
    await journal.commit([publishStep(null, T0)], FENCE);
    memory.store.entries.length = 0;
    appendRow(memory.store, T0 + 9_000, aRow(), FENCE);
    await journal.load();
    assert.deepEqual(history.cuts, []);
  });
});

describe("lookBack()", () => {
  it("says once what a call under way shows as well", async () => {
    const { memory, history, journal, cut, cuts } = rig();
    await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
    const [stayed, lost] = memory.store.entries.map(({ id }) => id);
    cut(1);
    const commit = memory.commit;
    let arrive = () => {};
    memory.commit = async (...call) => {
      await new Promise<void>((resolve) => arrive = resolve);
      return commit(...call);
    };
    const late = watchHistory(memory, history).commit([publishStep(T0 + 1, T0 + 2)], FENCE);
    await lookBack(memory, history);
    arrive();
    await late;
    assert.deepEqual([history.cuts, cuts.length], [[{ fromId: stayed, toId: lost }], 1]);
  });

  it("passes over an answer that comes too late", async () => {
    const { memory, history, journal, cut } = rig();
    await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
    const { lastId } = history;
    cut(1);
    await lookBack(memory, history, AbortSignal.abort());
    assert.deepEqual([history.cuts, history.lastId], [[], lastId]);
  });
});

describe("watchJournal()", () => {
  it("knows how far the journal is, while others write and while Redis is away", async () => {
    const clock = simClock(T0);
    const memory = memoryJournal({ serverMs: () => clock.wallMs(), fence: 1 });
    const history = newHistory();
    const stop = new AbortController();
    const state = { isAway: false };
    const journal = {
      trace: (id: string) =>
        state.isAway
          ? Promise.reject(new JournalUnavailableError("away", "backoff"))
          : memory.trace(id),
    };
    const watching = watchJournal({ journal, clock, history }, stop.signal);
    for (let count = 1; count <= 6; count++) {
      appendRow(memory.store, clock.wallMs(), aRow(), 1);
      state.isAway = count === 3;
      await clock.advance(600);
      if (!state.isAway) assert.equal(history.lastId, memory.store.entries.at(-1)?.id);
    }
    stop.abort();
    await clock.advance(0);
    await watching;
  });

  it("ends where rows are gone, for whoever wants to hear of it", async () => {
    const { memory, history, cut } = rig();
    const clock = simClock(T0);
    const stop = new AbortController();
    let heard = 0;
    const watching = watchJournal({ journal: memory, clock, history }, stop.signal, () => heard++);
    appendRow(memory.store, T0, aRow(), FENCE);
    appendRow(memory.store, T0 + 1, aRow(), FENCE);
    await clock.advance(LOOKS.journalMs);
    assert.equal(heard, 0);
    cut(1);
    await clock.advance(LOOKS.journalMs);
    await watching;
    assert.deepEqual([heard, history.cuts.length], [1, 1]);
  });
});

describe("forgetTold()", () => {
  it("forgets what a leader has told of, and nothing else", async () => {
    const { memory, journal, history, cut } = rig();
    await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
    cut(1);
    await lookBack(memory, history);
    const [gap] = history.cuts;
    appendRow(memory.store, T0 + 9_000, aRow(), FENCE);
    const detail = { owner: "me", ...gap!, toId: "9-9" };
    const parts = { task: "", dueMs: null, decidedMs: T0 + 9_000 };
    const tell = (fromId: string) =>
      appendRow(memory.store, T0 + 9_000, {
        ...{ type: "term.history_shortened", ...parts, detail: { ...detail, fromId } },
      } as Row, FENCE);
    tell("1-1");
    await forgetTold(memory, history);
    assert.deepEqual(history.cuts, [gap]);
    tell(gap!.fromId);
    await forgetTold(memory, history);
    assert.deepEqual(history.cuts, []);
  });
});
