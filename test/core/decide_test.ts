/** What is done about a task whose fires a gate judges: held, superseded, skipped in runs, let go. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { decide, lookMs } from "../../src/core/decide.ts";
import { SKIP_RUN_MS } from "../../src/core/skip_run.ts";
import type { World } from "../../src/core/world.ts";
import { applyStep } from "../../src/core/world.ts";
import { levelCursor } from "../../src/cursor.ts";
import type { Policy, Verdict } from "../../src/policies/mod.ts";
import { gateOf, PASS } from "../../src/policies/mod.ts";
import type { Step } from "../../src/ports.ts";
import type { Task } from "../../src/task.ts";
import { anEvery, aReady, aWorld, T0 } from "../support/build.ts";

const TERM = { namespace: "beat", fence: 4 };
const MINUTE_MS = 60_000;
const SKIP: Verdict = { kind: "skip", reason: "closed" };

describe("decide()", () => {
  it("publishes what every policy lets pass, with what they had to say", () => {
    const desk = aDesk([
      policy("a", () => PASS),
      policy("b", () => ({ kind: "pass", note: "hm" })),
    ]);
    assert.deepEqual(rowsOf(desk.at(MINUTE_MS)), [
      ["fire.published", MINUTE_MS, { notes: { b: "hm" } }],
    ]);
  });

  it("holds a fire until its time, and asks again from the top then", () => {
    const desk = aDesk([delayedBy(5_000)]);
    assert.deepEqual(rowsOf(desk.at(MINUTE_MS)), [
      ["fire.delayed", MINUTE_MS, { untilMs: T0 + 65_000, by: "spread", reason: "so" }],
    ]);
    assert.equal(desk.lookMs(), 65_000);
    assert.deepEqual(desk.at(64_999), []);
    const steps = desk.at(65_000);
    assert.deepEqual(rowsOf(steps), [
      ["fire.published", MINUTE_MS, { notBeforeMs: T0 + 65_000 }],
    ]);
    assert.equal(steps[0]!.notBeforeMs, T0 + 65_000);
    assert.equal(desk.lookMs(), 2 * MINUTE_MS);
  });

  it("goes on holding after a change of leader", () => {
    const desk = aDesk([delayedBy(5_000)]);
    desk.at(MINUTE_MS);
    desk.changeLeader();
    assert.equal(desk.lookMs(), 65_000);
    assert.equal(rowsOf(desk.at(65_001))[0]![0], "fire.published");
  });

  it("lets a newer due time take the place of a held one, but not under `all`", () => {
    const held = [policy("window", () => until(600_000))];
    const desk = aDesk(held);
    desk.at(MINUTE_MS);
    assert.equal(desk.lookMs(), 2 * MINUTE_MS);
    assert.deepEqual(rowsOf(desk.at(2 * MINUTE_MS)).map(([type, due]) => [type, due]), [
      ["fire.skipped", MINUTE_MS],
      ["fire.delayed", 2 * MINUTE_MS],
    ]);
    const all = aDesk(held, { catchUp: { policy: "all", windowMs: 3_600_000, cap: 10 } });
    all.at(MINUTE_MS);
    assert.equal(all.lookMs(), 600_000);
    assert.deepEqual(all.at(2 * MINUTE_MS), []);
  });

  it("lets what waits behind a held fire follow in order under `all`", () => {
    const desk = aDesk([delayedBy(130_000)], {
      catchUp: { policy: "all", windowMs: 3_600_000, cap: 10 },
    });
    desk.at(MINUTE_MS);
    const rows = rowsOf(desk.at(MINUTE_MS + 130_000));
    assert.deepEqual(rows.map(([type, due]) => [type, due]), [
      ["fire.published", MINUTE_MS],
      ["fire.delayed", 2 * MINUTE_MS],
    ]);
  });

  it("writes no row while the same thing is waited for", () => {
    const desk = aDesk([policy("overlap", (nowMs) => waitFor("task@1", nowMs + 1_000))]);
    assert.equal(rowsOf(desk.at(MINUTE_MS))[0]![2].cause, "task@1");
    assert.equal(desk.lookMs(), 61_000);
    assert.deepEqual(desk.at(61_000), []);
    assert.equal(desk.lookMs(), 62_000);
  });

  it("writes a run of skips as one row, and the first at once", () => {
    const desk = aDesk([policy("session", (nowMs) => nowMs < T0 + 300_000 ? SKIP : PASS)]);
    assert.deepEqual(rowsOf(desk.at(MINUTE_MS)), [
      ["fire.skipped", MINUTE_MS, { by: "session", reason: "closed" }],
    ]);
    for (const minute of [2, 3, 4]) assert.deepEqual(desk.at(minute * MINUTE_MS), []);
    assert.equal(desk.lookMs(), 5 * MINUTE_MS);
    assert.deepEqual(rowsOf(desk.at(5 * MINUTE_MS)).map(([type, , detail]) => [type, detail]), [
      ["task.dropped", {
        fromMs: T0 + 2 * MINUTE_MS,
        toMs: T0 + 4 * MINUTE_MS,
        count: 3,
        by: "session",
        reason: "closed",
      }],
      ["fire.published", {}],
    ]);
  });

  it("writes a run of skips after an hour at the latest", () => {
    const desk = aDesk([policy("session", () => SKIP)]);
    const rows = [];
    for (let minute = 1; minute <= 125; minute++) rows.push(...rowsOf(desk.at(minute * MINUTE_MS)));
    assert.deepEqual(rows.map(([type, due]) => [type, due]), [
      ["fire.skipped", MINUTE_MS],
      ["task.dropped", MINUTE_MS + SKIP_RUN_MS],
      ["task.dropped", MINUTE_MS + 2 * SKIP_RUN_MS],
    ]);
  });

  it("forgets a run whose steps did not come to pass", () => {
    const desk = aDesk([policy("session", () => SKIP)]);
    desk.at(MINUTE_MS, { isLost: true });
    assert.equal(rowsOf(desk.at(2 * MINUTE_MS)).at(-1)![0], "fire.skipped");
  });

  it("keeps what it skipped before steps that did not come to pass", () => {
    const desk = aDesk([policy("session", (nowMs) => nowMs < T0 + 180_000 ? SKIP : PASS)]);
    desk.at(MINUTE_MS);
    desk.at(2 * MINUTE_MS);
    const first = rowsOf(desk.at(3 * MINUTE_MS, { isLost: true }));
    assert.deepEqual(first.map(([type, due]) => [type, due]), [
      ["task.dropped", 2 * MINUTE_MS],
      ["fire.published", 3 * MINUTE_MS],
    ]);
    // A policy that lets pass now what it skipped then has no say any more.
    assert.deepEqual(rowsOf(desk.at(3 * MINUTE_MS + 5_000)), first);
  });

  it("forgets such a run, too, where another step leaves the cursor that it would have left", () => {
    const catchUp = { policy: "skip", windowMs: 0, cap: 1 } as const;
    const desk = aDesk([policy("session", () => SKIP)], { catchUp });
    desk.at(MINUTE_MS, { isLost: true });
    assert.deepEqual(rowsOf(desk.at(MINUTE_MS + 5_000)).map(([type, , { by }]) => [type, by]), [
      ["task.dropped", "catchup"],
    ]);
    assert.deepEqual(rowsOf(desk.at(2 * MINUTE_MS)).map(([type, due]) => [type, due]), [
      ["fire.skipped", 2 * MINUTE_MS],
    ]);
  });

  it("begins another run where the reason is another", () => {
    const desk = aDesk([
      policy("session", (nowMs) => ({ kind: "skip", reason: nowMs > T0 + 150_000 ? "b" : "a" })),
    ]);
    desk.at(MINUTE_MS);
    desk.at(2 * MINUTE_MS);
    assert.deepEqual(rowsOf(desk.at(3 * MINUTE_MS)).map(([type, due]) => [type, due]), [
      ["task.dropped", 2 * MINUTE_MS],
      ["fire.skipped", 3 * MINUTE_MS],
    ]);
  });

  it("tells policies the levels that stand in the journal", () => {
    const seen: string[] = [];
    const desk = aDesk([
      policy("pressure", (_nowMs, facts) => {
        seen.push(facts.level("queue:a"), facts.level("queue:b"));
        return PASS;
      }),
    ]);
    desk.world.cursors.set(levelCursor("queue:a"), { dueMs: T0, revision: "slowed" });
    desk.at(MINUTE_MS);
    assert.deepEqual(seen, ["slowed", "normal"]);
  });

  it("names the earlier fires of the task that are open", () => {
    const seen: (readonly string[])[] = [];
    const desk = aDesk([
      policy("overlap", (_nowMs, facts) => {
        seen.push(facts.running);
        return PASS;
      }),
    ]);
    desk.at(MINUTE_MS);
    desk.at(2 * MINUTE_MS);
    assert.deepEqual(seen, [[], [`report@${T0 + MINUTE_MS}`]]);
  });

  it("counts a fire that goes out in the same pass as running", () => {
    const seen: (readonly string[])[] = [];
    const desk = aDesk([
      policy("overlap", (_nowMs, facts) => {
        seen.push(facts.running);
        return facts.running.length === 0 ? PASS : SKIP;
      }),
    ], { catchUp: { policy: "all", windowMs: 3_600_000, cap: 10 } });
    assert.deepEqual(rowsOf(desk.at(3 * MINUTE_MS)).map(([type]) => type), [
      "fire.published",
      "fire.skipped",
    ]);
    const first = `report@${T0 + MINUTE_MS}`;
    assert.deepEqual(seen, [[], [first], [first]]);
  });
});

/** A task that is due each minute, and its world; times are counted from `T0`. */
function aDesk(policies: readonly Policy[], own: Partial<Task> = {}) {
  const ready = {
    ...aReady({ name: "report", ...own }, anEvery(MINUTE_MS)),
    gate: gateOf(policies),
  };
  const desk = { world: worldAt(T0, ready.revision) };
  return {
    get world(): World {
      return desk.world;
    },
    at(afterMs: number, { isLost = false } = {}): Step[] {
      const steps = decide(ready, desk.world, TERM, { nowMs: T0 + afterMs, limit: 100 });
      if (!isLost) { for (const step of steps) applyStep(desk.world, step); }
      return steps;
    },
    lookMs: () => lookMs(ready, desk.world)! - T0,
    /** Another has the cursors, and nothing else. */
    changeLeader(): void {
      desk.world = aWorld(Object.fromEntries(desk.world.cursors));
    },
  };
}

function worldAt(dueMs: number, revision: string): World {
  return aWorld({ report: { dueMs, revision } });
}

/** Rows as type, due time after `T0`, and detail. */
function rowsOf(steps: readonly Step[]): [string, number, Record<string, unknown>][] {
  return steps.map(({ row }) => [row.type, row.dueMs! - T0, row.detail]);
}

function policy(
  name: string,
  judge: (nowMs: number, facts: Parameters<Policy["judge"]>[2]) => Verdict,
): Policy {
  return { name, judge: (_fire, nowMs, facts) => judge(nowMs, facts) };
}

function delayedBy(shiftMs: number): Policy {
  return {
    name: "spread",
    judge: ({ dueMs }, nowMs) =>
      nowMs >= dueMs + shiftMs ? PASS : { kind: "delay", untilMs: dueMs + shiftMs, reason: "so" },
  };
}

function until(afterMs: number): Verdict {
  return { kind: "delay", untilMs: T0 + afterMs, reason: "so" };
}

function waitFor(cause: string, againMs: number): Verdict {
  return { kind: "wait", cause, againMs, reason: "so" };
}
