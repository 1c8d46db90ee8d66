import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { LastFire } from "../../src/commands/last_fires.ts";
import { lastFires } from "../../src/commands/last_fires.ts";
import type { Cursor } from "../../src/cursor.ts";
import type { OpenFire } from "../../src/open_fire.ts";
import type { Row } from "../../src/event.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { appendRow } from "../../src/memory/store.ts";
import { anOpenFire } from "../support/build.ts";

const DUE_MS = Date.parse("2026-03-10T12:00:00Z");

type Entry = readonly [atMs: number, row: Partial<Row> & Pick<Row, "type">];

function journalOf(entries: readonly Entry[]) {
  const journal = memoryJournal({ serverMs: () => DUE_MS });
  for (const [atMs, row] of entries) {
    const full = { task: "report", dueMs: DUE_MS, decidedMs: DUE_MS, detail: {}, ...row } as Row;
    appendRow(journal.store, DUE_MS + atMs, full, 1);
  }
  return journal;
}

async function lastOf(
  entries: readonly Entry[],
  known: { cursor?: Cursor; open?: readonly OpenFire[] } = {},
): Promise<LastFire | undefined> {
  const { cursor, open = [] } = known;
  const cursors = new Map(cursor === undefined ? [] : [["report", cursor]]);
  return (await lastFires(journalOf(entries), ["report"], { cursors, open })).get("report");
}

const published: Entry = [4, { type: "fire.published" }];
const acked: Entry = [50, { type: "fire.acked", detail: { by: "result" } }];
const finished: Entry = [50, { type: "fire.finished", detail: { outcome: "success" } }];

describe("lastFires()", () => {
  const ends: [string, Entry[], string, number | null][] = [
    ["published", [published], "published", 4],
    ["taken", [published, [9, { type: "fire.taken", detail: { by: "event" } }]], "taken", 4],
    ["acked", [published, acked], "acked", 4],
    ["finished after the ack", [published, acked, finished], "success", 4],
    ["finished before the ack", [published, finished, acked], "success", 4],
    [
      "closed, with late evidence",
      [published, [60, { type: "fire.expired", detail: { reason: "ttl", by: "beat" } }], [
        90,
        { type: "fire.late_ack", detail: { by: "result" } },
      ]],
      "expired",
      4,
    ],
    ["skipped", [[1, { type: "fire.skipped", detail: { by: "x", reason: "y" } }]], "skipped", null],
    [
      "dropped",
      [published, [9, {
        type: "task.dropped",
        dueMs: DUE_MS + 5,
        detail: { fromMs: DUE_MS + 5, toMs: DUE_MS + 5, count: 1, by: "catchup", reason: "late" },
      }]],
      "dropped",
      null,
    ],
    [
      "known since, and not due yet",
      [published, acked, [99, { type: "task.known", dueMs: DUE_MS + 99 }]],
      "none",
      null,
    ],
  ];
  for (const [name, entries, state, latenessMs] of ends) {
    it(`tells a fire that is ${name}`, async () => {
      const last = await lastOf(entries);
      assert.deepEqual([last?.state, last?.latenessMs], [state, latenessMs]);
    });
  }

  it("takes the newest decision, not the newest row", async () => {
    const dueMs = DUE_MS + 1_000;
    const last = await lastOf([
      published,
      [1_003, { type: "fire.published", dueMs }],
      [1_050, { type: "fire.acked", detail: { by: "result" } }],
    ]);
    assert.deepEqual(last, { dueMs, state: "published", latenessMs: 3 });
  });

  it("knows nothing of a task without rows and cursor", async () => {
    assert.equal(await lastOf([[1, { type: "fire.published", task: "backup" }]]), undefined);
  });

  describe("of a task whose rows are too far back", () => {
    const cursor = { dueMs: DUE_MS, revision: "a.b" };
    const crowd = Array.from(
      { length: 10_001 },
      (_, index): Entry => [100 + index, { type: "fire.published", task: "other" }],
    );

    it("reads around its due time", async () => {
      const last = await lastOf([published, acked, finished, ...crowd], { cursor });
      assert.deepEqual(last, { dueMs: DUE_MS, state: "success", latenessMs: 4 });
    });

    it("knows that it was not due since it is known", async () => {
      const known: Entry = [0, { type: "task.known" }];
      assert.equal((await lastOf([known, ...crowd], { cursor }))?.state, "none");
    });

    it("says so where nothing is there", async () => {
      const last = await lastOf(crowd, { cursor });
      assert.deepEqual(last, { dueMs: DUE_MS, state: "older", latenessMs: null });
    });

    it("takes what is open as it is", async () => {
      const open = anOpenFire({
        task: "report",
        dueMs: DUE_MS,
        publishedMs: DUE_MS + 6,
        isOverdue: true,
      });
      const last = await lastOf(crowd, { cursor, open: [open] });
      assert.deepEqual(last, { dueMs: DUE_MS, state: "overdue", latenessMs: 6 });
      const taken = await lastOf(crowd, { cursor, open: [{ ...open, state: "taken" }] });
      assert.equal(taken?.state, "taken");
    });
  });
});
