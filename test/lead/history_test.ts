import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { simClock } from "../support/sim_clock.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import {
  isTold,
  lookBack,
  newHistory,
  watchHistory,
  watchJournal,
  watchStage,
} from "../../src/lead/history.ts";
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
    assert.equal(history.cut, null);
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
      assert.deepEqual(history.cut, { fromId: stayed, toId: lost });
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
    assert.deepEqual(history.cut, { fromId: stayed, toId: lost });
  });

  it("takes the shorter history for what there is, so that the next cut is told apart", async () => {
    const { history, journal, cut } = rig();
    await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
    cut(1);
    await journal.load();
    history.cut = null;
    await journal.load();
    assert.equal(history.cut, null);
  });

  it("tells a later cut from one that another leader has told of", async () => {
    const { memory, history, journal, cut, cuts } = rig();
    await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
    cut(1);
    await journal.load();
    for (const row of [aRow(), aRow()]) appendRow(memory.store, T0 + 9_000, row, FENCE + 1);
    await journal.load();
    const [, stayed, lost] = memory.store.entries.map(({ id }) => id);
    cut(1);
    await journal.load();
    assert.deepEqual(history.cut, { fromId: stayed, toId: lost });
    assert.equal(cuts.length, 2);
  });

  it("notices it, too, when the journal has grown past what was seen", async () => {
    const { memory, history, journal, cut, cuts } = rig();
    await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
    const [stayed, lost] = memory.store.entries.map(({ id }) => id);
    cut(1);
    for (const row of [aRow(), aRow()]) appendRow(memory.store, T0 + 9_000, row, FENCE + 1);
    await journal.load();
    assert.deepEqual(history.cut, { fromId: stayed, toId: lost });
    assert.equal(history.lastId, memory.store.entries.at(-1)?.id);
    assert.deepEqual(cuts, [history.cut], "said once");
  });

  it("takes a journal that holds nothing so old for a trimmed one", async () => {
    const { memory, history, journal } = rig();
    await journal.commit([publishStep(null, T0)], FENCE);
    memory.store.entries.length = 0;
    appendRow(memory.store, T0 + 9_000, aRow(), FENCE);
    await journal.load();
    assert.equal(history.cut, null);
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
    assert.deepEqual([history.cut, cuts.length], [{ fromId: stayed, toId: lost }, 1]);
  });

  it("passes over an answer that comes too late", async () => {
    const { memory, history, journal, cut } = rig();
    await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
    const { lastId } = history;
    cut(1);
    await lookBack(memory, history, AbortSignal.abort());
    assert.deepEqual([history.cut, history.lastId], [null, lastId]);
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
    assert.deepEqual([heard, history.cut !== null], [1, true]);
  });
});

describe("isTold()", () => {
  it("finds the row of a leader that has told of the same cut", async () => {
    const { memory, journal, history, cut } = rig();
    await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
    cut(1);
    await lookBack(memory, history);
    const gap = history.cut!;
    appendRow(memory.store, T0 + 9_000, aRow(), FENCE);
    assert.equal(await isTold(memory, gap), false);
    appendRow(memory.store, T0 + 9_000, {
      type: "term.history_shortened",
      task: "",
      dueMs: null,
      decidedMs: T0 + 9_000,
      detail: { owner: "me", ...gap, toId: "9-9" },
    }, FENCE);
    assert.equal(await isTold(memory, gap), true);
    assert.equal(await isTold(memory, { ...gap, fromId: "1-1" }), false);
  });
});
