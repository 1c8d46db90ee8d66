/**
 * What a level does to a fire, by the importance of its task: a queue under pressure and an objective
 * that burns do the same.
 *
 * | importance | slowed | paused |
 * |---|---|---|
 * | critical | goes out | goes out |
 * | normal | every n-th goes out, and the last | the same, where none of the task is still on its way |
 * | deferrable | waits | waits |
 *
 * Which fires are the n-th follows from their place among the task's due times, so nothing has to be
 * remembered and each leader lets go the same ones. A normal task is never stopped for good: where its
 * queue is served at all, it goes out as fast as it is served. Where it is not, one message waits, and
 * no second joins it.
 */

import type { Level } from "../event.ts";
import { fireIdOf, fraction } from "../fire.ts";
import type { Candidate, Facts, Policy, Verdict } from "./mod.ts";
import { PASS } from "./mod.ts";
import type { Openings } from "./window.ts";

export interface Throttle {
  /** The name of the policy. */
  readonly name: string;
  /** Of its level, in `Facts`. */
  readonly key: string;
  /** `observe`: passes, and says what it would have done. */
  readonly mode: "observe" | "enforce";
  /** While slowed, every n-th fire goes out. At least 2. */
  readonly slowTo: number;
  /** Of the task's window: what waits for that is not held by a level yet. @default none */
  readonly openings?: Openings | null;
}

/** A fire that waits is asked about again after so long, and at most twice as long. Milliseconds. */
export const AGAIN_MS = 5_000;

/** Due times are counted from here. 2020-01-01T00:00:00Z, Unix milliseconds. */
const COUNT_FROM_MS = 1_577_836_800_000;

/** Holds back what is not critical while the level of `key` is another than normal. */
export function throttle({ name, key, mode, slowTo, openings = null }: Throttle): Policy {
  return {
    name,
    judge(fire, nowMs, facts) {
      const level = facts.level(key);
      if (level === "normal" || fire.task.importance === "critical") return PASS;
      const fromMs = Math.max(fire.dueMs, openings?.at(fire.dueMs).fromMs ?? fire.dueMs);
      const verdict = verdictOn(fire, { level, key, slowTo, fromMs, nowMs, facts });
      if (mode === "enforce" || verdict.kind === "pass") return verdict;
      const would = verdict.kind === "skip" ? "would be skipped" : "would wait";
      return { kind: "pass", note: `${would}: ${verdict.reason}` };
    },
  };
}

function verdictOn(
  fire: Candidate,
  { level, key, slowTo, fromMs, nowMs, facts }: {
    readonly level: Exclude<Level, "normal">;
    readonly key: string;
    readonly slowTo: number;
    /** When it could have gone out. */
    readonly fromMs: number;
    readonly nowMs: number;
    readonly facts: Pick<Facts, "running">;
  },
): Verdict {
  const { task, dueMs } = fire;
  const reason = `${key} is ${level}`;
  if (task.importance === "deferrable") {
    if (nowMs - fromMs >= task.policies.maxHoldMs) {
      return { kind: "pass", note: `${reason}, but it was held for as long as it may be` };
    }
    // Those that wait do not all come back at once.
    const againMs = nowMs + AGAIN_MS + Math.floor(fraction(fireIdOf(task.name, dueMs)) * AGAIN_MS);
    const untilMs = fromMs + task.policies.maxHoldMs;
    const cause = key.replaceAll(/\s/g, "_");
    return { kind: "wait", cause, againMs: Math.min(againMs, untilMs), reason, facts: { level } };
  }
  // Where none is due after it, no other would go out in its place.
  if (fire.trigger.next(dueMs) !== null && ordinalOf(fire) % slowTo !== 0) {
    return { kind: "skip", reason: `${reason}: 1 of ${slowTo} goes out`, facts: { level } };
  }
  if (level === "paused" && facts.running.length > 0) {
    return { kind: "skip", reason: `${reason}: an earlier fire is on its way`, facts: { level } };
  }
  return PASS;
}

/** The place of a fire among the due times of its task. */
function ordinalOf({ trigger, dueMs }: Candidate): number {
  return trigger.count(Math.min(COUNT_FROM_MS, dueMs - 1), dueMs);
}
