/** What levels do to fires, by importance. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";
import { gateOf } from "../../src/policies/mod.ts";
import { policiesOf } from "../../src/policies/order.ts";
import { pressure } from "../../src/policies/pressure.ts";
import { slo } from "../../src/policies/slo.ts";
import { AGAIN_MS } from "../../src/policies/throttle.ts";
import type { Level } from "../../src/event.ts";
import type { Importance, Task } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import { triggerOf } from "../../src/triggers/mod.ts";
import { aTask, T0 } from "../support/build.ts";
import { aFire, calm } from "../support/fire.ts";

const HOUR_MS = 3_600_000;
const KEY = "queue:maintenance";
const ENFORCED = pressure({ mode: "enforce", slowTo: 4 }, aTask(), null);
const OBSERVED = pressure({ mode: "observe", slowTo: 4 }, aTask(), null);

function at(level: Level, running: readonly string[] = []) {
  return calm({ running, level: (key) => key === KEY ? level : "normal" });
}

function ofImportance(importance: Importance, own: Partial<Task> = {}): Partial<Task> {
  return { importance, policies: { ...NO_POLICIES, maxHoldMs: HOUR_MS }, ...own };
}

/** Of `count` due times one after the other, those that go out. */
function outOf(count: number, own: Partial<Task>, level: Level): number[] {
  const trigger = triggerOf(aTask(own).trigger);
  const due: number[] = [];
  for (let dueMs = trigger.next(T0)!; due.length < count; dueMs = trigger.next(dueMs)!) {
    due.push(dueMs);
  }
  return due.filter((dueMs) => ENFORCED.judge(aFire(own, dueMs), dueMs, at(level)).kind === "pass");
}

