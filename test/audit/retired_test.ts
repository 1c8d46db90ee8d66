/** What a snapshot keeps of tasks that were retired: as much as can still come of them. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { auditOf } from "../../src/audit/audit.ts";
import type { SnapshotState } from "../../src/audit/snapshot.ts";
import { snapshotOf } from "../../src/audit/snapshot.ts";
import { definitionOf } from "../../src/core/reconcile.ts";
import type { JournalRow } from "../../src/event.ts";
import { FINISH_WITHIN_MS } from "../../src/follow/verdict.ts";
import type { Task } from "../../src/task.ts";
import { revisionOf } from "../../src/task.ts";
import { WHOLE } from "../support/audited.ts";
import { aTask, T0 } from "../support/build.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
const EVERY = { kind: "every", everyMs: MINUTE, phaseMs: 0 } as const;
const STAYS = aTask({ name: "stays", trigger: EVERY });
const GOES = aTask({ name: "goes", trigger: EVERY, giveUpMs: DAY });
const RETIRED = T0 + 2.5 * MINUTE;
/** Nothing of it can come after this. */
const OVER = RETIRED + DAY + FINISH_WITHIN_MS;

const FIRST = [
  row("term.started", T0, { task: "", detail: { owner: "o", epoch: "e", build: "b" } }),
  known(STAYS, T0),
  known(GOES, T0),
  row("fire.published", T0 + MINUTE, { dueMs: T0 + MINUTE }),
];
const ENDED = [
  row("fire.acked", T0 + MINUTE + 1, { dueMs: T0 + MINUTE, detail: { by: "result" } }),
  row("fire.finished", T0 + MINUTE + 2, { dueMs: T0 + MINUTE, detail: { outcome: "success" } }),
];
const HELD = [
  row("fire.delayed", T0 + 2 * MINUTE, {
    dueMs: T0 + 2 * MINUTE,
    detail: { untilMs: T0 + 9 * DAY, by: "window", reason: "closed" },
  }),
  row("fire.skipped", RETIRED - 1, {
    dueMs: T0 + 2 * MINUTE,
    detail: { by: "schedule", reason: "the task was retired" },
  }),
];
const GONE = row("task.retired", RETIRED);
const BEFORE = [...FIRST, ...ENDED, ...HELD, GONE];

describe("a snapshot", () => {
  it("has the plan of a retired task until all of its fires must have ended", () => {
    assert.deepEqual(namesIn(folded([...BEFORE, told(OVER)])), ["goes", "stays"]);
    assert.deepEqual(namesIn(folded([...BEFORE, told(OVER + 1)])), ["stays"]);
  });

  it("has it for as long as a fire of it is open", () => {
    const rows = [...FIRST, GONE, told(OVER + DAY)];
    assert.deepEqual(namesIn(folded(rows)), ["goes", "stays"]);
    const ended = [...FIRST, ...ENDED, GONE, told(OVER + DAY)];
    assert.deepEqual(namesIn(folded(ended)), ["stays"]);
  });

  it("comes to the same with and without what the one before it left out", () => {
    const before = [...BEFORE, told(OVER + 1)];
    const back = known(GOES, OVER + DAY);
    const fired = row("fire.published", back.dueMs! + MINUTE, { dueMs: back.dueMs! + MINUTE });
    const stray = { ...ENDED[1]!, decidedMs: OVER + 2, id: `${OVER + 2}-0` };
    const late = row("fire.late_ack", OVER + 3, { dueMs: T0 + MINUTE, detail: { by: "result" } });
    for (const after of [[stray, late], [back], [stray, back, fired]]) {
      const rest = [...after, told(OVER + 2 * DAY)];
      const whole = folded([...before, ...rest]);
      const seeded = folded(rest, stateOf(folded(before)));
      assert.deepEqual(stateOf(seeded), stateOf(whole));
    }
  });
});

describe("an audit that begins with a snapshot", () => {
  it("does not call a stray row an orphan whose task it does not have any more", () => {
    const seed = stateOf(folded([...BEFORE, told(OVER + 1)]));
    const strays = [
      row("fire.acked", OVER + 2, { dueMs: T0 + MINUTE, detail: { by: "result" } }),
      row("fire.finished", OVER + 3, { dueMs: T0 + MINUTE, detail: { outcome: "success" } }),
      row("fire.late_ack", OVER + 4, { dueMs: T0 + MINUTE, detail: { by: "result" } }),
    ];
    assert.deepEqual(folded(strays, seed).close(OVER + 5).findings, []);
    const made = row("fire.published", OVER + 6, { dueMs: T0 + MINUTE, task: "made.up" });
    const { counts } = folded([...strays, made], seed).close(OVER + 7);
    assert.deepEqual([...counts], [["orphan", 1]]);
  });
});

function folded(rows: readonly JournalRow[], seed: SnapshotState | null = null) {
  const audit = auditOf({ ...WHOLE, sinceMs: Infinity, untilMs: Infinity }, seed);
  for (const each of rows) audit.take(each);
  return audit;
}

function stateOf({ ledger }: ReturnType<typeof folded>): SnapshotState {
  return JSON.parse(JSON.stringify(snapshotOf(ledger)));
}

function namesIn(audit: ReturnType<typeof folded>): string[] {
  return stateOf(audit).plans.map(({ task }) => task);
}

/** A row that says nothing of any task. */
function told(atMs: number): JournalRow {
  return row("level.changed", atMs, {
    task: "",
    detail: { key: "queue:one", from: "slowed", to: "normal", reason: "drawn" },
  });
}

function known(task: Task, atMs: number): JournalRow {
  const detail = { revision: revisionOf(task), definition: definitionOf(task) };
  return row("task.known", atMs, { task: task.name, dueMs: atMs, detail });
}

function row(type: string, atMs: number, own: Partial<JournalRow> = {}): JournalRow {
  return {
    ...{ id: `${atMs}-0`, version: 1, type, task: "goes", dueMs: null, decidedMs: atMs },
    ...{ fence: 1, detail: {} },
    ...own,
  };
}
