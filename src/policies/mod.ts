/**
 * Whether a fire may go out now: the contract of a policy, the order in which they are asked, and the
 * gate that folds them. Pure: all that a policy may know of the world stands in `Facts`, and all of
 * that is in the journal, so that a replay decides the same.
 */

import type { Level } from "../event.ts";
import type { Task } from "../task.ts";
import type { Trigger } from "../triggers/mod.ts";

/** The fire that a policy is asked about. */
export interface Candidate {
  readonly task: Task;
  readonly trigger: Trigger;
  readonly dueMs: number;
}

/** What the leader knows when it decides. */
export interface Facts {
  /** Keys of the task's earlier fires that are published and not seen to end, oldest first. */
  readonly running: readonly string[];
  /** The level of `queue:<queue>` or `slo:<objective>`; `normal` where nothing is known. */
  level(key: string): Level;
  /** The order that keeps this due time from being fired, or `null`. */
  readonly pause: Pause | null;
}

/** An order of a person: fire nothing. Times are Unix milliseconds. */
export interface Pause {
  readonly sinceMs: number;
  /** When it was lifted; `null` while it stands. */
  readonly untilMs: number | null;
  readonly who: string;
  readonly note: string;
}

/** The few values that a decision was based on; they stand in its row. */
export type DecisionFacts = Readonly<Record<string, string | number | boolean | null>>;

export type Verdict =
  /** `note`: what it would have done, or why it lets pass what it was holding. */
  | { readonly kind: "pass"; readonly note?: string }
  /** Asked again, from the top, at `untilMs`. */
  | {
    readonly kind: "delay";
    readonly untilMs: number;
    readonly reason: string;
    readonly facts?: DecisionFacts;
  }
  /** Asked again at each look until `cause`, a word without spaces, is over; `againMs` at the latest. */
  | {
    readonly kind: "wait";
    readonly cause: string;
    readonly againMs: number;
    readonly reason: string;
    readonly facts?: DecisionFacts;
  }
  | { readonly kind: "skip"; readonly reason: string; readonly facts?: DecisionFacts };

/** One reason to hold a fire back. Without memory, so asking twice is harmless. */
export interface Policy {
  readonly name: string;
  /** @param nowMs the server's time, at or after the due time. Unix milliseconds. */
  judge(fire: Candidate, nowMs: number, facts: Facts): Verdict;
}

export const PASS: Verdict = { kind: "pass" };

/** What the gate says: the first objection, by whom; or what those had to say that let it pass. */
export type Decision =
  | { readonly kind: "pass"; readonly notes: Readonly<Record<string, string>> | null }
  | (Exclude<Verdict, { kind: "pass" }> & { readonly by: string });

/** `null` where nothing can ever object. */
export type Gate = ((fire: Candidate, nowMs: number, facts: Facts) => Decision) | null;

/** Asks in order; the first that objects decides. */
export function gateOf(policies: readonly Policy[]): Gate {
  if (policies.length === 0) return null;
  return (fire, nowMs, facts) => {
    const notes: Record<string, string> = {};
    let hasNotes = false;
    for (const { name, judge } of policies) {
      const verdict = judge(fire, nowMs, facts);
      if (verdict.kind !== "pass") return { ...verdict, by: name };
      if (verdict.note === undefined) continue;
      notes[name] = verdict.note;
      hasNotes = true;
    }
    return { kind: "pass", notes: hasNotes ? notes : null };
  };
}