describe("pressure()", () => {
  it("passes everything while its queue is normal", () => {
    for (const importance of ["critical", "normal", "deferrable"] as const) {
      const fire = aFire(ofImportance(importance));
      assert.deepEqual(ENFORCED.judge(fire, T0, at("normal")), { kind: "pass" });
    }
  });

  it("passes what is critical, whatever the level", () => {
    for (const level of ["slowed", "paused"] as const) {
      assert.deepEqual(ENFORCED.judge(aFire(ofImportance("critical")), T0, at(level)), {
        kind: "pass",
      });
    }
  });

  it("lets every n-th of what is normal go", () => {
    const out = outOf(40, ofImportance("normal"), "slowed");
    assert.equal(out.length, 10);
    out.slice(1).forEach((dueMs, index) => assert.equal(dueMs - out[index]!, 4_000));
    const skipped = ENFORCED.judge(
      aFire(ofImportance("normal"), out[0]! + 1_000),
      T0,
      at("slowed"),
    );
    assert.deepEqual(skipped, {
      kind: "skip",
      reason: "queue:maintenance is slowed: 1 of 4 goes out",
      facts: { level: "slowed" },
    });
  });

  it("counts the due times of any trigger, so that none is starved", () => {
    const triggers: Task["trigger"][] = [
      { kind: "cron", expression: "0 9 * * mon-fri", tz: "Europe/Paris" },
      { kind: "cron", expression: "0 3 * * *", tz: "America/New_York" },
      { kind: "cron", expression: "0 0 1 * *", tz: "UTC" },
      { kind: "every", everyMs: 7 * 86_400_000, phaseMs: 0 },
      { kind: "every", everyMs: 333.25, phaseMs: 5 },
    ];
    for (const trigger of triggers) {
      for (const slowTo of [2, 4, 5, 7]) {
        const policy = pressure({ mode: "enforce", slowTo }, aTask(), null);
        const { next } = triggerOf(trigger);
        let out = 0;
        for (let dueMs = next(T0)!, count = 0; count < 10 * slowTo; count++, dueMs = next(dueMs)!) {
          const fire = aFire(ofImportance("normal", { trigger }), dueMs);
          if (policy.judge(fire, dueMs, at("slowed")).kind === "pass") out++;
        }
        assert.equal(out, 10, `${JSON.stringify(trigger)}, every ${slowTo}th`);
      }
    }
  });

  it("lets a normal task that is paused have one message on its way", () => {
    const [dueMs] = outOf(4, ofImportance("normal"), "paused");
    const fire = aFire(ofImportance("normal"), dueMs);
    assert.equal(ENFORCED.judge(fire, dueMs!, at("paused")).kind, "pass");
    assert.deepEqual(ENFORCED.judge(fire, dueMs!, at("paused", ["check.echo@1"])), {
      kind: "skip",
      reason: "queue:maintenance is paused: an earlier fire is on its way",
      facts: { level: "paused" },
    });
    assert.equal(ENFORCED.judge(fire, dueMs!, at("slowed", ["check.echo@1"])).kind, "pass");
  });

  it("holds what is deferrable, and asks again soon", () => {
    const fire = aFire(ofImportance("deferrable"));
    for (const level of ["slowed", "paused"] as const) {
      const verdict = ENFORCED.judge(fire, T0 + 10, at(level));
      assert.equal(verdict.kind, "wait");
      if (verdict.kind !== "wait") continue;
      const { againMs, ...rest } = verdict;
      assert.ok(againMs >= T0 + 10 + AGAIN_MS && againMs < T0 + 10 + 2 * AGAIN_MS);
      assert.deepEqual(rest, {
        kind: "wait",
        cause: KEY,
        reason: `queue:maintenance is ${level}`,
        facts: { level },
      });
    }
    assert.equal(ENFORCED.judge(fire, T0 + 20, at("normal")).kind, "pass");
  });

  it("lets go what was held for as long as it may be, and says so", () => {
    const fire = aFire(ofImportance("deferrable"));
    const before = ENFORCED.judge(fire, T0 + HOUR_MS - 1, at("paused"));
    assert.equal(before.kind === "wait" && before.againMs, T0 + HOUR_MS);
    assert.deepEqual(ENFORCED.judge(fire, T0 + HOUR_MS, at("paused")), {
      kind: "pass",
      note: "queue:maintenance is paused, but it was held for as long as it may be",
    });
  });

  it("counts that from the opening of the window on: what waits for it is not held by a level", () => {
    const window = { name: null, from: "10:00", to: "12:00", tz: "UTC", days: null };
    const own = ofImportance("deferrable");
    const task = aTask({
      ...own,
      policies: { ...own.policies!, window, pressure: { mode: "enforce", slowTo: 4 } },
    });
    const gate = gateOf(policiesOf(task))!;
    const openMs = T0 + 10 * HOUR_MS;
    const fire = { ...aFire(own), task };
    const decide = (nowMs: number) => {
      const { kind, ...rest } = gate(fire, nowMs, at("paused"));
      return [kind, "by" in rest ? rest.by : Object.keys(rest.notes ?? {}).join()];
    };
    assert.deepEqual(decide(openMs), ["wait", "pressure"]);
    assert.deepEqual(decide(openMs + HOUR_MS - 1), ["wait", "pressure"]);
    assert.deepEqual(decide(openMs + HOUR_MS), ["pass", "pressure"]);
  });

  it("lets go what is due once, or for the last time: no other goes out in its place", () => {
    const own = ofImportance("normal", { trigger: { kind: "at", atMs: T0 } });
    assert.equal(ENFORCED.judge(aFire(own, T0), T0, at("slowed")).kind, "pass");
    assert.equal(ENFORCED.judge(aFire(own, T0), T0, at("paused")).kind, "pass");
  });

  it("waits for a cause without spaces, whatever the queue is called", () => {
    const policy = pressure({ mode: "enforce", slowTo: 2 }, { queue: "my own queue" }, null);
    const verdict = policy.judge(
      aFire(ofImportance("deferrable")),
      T0,
      calm({ level: () => "slowed" }),
    );
    assert.equal(verdict.kind === "wait" && verdict.cause, "queue:my_own_queue");
  });

  it("only says what it would have done where it observes", () => {
    const judge = (importance: Importance, dueMs: number) =>
      OBSERVED.judge(aFire(ofImportance(importance), dueMs), dueMs, at("slowed"));
    assert.deepEqual(judge("deferrable", T0), {
      kind: "pass",
      note: "would wait: queue:maintenance is slowed",
    });
    const verdicts = [0, 1, 2, 3].map((second) => judge("normal", T0 + second * 1_000));
    const notes = verdicts.flatMap((verdict) => verdict.kind === "pass" ? verdict.note ?? [] : []);
    assert.deepEqual(
      notes,
      Array(3).fill("would be skipped: queue:maintenance is slowed: 1 of 4 goes out"),
    );
  });

  it("says the same when it is asked again", () => {
    fc.assert(fc.property(
      fc.constantFrom<Importance>("critical", "normal", "deferrable"),
      fc.constantFrom<Level>("normal", "slowed", "paused"),
      fc.integer({ min: 0, max: 1_000_000 }),
      fc.nat(100_000),
      (importance, level, index, laterMs) => {
        const fire = aFire(ofImportance(importance), T0 + index * 1_000);
        const nowMs = fire.dueMs + laterMs;
        const [one, other] = [0, 1].map(() => ENFORCED.judge(fire, nowMs, at(level)));
        assert.deepEqual(one, other);
        if (one!.kind === "wait") assert.ok(one!.againMs > nowMs);
      },
    ));
  });
});

describe("slo()", () => {
  it("does the same by the level of its objective", () => {
    const policy = slo({ objective: "api", mode: "enforce", slowTo: 2 }, null);
    const facts = calm({ level: (key) => key === "slo:api" ? "slowed" : "normal" });
    const verdict = policy.judge(aFire(ofImportance("deferrable")), T0, facts);
    assert.deepEqual([policy.name, verdict.kind === "wait" && verdict.cause], ["slo", "slo:api"]);
  });
});

describe("policiesOf()", () => {
  it("asks slo and pressure last, in this order", () => {
    const task = aTask(ofImportance("normal", {
      policies: {
        ...NO_POLICIES,
        overlap: "wait",
        pressure: { mode: "enforce", slowTo: 2 },
        slo: { objective: "api", mode: "enforce", slowTo: 2 },
      },
    }));
    assert.deepEqual(policiesOf(task).slice(-3).map(({ name }) => name), [
      "overlap",
      "slo",
      "pressure",
    ]);
  });
});
