/** Pauses: what is skipped, what a resumed task never fires, and how the two layers go together. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { pausesText } from "../../src/commands/task_views.ts";
import { rowOf } from "../../src/event.ts";
import type { Task } from "../../src/task.ts";
import type { AskedDesk } from "../support/asked_desk.ts";
import { anAskedDesk } from "../support/asked_desk.ts";
import { publishedOf } from "../support/desk.ts";
import { T0 } from "../support/build.ts";

const A: Partial<Task> = { name: "a", queue: "a" };
const B: Partial<Task> = { name: "b", queue: "b" };
const ALL = { policy: "all", windowMs: 3_600_000, cap: 1_000 } as const;

const seconds = (desk: AskedDesk, task: string) =>
  publishedOf(desk, task).map((dueMs) => (dueMs - T0) / 1_000);
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe("a paused task", () => {
  it("skips its due times in one row by `pause`, with who and why, and others go on", async () => {
    const desk = await anAskedDesk(A, B);
    await desk.pass(2_500);
    await desk.ask({ id: "p", kind: "pause", task: "a" });
    await desk.pass(5_000);
    await desk.ask({ id: "q", kind: "resume", task: "a" });
    await desk.pass(2_500);
    assert.deepEqual(seconds(desk, "a"), [1, 2, 8, 9, 10]);
    assert.deepEqual(seconds(desk, "b"), range(1, 10));
    const [skipped] = await desk.rows("fire.skipped");
    const reason = "paused by ada@desk: a test";
    assert.deepEqual(skipped!.detail, { by: "pause", reason });
    const [row] = await desk.rows("task.dropped");
    const dropped = rowOf(row!, "task.dropped")!.detail;
    assert.deepEqual([dropped.by, dropped.reason, dropped.count], ["pause", reason, 4]);
    const report = await desk.audit();
    assert.deepEqual(report.findings, []);
    assert.equal(report.sum.skipped.get(`pause: ${reason}`), 5);
  });

  it("stays so under the next leader, and fires nothing of the dark when it is resumed", async () => {
    for (const catchUp of [{ policy: "latest", windowMs: 3_600_000, cap: 1 } as const, ALL]) {
      const desk = await anAskedDesk({ ...A, catchUp });
      await desk.ask({ id: "p", kind: "pause", task: "a" });
      await desk.pass(2_500);
      await desk.takeOver();
      await desk.pass(2_000);
      assert.deepEqual(seconds(desk, "a"), []);
      await desk.endTerm();
      await desk.ask({ id: "q", kind: "resume", task: "a" });
      await desk.clock.advance(60_000);
      await desk.takeOver();
      // The order is carried out before the next leader has looked at a due time.
      await desk.clock.advance(10);
      assert.equal((await desk.answers()).at(-1), "q done");
      await desk.pass(3_000);
      assert.deepEqual(seconds(desk, "a"), [65, 66, 67], catchUp.policy);
      assert.deepEqual((await desk.audit()).findings, []);
    }
  });

  it("fires nothing of a dark before the pause either, once it is resumed", async () => {
    const desk = await anAskedDesk({ ...A, catchUp: ALL });
    await desk.pass(1_000);
    await desk.endTerm();
    await desk.clock.advance(10_000);
    await desk.ask({ id: "p", kind: "pause", task: "a" });
    await desk.ask({ id: "q", kind: "resume", task: "a" });
    await desk.takeOver();
    await desk.clock.advance(10);
    await desk.pass(2_500);
    assert.deepEqual(seconds(desk, "a"), [1, 12, 13]);
  });

  it("is paused once and resumed once, whichever reply is lost", async () => {
    for (const fault of ["request", "reply", "late"] as const) {
      const desk = await anAskedDesk(A);
      await desk.ask({ id: "p", kind: "pause", task: "a" });
      desk.journal.faults.push(fault);
      await desk.clock.advance(300);
      assert.ok(desk.isUnsure(), "nothing is decided by a world that may not know of it");
      await desk.takeOver();
      await desk.journal.arrive();
      await desk.clock.advance(300);
      assert.deepEqual(await desk.answers(), ["p done"], fault);
      desk.journal.faults.push(fault);
      await desk.ask({ id: "q", kind: "resume", task: "a" });
      await desk.clock.advance(300);
      assert.ok(desk.isUnsure());
      await desk.takeOver();
      await desk.journal.arrive();
      await desk.clock.advance(300);
      assert.deepEqual(await desk.answers(), ["p done", "q done"], fault);
      assert.equal((await desk.rows("control.paused")).length, 1, fault);
      assert.equal((await desk.rows("control.resumed")).length, 1, fault);
    }
  });
});

describe("a task that was resumed while Redis' clock was ahead", () => {
  const MINUTE_MS = 60_000;

  async function resumedAhead(task: string | null): Promise<AskedDesk> {
    const desk = await anAskedDesk(A);
    const step = (byMs: number) => {
      desk.stepServer(byMs);
      desk.server.observe(desk.clock.monotonicMs(), desk.store.serverMs());
    };
    await desk.ask({ id: "p", kind: "pause", task });
    await desk.pass(1_000);
    step(50 * MINUTE_MS);
    await desk.ask({ id: "q", kind: "resume", task });
    // Before the leader has looked at what came due meanwhile.
    await desk.clock.advance(300);
    step(-50 * MINUTE_MS);
    await desk.pass(2_000);
    assert.deepEqual(seconds(desk, "a"), [], "it is kept back until the clock is there again");
    return desk;
  }

  it("is still paused for who looks at it, and fires again once it is resumed anew", async () => {
    for (const task of ["a", null]) {
      const desk = await resumedAhead(task);
      const { cursors } = desk.now.world;
      const nowMs = desk.store.serverMs();
      assert.match(pausesText({ cursors, serverMs: nowMs }) ?? "", /paused since .* by ada@desk/);
      await desk.ask({ id: "r", kind: "resume", task });
      await desk.clock.advance(300);
      assert.equal(pausesText({ cursors, serverMs: desk.store.serverMs() }), null);
      await desk.pass(2_500);
      assert.deepEqual(seconds(desk, "a"), [4, 5, 6], `${task}`);
      assert.deepEqual(await desk.answers(), ["p done", "q done", "r done"]);
      assert.deepEqual((await desk.rows("control.answered")).at(-1)!.detail.reason, undefined);
      assert.equal((await desk.rows("control.resumed")).length, 2);
      // Rows keep the ids of before, so some look late.
      const { findings } = await desk.audit();
      assert.deepEqual(findings.filter(({ kind }) => kind !== "late"), []);
    }
  });

  it("says that all are paused where that was lifted while the clock was ahead", async () => {
    const desk = await resumedAhead(null);
    await desk.ask({ id: "r", kind: "resume", task: "a" });
    await desk.pass(500);
    const { result, reason } = (await desk.rows("control.answered")).at(-1)!.detail;
    assert.equal(result, "refused");
    assert.match(String(reason), /^all tasks are paused by ada@desk .*resume with --all$/);
  });
});

describe("pausing all and resuming one", () => {
  it("leaves each layer to its own end", async () => {
    const desk = await anAskedDesk(A, B);
    const ask = async (id: string, kind: "pause" | "resume", task: string | null) => {
      await desk.ask({ id, kind, task });
      await desk.pass(1_000);
    };
    await ask("1", "pause", "a");
    await ask("2", "pause", null);
    assert.deepEqual([seconds(desk, "a"), seconds(desk, "b")], [[], [1]]);
    await ask("3", "resume", "b");
    await ask("4", "resume", "a");
    await ask("5", "pause", "b");
    await ask("6", "resume", null);
    assert.deepEqual([seconds(desk, "a"), seconds(desk, "b")], [[6], [1]]);
    await ask("7", "resume", "b");
    assert.deepEqual([seconds(desk, "a"), seconds(desk, "b")], [[6, 7], [1, 7]]);
    const answers = await desk.rows("control.answered");
    const told = answers.map((
      { detail: { request, result, reason } },
    ) => [request, result, reason]);
    const by = (second: number) => `by ada@desk since 2026-01-01T00:00:0${second}Z: a test`;
    assert.deepEqual(told, [
      ["1", "done", undefined],
      ["2", "done", undefined],
      ["3", "refused", `all tasks are paused ${by(1)}; resume with --all`],
      ["4", "done", `it fires again once all tasks are resumed: paused ${by(1)}`],
      ["5", "done", undefined],
      ["6", "done", "paused by an order of their own: b"],
      ["7", "done", undefined],
    ]);
  });

  it("says what is so already, and refuses a task that is not in the schedule", async () => {
    const desk = await anAskedDesk(A);
    await desk.ask({ id: "1", kind: "resume", task: "a" });
    await desk.ask({ id: "2", kind: "pause", task: "nope" });
    await desk.ask({ id: "3", kind: "pause", task: "a" });
    await desk.ask({ id: "4", kind: "pause", task: "a", note: "another" });
    await desk.pass(500);
    assert.deepEqual(await desk.answers(), ["1 done", "2 refused", "3 done", "4 done"]);
    const reasons = (await desk.rows("control.answered")).map(({ detail }) => detail.reason);
    assert.equal(reasons[0], "it was not paused");
    assert.match(String(reasons[3]), /^it was paused already by ada@desk since .*: a test$/);
    assert.equal((await desk.rows("control.paused")).length, 1);
  });

  it("refuses to resume what never was: a name that was mistyped must not pass for done", async () => {
    const desk = await anAskedDesk(A);
    await desk.ask({ id: "1", kind: "resume", task: "aa" });
    await desk.pass(300);
    const [answer] = await desk.rows("control.answered");
    assert.deepEqual(
      [answer!.detail.result, answer!.detail.reason],
      ["refused", "the leader's schedule has no task aa"],
    );
  });
});
