import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { newHistory, watchHistory } from "../../src/core/history.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { openAt, publishStep, settlementOf, T0 } from "../support/steps.ts";

const FENCE = 1;

function rig() {
  const memory = memoryJournal({ serverMs: () => T0 + 100, fence: FENCE });
  const history = newHistory();
  const journal = watchHistory(memory, history);
  /** Takes the newest rows away, as a promoted replica that never had them does. */
  const cut = (count: number) => {
    memory.store.entries.splice(-count);
  };
  return { memory, history, journal, cut };
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

  it("takes the shorter history for what there is, so that the next cut is told apart", async () => {
    const { history, journal, cut } = rig();
    await journal.commit([publishStep(null, T0), publishStep(T0, T0 + 1)], FENCE);
    cut(1);
    await journal.load();
    history.cut = null;
    await journal.load();
    assert.equal(history.cut, null);
  });
});
