import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { quantile, recentOf } from "../../src/audit/recent.ts";
import type { JournalRow } from "../../src/event.ts";
import { T0 } from "../support/build.ts";

function recentBy(rows: readonly (readonly [number, string, Record<string, unknown>?, number?])[]) {
  const recent = recentOf();
  for (const [index, [atMs, type, detail = {}, dueMs = 0]] of [...rows.entries()].reverse()) {
    const row: JournalRow = {
      ...{ id: `${T0 + atMs}-${index}`, version: 1, type, task: "report" },
      ...{ dueMs: T0 + dueMs, decidedMs: T0, fence: 1, detail },
    };
    recent.take(row);
  }
  return recent;
}

describe("recentOf()", () => {
  it("measures how long fires waited, ran and were held", () => {
    const recent = recentBy([
      [3, "fire.published"],
      [20, "fire.taken"],
      [500, "fire.acked"],
      [500, "fire.finished", { outcome: "success", runtimeMs: 470 }],
    ]);
    const task = recent.tasks.get("report")!;
    assert.deepEqual([task.waits, task.runtimes, task.holds], [[17], [470], [480]]);
    assert.deepEqual([task.lastDueMs, task.lastState, task.published], [T0, "success", 1]);
    assert.equal(recent.takenMs.get("report"), T0 + 500);
    assert.deepEqual([recent.rows, recent.sinceMs], [4, T0 + 3]);
  });

  it("counts as held what the worker held that acked it, and not those before", () => {
    const recent = recentBy([
      [3, "fire.published"],
      [20, "fire.taken"],
      [3_600_000, "fire.redelivered", { deliveries: 2 }],
      [3_600_010, "fire.taken"],
      [3_600_500, "fire.acked"],
    ]);
    const { waits, holds, redelivered } = recent.tasks.get("report")!;
    assert.deepEqual([waits, holds, redelivered], [[17], [490], 1]);
  });

  const ends: [string, [number, string, Record<string, unknown>?, number?][], string][] = [
    ["waits", [[3, "fire.published"]], "published"],
    ["expired", [[3, "fire.published"], [9, "fire.expired", { reason: "ttl" }]], "expired"],
    [
      "finished before its ack",
      [[3, "fire.published"], [8, "fire.finished", { outcome: "failure" }], [9, "fire.acked"]],
      "failure",
    ],
    [
      "dropped after one that ran",
      [[3, "fire.published"], [8, "task.dropped", { count: 7 }, 5]],
      "dropped",
    ],
    [
      "skipped in a row with others",
      [[3, "fire.published"], [8, "task.dropped", { count: 7, by: "session" }, 5]],
      "skipped",
    ],
    ["published after one that was dropped", [
      [3, "task.dropped", { count: 7 }],
      [9, "fire.published", {}, 5],
    ], "published"],
  ];
  for (const [name, rows, state] of ends) {
    it(`knows the last one as ${state} that ${name}`, () => {
      assert.equal(recentBy(rows).tasks.get("report")!.lastState, state);
    });
  }

  it("counts an expiry as a wait, and due times that were let go", () => {
    const { tasks } = recentBy([
      [3, "fire.published"],
      [2_503, "fire.expired", { reason: "ttl" }],
      [2_600, "task.dropped", { count: 7 }, 9],
    ]);
    const { waits, expired, dropped } = tasks.get("report")!;
    assert.deepEqual([waits, expired, dropped], [[2_500], 1, 7]);
  });

  it("does not count what was meant to be left out: hours, windows and pauses", () => {
    const dropped = (by: string) =>
      recentBy([[3, "task.dropped", { count: 7, by }]]).tasks.get("report")!.dropped;
    assert.deepEqual(["session", "window", "pause"].map(dropped), [0, 0, 0]);
    assert.deepEqual(["catchup", "overlap", "pressure"].map(dropped), [7, 7, 7]);
  });
});

describe("quantile()", () => {
  it("is the value that the share is at or below", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    assert.equal(quantile(hundred, 0.99), 99);
    assert.equal(quantile([7], 0.95), 7);
    assert.equal(quantile([], 0.5), null);
  });
});
