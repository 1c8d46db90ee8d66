/** What a policy is asked with, with everything filled in. */

import type { Candidate, Facts, Policy, Verdict } from "../../src/policies/mod.ts";
import type { Task } from "../../src/task.ts";
import type { Trigger } from "../../src/triggers/mod.ts";
import { triggerOf } from "../../src/triggers/mod.ts";
import { aTask, T0 } from "./build.ts";

/** A fire that is due at `dueMs`; `trigger` stands in for the one that its task names. */
export function aFire(own: Partial<Task> = {}, dueMs = T0, trigger?: Trigger): Candidate {
  const task = aTask(own);
  return { task, trigger: trigger ?? triggerOf(task.trigger), dueMs };
}

/** Nothing runs, nothing is throttled, nobody paused anything. */
export function calm(own: Partial<Facts> = {}): Facts {
  return { running: [], level: () => "normal", pause: null, ...own };
}

/** When a policy lets a fire go, asked at `sinceMs`, mostly when it is due, and then whenever it says. */
export function releaseMs(
  policy: Policy,
  fire: Candidate,
  facts: Facts = calm(),
  sinceMs: number = fire.dueMs,
): number {
  let nowMs = sinceMs;
  for (let asked = 0; asked < 10; asked++) {
    const verdict: Verdict = policy.judge(fire, nowMs, facts);
    if (verdict.kind === "pass") return nowMs;
    if (verdict.kind !== "delay") throw new Error(`expected a delay, got ${verdict.kind}`);
    if (verdict.untilMs <= nowMs) throw new Error(`expected a later time, got ${verdict.untilMs}`);
    nowMs = verdict.untilMs;
  }
  throw new Error("expected a fire to go out in the end");
}
