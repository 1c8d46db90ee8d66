import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { parseQuery, unknownTypes } from "../../src/commands/journal_query.ts";
import { follow, foreignCounter, printRows } from "../../src/commands/journal_rows.ts";
import { JournalUnavailableError, UsageError } from "../../src/errors.ts";
import type { JournalRow } from "../../src/event.ts";
import { simClock } from "../support/sim_clock.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { appendRow } from "../../src/memory/store.ts";
import { keptShell } from "../support/shell.ts";

const START_MS = Date.parse("2026-03-10T12:00:00Z");

/** A journal of one row a second: `report` published, `backup` published, `report` acked, in turn. */
function aJournal(count: number) {
  const journal = memoryJournal({ serverMs: () => START_MS });
  const add = (index: number) => {
    const dueMs = START_MS + index * 1_000;
    const task = index % 3 === 1 ? "backup" : "report";
    const head = { task, dueMs, decidedMs: dueMs };
    if (index % 3 === 2) {
      appendRow(journal.store, dueMs, { ...head, type: "fire.acked", detail: { by: "result" } }, 1);
    } else appendRow(journal.store, dueMs, { ...head, type: "fire.published", detail: {} }, 1);
  };
  for (let index = 0; index < count; index++) add(index);
  return { journal, add };
}

function aPrinter() {
  const ids: string[] = [];
  const foreign = foreignCounter();
  const progress = { add() {}, done() {} };
  return { ids, foreign, progress, print: (row: JournalRow) => void ids.push(secondOf(row)) };
}

/** A row by its second. */
const secondOf = (row: JournalRow) => String((Number(row.id.split("-")[0]) - START_MS) / 1_000);

async function printed(options: Parameters<typeof parseQuery>[0], count = 12): Promise<string> {
  const printer = aPrinter();
  const query = parseQuery(options, START_MS + count * 1_000);
  const { signal } = keptShell();
  await printRows(aJournal(count).journal, query, { ...printer, signal });
  return printer.ids.join(" ");
}

describe("parseQuery()", () => {
  it("asks for the last 100 unless there is a beginning or a number", () => {
    assert.equal(parseQuery({}, START_MS).count, 100);
    assert.equal(parseQuery({ since: "1h" }, START_MS).count, null);
    assert.equal(parseQuery({ since: "1h", count: "5" }, START_MS).count, 5);
  });

  const refused = [{ count: "0" }, { count: "x" }, { count: "1.5" }, { since: "1h", until: "2h" }];
  for (const options of refused) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      assert.throws(() => parseQuery(options, START_MS), UsageError);
    });
  }
});

describe("unknownTypes()", () => {
  it("knows the beginnings of all types, and what was meant instead", () => {
    const of = (...type: string[]) => unknownTypes(parseQuery({ type }, START_MS));
    assert.deepEqual(of("fire", "fire.acked", "te"), []);
    assert.deepEqual(of("fire.aked"), [
      'no known type starts with "fire.aked"; did you mean fire.acked?',
    ]);
  });
});

describe("printRows()", () => {
  it("prints the newest rows, newest last", async () => {
    assert.equal(await printed({ count: "3" }), "9 10 11");
  });

  it("prints what fits a task, a type by its beginning, and a time", async () => {
    assert.equal(await printed({ task: ["backup"] }), "1 4 7 10");
    assert.equal(await printed({ type: ["fire.acked"] }), "2 5 8 11");
    assert.equal(
      await printed({ type: ["fire.a", "fire.p"], task: ["report"], count: "2" }),
      "9 11",
    );
    assert.equal(await printed({ type: ["task"] }), "");
    assert.equal(await printed({ since: "4s" }), "8 9 10 11");
    assert.equal(await printed({ since: "8s", until: "6s" }), "4 5 6");
    assert.equal(await printed({ until: "9s", count: "2" }), "2 3");
    assert.equal(await printed({ since: "8s", count: "1" }), "11");
  });

  it("stops when interrupted", async () => {
    const shell = keptShell();
    const printer = aPrinter();
    const print = (row: JournalRow) => {
      printer.print(row);
      shell.interrupt();
    };
    const query = parseQuery({ since: "1h" }, START_MS);
    await printRows(aJournal(5).journal, query, { ...printer, print, signal: shell.signal });
    assert.deepEqual(printer.ids, ["0"]);
  });

  it("counts entries that are not rows, and says so once", async () => {
    const { journal } = aJournal(2);
    journal.store.entries.push({ id: `${START_MS + 9_000}-0`, fields: ["hello", "world"] });
    const [printer, shell] = [aPrinter(), keptShell()];
    const lastId = await printRows(journal, parseQuery({}, START_MS), {
      ...printer,
      signal: shell.signal,
    });
    assert.deepEqual(printer.ids, ["0", "1"]);
    assert.equal(lastId, `${START_MS + 9_000}-0`);
    printer.foreign.tell(shell);
    printer.foreign.tell(shell);
    assert.equal(shell.said.err, "1 entry in the journal not written by Beat, passed over\n");
  });
});

describe("follow()", () => {
  /** A clock on which each sleep runs the next of `acts`, and the last interrupts. */
  function clockOf(shell: ReturnType<typeof keptShell>, acts: (() => void)[]) {
    const clock = simClock(START_MS);
    return {
      ...clock,
      sleep: () => {
        const act = acts.shift();
        if (act === undefined) shell.interrupt();
        else act();
        return Promise.resolve();
      },
    };
  }

  it("prints each new row once, and only what fits", async () => {
    const { journal, add } = aJournal(2);
    const [printer, shell] = [aPrinter(), keptShell()];
    const query = parseQuery({ task: ["report"] }, START_MS);
    const lastId = await printRows(journal, query, { ...printer, signal: shell.signal });
    const clock = clockOf(shell, [
      () => [2, 3, 4].forEach(add),
      () => {},
      () => [5, 6].forEach(add),
    ]);
    await follow(journal, query, lastId, { ...printer, shell, clock });
    assert.deepEqual(printer.ids, ["0", "2", "3", "5", "6"]);
  });

  it("begins with the first row where there was none", async () => {
    const { journal, add } = aJournal(0);
    const [printer, shell] = [aPrinter(), keptShell()];
    await follow(journal, parseQuery({}, START_MS), null, {
      ...printer,
      shell,
      clock: clockOf(shell, [() => add(0)]),
    });
    assert.deepEqual(printer.ids, ["0"]);
  });

  it("waits for a journal that went away, and gives up on one that is not Beat's", async () => {
    const { journal, add } = aJournal(0);
    const [printer, shell] = [aPrinter(), keptShell()];
    let error: Error | null = new JournalUnavailableError("gone", "backoff");
    const unsteady = {
      read(...args: Parameters<typeof journal.read>) {
        if (error !== null) throw error;
        return journal.read(...args);
      },
    };
    const query = parseQuery({}, START_MS);
    const back = () => {
      error = null;
      add(0);
    };
    const clock = clockOf(shell, [() => {}, back]);
    await follow(unsteady, query, null, { ...printer, shell, clock });
    assert.deepEqual(printer.ids, ["0"]);
    assert.equal(shell.said.err, "waiting for the journal: gone\nthe journal is back\n");

    error = new JournalUnavailableError("not Beat's", "fatal");
    const again = { ...printer, shell: keptShell() };
    await assert.rejects(follow(unsteady, query, null, again), error);
  });
});
