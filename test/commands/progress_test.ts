import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { parseQuery } from "../../src/commands/journal_query.ts";
import { foreignCounter, printRows } from "../../src/commands/journal_rows.ts";
import { during, progressOf } from "../../src/commands/progress.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { appendRow } from "../../src/memory/store.ts";
import { T0 } from "../support/build.ts";

const GONE = "\r\x1b[K";

/** Each look at it is a second later. */
function aClock() {
  let nowMs = 0;
  return { monotonicMs: () => nowMs += 1_000 };
}

function aTerminal(isErrTerminal = true) {
  const written: string[] = [];
  return { written, shell: { isErrTerminal, err: (text: string) => void written.push(text) } };
}

describe("progressOf()", () => {
  it("shows how far it has come after a second, and takes that away", () => {
    const { written, shell } = aTerminal();
    const progress = progressOf(shell, 4_000, aClock());
    progress.add(1_000);
    progress.add(2_000);
    progress.done();
    progress.done();
    assert.deepEqual(written, [`${GONE}1,000 rows, 25 %`, `${GONE}3,000 rows, 75 %`, GONE]);
  });

  it("says nothing where nobody watches", () => {
    const { written, shell } = aTerminal(false);
    const progress = progressOf(shell, 0, aClock());
    progress.add(1_000_000);
    progress.done();
    assert.deepEqual(written, []);
  });
});

describe("during()", () => {
  it("says what is waited for until it is there, or fails", async () => {
    const { written, shell } = aTerminal();
    assert.equal(await during("asking", shell, () => Promise.resolve(written.length)), 1);
    assert.deepEqual(written, ["asking", GONE]);
    await assert.rejects(during("again", shell, () => Promise.reject(new Error("no answer"))));
    assert.deepEqual(written, ["asking", GONE, "again", GONE]);
  });

  it("says nothing where nobody watches", async () => {
    const { written, shell } = aTerminal(false);
    assert.equal(await during("asking", shell, () => Promise.resolve(7)), 7);
    assert.deepEqual(written, []);
  });
});

describe("beat journal", () => {
  it("shows how many rows it has read, and never in the line of a row", async () => {
    const journal = memoryJournal({ serverMs: () => T0 });
    for (let index = 0; index < 4; index++) {
      const task = index === 2 ? "seldom" : "often";
      const own = { task, dueMs: T0, decidedMs: T0 };
      appendRow(journal.store, T0 + index, { ...own, type: "fire.published", detail: {} }, 1);
    }
    const { written, shell } = aTerminal();
    const query = parseQuery({ task: ["seldom"], since: new Date(T0 - 1).toISOString() }, T0 + 9);
    await printRows(journal, query, {
      print: ({ task }) => void written.push(task),
      progress: progressOf(shell, 0, aClock()),
      foreign: foreignCounter(),
      signal: new AbortController().signal,
    });
    const lines = [1, 2, 3].map((count) => `${GONE}${count} rows`);
    assert.deepEqual(written, [...lines, GONE, "seldom", `${GONE}4 rows`, GONE]);
  });
});
