import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { auditOf } from "../../src/audit/audit.ts";
import { figuresOf } from "../../src/audit/figures.ts";
import { snapshotOf } from "../../src/audit/snapshot.ts";
import { definitionOf } from "../../src/core/reconcile.ts";
import type { JournalRow } from "../../src/event.ts";
import { revisionOf } from "../../src/task.ts";
import { WHOLE } from "../support/audited.ts";
import { aTask, T0 } from "../support/build.ts";

function aJournalRow(own: Partial<JournalRow> & { readonly type: string }): JournalRow {
  const decidedMs = own.decidedMs ?? T0;
  return {
    ...{ id: `${decidedMs}-0`, version: 1, task: "a", dueMs: decidedMs, fence: 1, detail: {} },
    ...own,
    decidedMs,
  };
}

const declared = (task: string, importance: string) =>
  aJournalRow({ type: "task.known", task, detail: { definition: { queue: "q", importance } } });

describe("figuresOf()", () => {
  function figures(rows: readonly JournalRow[]) {
    const all = figuresOf({ sinceMs: T0, untilMs: T0 + 1e9 });
    for (const row of rows) all.take(row);
    return all;
  }

  it("counts the fullest second with what jitter held, and without", () => {
    const rows = ["a", "b", "c"].flatMap((task, index) => {
      const decidedMs = T0 + 1_000 * (index + 1);
      return [
        declared(task, "normal"),
        aJournalRow({ type: "fire.delayed", task, detail: { by: "jitter", reason: "" } }),
        aJournalRow({ type: "fire.published", task, dueMs: T0, decidedMs }),
      ];
    });
    assert.deepEqual(figures(rows).queues.get("q"), { withJitter: 1, without: 3 });
  });

  it("counts what a window let go and jitter spread in the second of the window", () => {
    const rows = ["a", "b"].flatMap((task, index) => {
      const dueMs = T0 + 60_000 * index;
      const openMs = T0 + 600_000;
      const row = (type: string, decidedMs: number, by: string) =>
        aJournalRow({ type, task, dueMs, decidedMs, detail: { by, reason: "" } });
      return [
        declared(task, "normal"),
        row("fire.delayed", dueMs, "window"),
        row("fire.delayed", openMs, "jitter"),
        // Asked again after an edit.
        row("fire.delayed", openMs + 1_500, "jitter"),
        row("fire.published", openMs + 2_000 + 5_000 * index, ""),
      ];
    });
    assert.deepEqual(figures(rows).queues.get("q"), { withJitter: 1, without: 2 });
  });

  it("leaves what somebody asked for out of what the schedule decided, and of its delays", () => {
    const { decided, published, normal } = figures([
      declared("a", "critical"),
      aJournalRow({ type: "fire.published" }),
      aJournalRow({ type: "fire.published", task: "a+backfill", dueMs: T0 - 86_400_000 }),
    ]);
    assert.deepEqual([decided, published, normal.delaysMs], [1, 2, [0]]);
  });

  it("counts what sessions saved and what expired", () => {
    const skip = { by: "session", reason: "closed" };
    const all = figures([
      declared("a", "normal"),
      aJournalRow({ type: "fire.skipped", detail: skip }),
      aJournalRow({ type: "task.dropped", detail: { ...skip, count: 6 } }),
      aJournalRow({ type: "task.dropped", detail: { by: "catchup", reason: "late", count: 2 } }),
      aJournalRow({ type: "fire.published" }),
      aJournalRow({ type: "fire.expired", detail: { reason: "ttl", by: "beat" } }),
    ]);
    assert.deepEqual([all.skippedBySession, all.decided, all.expired, all.published], [
      7,
      10,
      1,
      1,
    ]);
  });

  it("tells how critical tasks fared while something was throttled from when nothing was", () => {
    const fire = (dueMs: number, lateMs: number, outcome: string) => [
      aJournalRow({ type: "fire.published", dueMs, decidedMs: dueMs + lateMs }),
      aJournalRow({ type: "fire.finished", dueMs, decidedMs: dueMs + 500, detail: { outcome } }),
    ];
    const level = (to: string) =>
      aJournalRow({ type: "level.changed", task: "", dueMs: null, detail: { key: "queue:q", to } });
    const { normal, degraded } = figures([
      declared("a", "critical"),
      ...fire(T0, 2, "success"),
      level("paused"),
      ...fire(T0 + 1_000, 40, "failure"),
      level("normal"),
      ...fire(T0 + 2_000, 3, "unknown"),
    ]);
    assert.deepEqual(normal, { succeeded: 1, failed: 0, delaysMs: [2, 3] });
    assert.deepEqual(degraded, { succeeded: 0, failed: 1, delaysMs: [40] });
  });

  it("knows from a snapshot what tasks are, and what is throttled", () => {
    const before = auditOf(WHOLE);
    const detail = { key: "queue:q", from: "normal", to: "slowed", reason: "" };
    const level = aJournalRow({ type: "level.changed", task: "", dueMs: null, detail });
    const task = aTask({ name: "a", queue: "q", importance: "critical" });
    const known = { revision: revisionOf(task), definition: definitionOf(task) };
    for (const row of [level, aJournalRow({ type: "task.known", detail: known })]) before.take(row);
    const all = figuresOf({ sinceMs: T0, untilMs: T0 + 1e9 }, snapshotOf(before.ledger));
    all.take(aJournalRow({ type: "fire.published" }));
    assert.deepEqual([...all.queues], [["q", { withJitter: 1, without: 1 }]]);
    assert.deepEqual([all.normal.delaysMs, all.degraded.delaysMs], [[], [0]]);
  });

  it("leaves rows of another time out", () => {
    const early = { id: `${T0 - 1}-0`, decidedMs: T0 - 1 };
    assert.equal(figures([aJournalRow({ type: "fire.published", ...early })]).published, 0);
  });
});
