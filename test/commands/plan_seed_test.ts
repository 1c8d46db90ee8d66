import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { cursorsNow } from "../../src/commands/plan_seed.ts";
import type { Cursor } from "../../src/cursor.ts";
import type { Row } from "../../src/event.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { appendRow } from "../../src/memory/store.ts";
import { revisionOf } from "../../src/task.ts";
import { aRow, aTask, T0 } from "../support/build.ts";

const MINUTE = 60_000;
const task = aTask({ name: "report", trigger: { kind: "every", everyMs: MINUTE, phaseMs: 0 } });
const skipped: Row = {
  ...{ type: "fire.skipped", task: "report", dueMs: T0, decidedMs: T0 },
  detail: { by: "session", reason: "closed" },
};
const published = aRow({ task: "report", dueMs: T0 });

describe("cursorsNow()", () => {
  async function moved(row: Row, afterMs: number, own: Partial<Cursor> = {}): Promise<number> {
    const journal = memoryJournal({ serverMs: () => T0 });
    appendRow(journal.store, T0, row, 1);
    const cursors = new Map([["report", { dueMs: T0, revision: revisionOf(task), ...own }]]);
    const loaded = { cursors, open: [], serverMs: T0 + afterMs };
    return ((await cursorsNow(journal, [task], loaded)).get("report")!.dueMs - T0) / MINUTE;
  }

  it("moves up what a policy skips one after the other", async () => {
    assert.equal(await moved(skipped, 9.5 * MINUTE), 9);
    assert.equal(await moved(skipped, MINUTE - 1), 0);
  });

  it("leaves the past of anything else to the plan", async () => {
    assert.equal(await moved(published, 9.5 * MINUTE), 0);
    assert.equal(await moved(skipped, 61 * MINUTE), 0);
    assert.equal(await moved(skipped, 9.5 * MINUTE, { revision: "other.revision" }), 0);
    const pending = { notBeforeMs: T0 + 90 * MINUTE, by: "window" };
    assert.equal(await moved(skipped, 9.5 * MINUTE, { pending }), 0);
  });
});
