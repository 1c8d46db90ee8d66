import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { auditOf } from "../../src/audit/audit.ts";
import type { SnapshotState } from "../../src/audit/snapshot.ts";
import { FOLD_FORMAT, snapshotOf } from "../../src/audit/snapshot.ts";
import { auditReading } from "../../src/commands/audit_reading.ts";
import type { OpenedJournal } from "../../src/commands/open_journal.ts";
import { LOG_CURSOR } from "../../src/cursor.ts";
import type { Row } from "../../src/event.ts";
import { NO_ID } from "../../src/event.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import type { Step } from "../../src/ports.ts";
import { newestSnapshot } from "../../src/retain/newest_snapshot.ts";
import { writeSnapshot } from "../../src/retain/write_snapshot.ts";
import { WHOLE } from "../support/audited.ts";
import { FENCE } from "../support/retained.ts";
import { skipStep, T0 } from "../support/steps.ts";

describe("auditReading()", () => {
  /** How many differences it finds in a journal with a snapshot of all but its last row. */
  async function differences(change: Partial<SnapshotState>): Promise<number> {
    let nowMs = T0;
    const journal = memoryJournal({ serverMs: () => nowMs++, fence: FENCE });
    await journal.commit([startStep()], FENCE);
    for (let at = 0; at < 3; at++) {
      await journal.commit([skipStep(at === 0 ? null : T0 + at - 1, T0 + at)], FENCE);
    }
    const rows = await Array.fromAsync(journal.read({ from: "-", to: "+" }));
    const before = auditOf(WHOLE);
    for (const row of rows.slice(0, 3)) before.take(row);
    const { snapshot: _, ...cursors } = await newestSnapshot(journal);
    const state = { ...snapshotOf(before.ledger), ...change };
    const next = { cutId: rows[3]!.id, rows: 3, state };
    const breathe = () => Promise.resolve();
    const { signal } = new AbortController();
    const parts = { journal, server: { nowMs: () => nowMs }, signal, breathe };
    assert.equal(await writeSnapshot(parts, next, cursors, FENCE), "written");

    const gone = { count: 0, deletedId: NO_ID };
    const opened = { hot: journal } as unknown as OpenedJournal;
    const reading = await auditReading(opened, { sinceMs: T0 - 1, gone });
    assert.deepEqual([reading.seed, reading.problem], [null, null]);
    const audit = auditOf(WHOLE);
    for (const row of rows) {
      reading.checkBefore(row, audit.ledger);
      audit.take(row);
    }
    return audit.ledger.findings.counts.get("differs") ?? 0;
  }

  it("holds a snapshot against the rows that it stands for", async () => {
    assert.equal(await differences({}), 0);
    assert.equal(await differences({ lateAcks: 1 }), 1);
  });

  it("says nothing of one that another build has made of them by its own rules", async () => {
    assert.equal(await differences({ format: FOLD_FORMAT - 1, lateAcks: 1 }), 0);
  });
});

/** A journal is whole that begins with this. */
function startStep(): Step {
  const detail = { owner: "o", epoch: "e", build: "b" };
  const row: Row = { type: "term.started", task: "", dueMs: null, decidedMs: T0, detail };
  return { ...skipStep(null, T0), task: LOG_CURSOR.term, next: `${FENCE} started0`, row };
}
