import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { celeryTaskId } from "../../src/celery/ids.ts";
import { rowLine, rowObject } from "../../src/commands/row_words.ts";
import { paintFor } from "../../src/commands/table.ts";
import type { JournalRow } from "../../src/event.ts";

const DUE_MS = Date.parse("2026-03-10T12:00:00Z");
const plain = paintFor({ env: {}, isOutTerminal: false });

function aRow(row: Partial<JournalRow> = {}): JournalRow {
  return {
    id: `${DUE_MS + 4}-0`,
    version: 1,
    type: "fire.published",
    task: "report",
    dueMs: DUE_MS,
    decidedMs: DUE_MS + 3,
    fence: 7,
    detail: {},
    ...row,
  };
}

/** The part of a line behind time, type and task. */
const wordsOf = (row: Partial<JournalRow>) => rowLine(aRow(row), plain).slice(26 + 17 + 26);

describe("rowLine()", () => {
  it("gives time, type, task, due time and lateness", () => {
    assert.equal(
      rowLine(aRow(), plain),
      "2026-03-10T12:00:00.004Z  fire.published   report                    " +
        "due 2026-03-10T12:00:00Z, 4 ms after",
    );
  });

  const due = "due 2026-03-10T12:00:00Z";
  const cases: [Partial<JournalRow>, string][] = [
    [{ detail: { attempt: 1 } }, `${due}, 4 ms after; attempt 2`],
    [
      { type: "fire.acked", detail: { by: "result", worker: "io@host" } },
      `${due}, 4 ms after; io@host, seen by result`,
    ],
    [
      { type: "fire.finished", detail: { outcome: "success", runtimeMs: 1250 } },
      `${due}, 4 ms after; success, ran 1.25 s`,
    ],
    [
      { type: "fire.expired", detail: { reason: "ttl", by: "beat" } },
      `${due}, 4 ms after; its time to live passed, seen by beat`,
    ],
    [
      {
        type: "task.dropped",
        detail: { fromMs: DUE_MS - 2000, toMs: DUE_MS, count: 3, by: "catchup", reason: "late" },
      },
      `${due}; 3 due from 2026-03-10T11:59:58Z to 2026-03-10T12:00:00Z dropped by catchup: late`,
    ],
    [
      {
        type: "term.started",
        task: "",
        dueMs: null,
        detail: { owner: "a", epoch: "e", build: "1" },
      },
      "a leads, build 1",
    ],
  ];
  for (const [row, words] of cases) {
    it(`says "${words}"`, () => assert.equal(wordsOf(row), words));
  }

  it("shows the payload of a type that it does not know, or that is malformed, as it is", () => {
    assert.match(wordsOf({ type: "level.raised", detail: { to: 2 } }), /; \{"to":2\}$/);
    assert.match(wordsOf({ type: "fire.finished", detail: { outcome: 5 } }), /; \{"outcome":5\}$/);
  });

  it("lets nothing of a row steer the terminal", () => {
    const line = rowLine(aRow({ task: "a\u001b[2J", detail: { x: 1, "y\u009b": 2 } }), plain);
    assert.match(line, /a\ufffd\[2J/);
    assert.doesNotMatch(line, /\p{Cc}/u);
  });
});

describe("rowObject()", () => {
  it("has stable names, RFC 3339 times, and the Celery task id", () => {
    assert.deepEqual(rowObject(aRow({ detail: { new: 1 } }), "beat"), {
      id: `${DUE_MS + 4}-0`,
      at: "2026-03-10T12:00:00.004Z",
      type: "fire.published",
      task: "report",
      fire_id: `report@${DUE_MS}`,
      due: "2026-03-10T12:00:00Z",
      decided: "2026-03-10T12:00:00.003Z",
      fence: 7,
      celery_task_id: celeryTaskId("beat", `report@${DUE_MS}`),
      detail: { new: 1 },
    });
  });

  it("gives another attempt its own Celery task id, and a skipped fire none", () => {
    const idOf = (row: Partial<JournalRow>) => rowObject(aRow(row), "beat").celery_task_id;
    assert.equal(idOf({ detail: { attempt: 1 } }), celeryTaskId("beat", `report@${DUE_MS}#1`));
    assert.equal(idOf({ type: "fire.skipped" }), null);
  });

  it("leaves out what a row is not about", () => {
    const { task, fire_id, due } = rowObject(
      aRow({ type: "term.ended", task: "", dueMs: null }),
      "beat",
    );
    assert.deepEqual([task, fire_id, due], [null, null, null]);
  });
});
