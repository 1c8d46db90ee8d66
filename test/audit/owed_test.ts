import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import type { OwedState } from "../../src/audit/owed.ts";
import { owedOf } from "../../src/audit/owed.ts";
import { definitionOf } from "../../src/core/reconcile.ts";
import type { JournalRow } from "../../src/event.ts";
import type { Task } from "../../src/task.ts";
import { revisionOf } from "../../src/task.ts";
import { anEvery, aTask, T0 } from "../support/build.ts";

const SECOND = 1_000;
const at = (seconds: number) => T0 + seconds * SECOND;

function row(type: string, seconds: number | null, own: Partial<JournalRow> = {}): JournalRow {
  const dueMs = seconds === null ? null : at(seconds);
  const head = { version: 1, fence: 1, task: "a", decidedMs: dueMs ?? T0, detail: {} };
  return { ...head, id: `${dueMs ?? T0}-0`, type, dueMs, ...own };
}

function known(seconds: number, type = "task.known", own: Partial<Task> = {}): JournalRow {
  const task = aTask({ name: "a", ...own });
  const detail = { revision: revisionOf(task), definition: definitionOf(task) };
  return row(type, seconds, { detail });
}

const FIRST = row("term.started", null, { task: "" });

/** Of the due times 1 to 9, as `second state publishes`. */
function owed(
  rows: readonly JournalRow[],
  { cursor = 9, trigger = null }: {
    cursor?: number | null;
    trigger?: ReturnType<typeof anEvery> | null;
  } = {},
): string[] {
  const question = owedOf({ task: "a", fromMs: at(1), toMs: at(9), trigger });
  for (const each of rows) question.take(each);
  const times = question.times(cursor === null ? null : at(cursor));
  assert.equal(question.count(), times.length);
  return times.map(({ dueMs, state, publishes }) =>
    `${(dueMs - T0) / SECOND} ${state} ${publishes}`
  );
}

const life = (seconds: number, ...types: [string, Record<string, unknown>?][]) =>
  types.map(([type, detail = {}]) => row(type, seconds, { detail }));

describe("owedOf()", () => {
  it("tells what became of each due time", () => {
    const rows = [
      FIRST,
      known(0),
      ...life(1, ["fire.published"], ["fire.acked"], ["fire.finished", { outcome: "failure" }]),
      ...life(2, ["fire.published"]),
      ...life(3, ["fire.published"], ["fire.expired", { reason: "ttl" }]),
      ...life(4, ["fire.published"], ["fire.finished", { outcome: "revoked" }], ["fire.acked"]),
      ...life(5, ["fire.skipped"]),
      row("task.dropped", 7, {
        detail: { fromMs: at(6), toMs: at(7), count: 2, by: "x", reason: "y" },
      }),
      ...life(9, ["fire.delayed"]),
    ];
    assert.deepEqual(owed(rows), [
      ...["1 acked 1", "2 open 1", "3 expired 1", "4 revoked 1", "5 skipped 0", "6 skipped 0"],
      ...["7 skipped 0", "8 missed 0", "9 held 0"],
    ]);
  });

  it("counts what was published under other names, and takes the best of them", () => {
    const again = { task: "a+r1" };
    const rows = [
      FIRST,
      known(0),
      ...life(1, ["fire.published"], ["fire.expired"]),
      row("fire.published", 1, { ...again, detail: { attempt: 1 } }),
      row("fire.acked", 1, again),
      ...life(2, ["fire.skipped"]),
      row("fire.published", 2, again),
      row("fire.published", 3, { task: "ab" }),
    ];
    assert.deepEqual(owed(rows).slice(0, 3), ["1 acked 2", "2 open 1", "3 missed 0"]);
  });

  it("leaves to the leader what it has not come to", () => {
    const states = (cursor: number | null) =>
      owed([FIRST, known(0)], { cursor }).map((text) => text.split(" ")[1] as OwedState);
    assert.deepEqual(states(7).slice(5), ["missed", "missed", "undecided", "undecided"]);
    assert.ok(states(null).every((state) => state === "missed"), "no leader knows the task");
  });

  it("knows the schedule of then: changed, retired, and known again", () => {
    const rows = [
      FIRST,
      known(0),
      known(3, "task.changed", { trigger: { kind: "every", everyMs: 2_000, phaseMs: 0 } }),
      row("task.retired", null, { id: `${at(6)}-0` }),
      known(8),
    ];
    assert.deepEqual(owed(rows).map((text) => text.split(" ")[0]), ["1", "2", "3", "4", "6", "9"]);
  });

  it("cannot tell of what was due before the task was known, or before the journal begins", () => {
    const trigger = anEvery(SECOND);
    assert.deepEqual(
      owed([FIRST, known(7)], { trigger }).map((text) => text.split(" ")[1]),
      [...Array(7).fill("unknown"), "missed", "missed"],
    );
    const cut = [row("fire.published", 4), row("fire.acked", 4)];
    assert.deepEqual(
      owed(cut, { trigger }).map((text) => text.split(" ")[1]),
      [...Array(3).fill("unknown"), "acked", ...Array(5).fill("missed")],
    );
  });
});
