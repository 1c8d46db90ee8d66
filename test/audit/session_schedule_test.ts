/** Due times of a session trigger, counted by the audit from what the journal holds of it. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";

import { declare, place } from "../../src/audit/schedule.ts";
import { definitionOf } from "../../src/core/reconcile.ts";
import { decodeRow, encodeRow } from "../../src/row_text.ts";
import { revisionOf } from "../../src/task.ts";
import { triggerOf } from "../../src/triggers/mod.ts";
import { aTask } from "../support/build.ts";
import { specOf } from "../support/calendars.ts";

describe("declare() of a session trigger", () => {
  it("has the due times of the leader, from the recorded definition alone", () => {
    const trigger = {
      ...{
        kind: "session",
        calendar: specOf("XHKG"),
        anchor: "close",
        offsetMs: -900_000,
      } as const,
    };
    const task = aTask({ trigger });
    const fromMs = Date.UTC(2026, 1, 1);
    const [type, due, decided, payload] = encodeRow({
      type: "task.known",
      task: task.name,
      dueMs: fromMs,
      decidedMs: fromMs,
      detail: { revision: revisionOf(task), definition: definitionOf(task) },
    });
    const row = decodeRow(`${fromMs}-0`, [
      ...["v", "1", "t", type, "k", task.name, "d", due, "m", decided, "f", "1", "p", payload],
    ]);
    assert.ok(typeof row !== "string");
    const { plan, declared } = declare(null, row, false);
    assert.equal(declared.problem, null);
    const leader = triggerOf(trigger);
    let dueMs = leader.next(fromMs)!;
    for (let step = 0; step < 40; step++, dueMs = leader.next(dueMs)!) {
      assert.equal(place(plan!, dueMs), "next");
      assert.equal(place(plan!, dueMs), "again");
    }
    assert.equal(place(plan!, dueMs + 1), "never");
  });
});
