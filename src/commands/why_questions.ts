/** The four questions about a run that is missing, answered in their order. */

import type { Cause, QueueLook } from "../audit/cause.ts";
import type { Evidence, Story } from "../audit/why.ts";
import { GRACE_MS } from "../audit/why.ts";
import { noListText, waitText } from "./queue_text.ts";
import { dueText, instantText, spanText } from "./time_text.ts";
import { causeText, leadingText } from "./why_words.ts";

export interface Answered {
  readonly question: string;
  readonly answer: "yes" | "no" | "unknown";
  readonly evidence: string;
}

export interface Known {
  readonly evidence: Evidence;
  readonly story: Story;
  readonly queue: QueueLook | null;
  readonly causes: readonly Cause[];
  readonly owners: ReadonlyMap<number, string>;
}

export function fourQuestions(known: Known): Answered[] {
  return [isRunning(known), isOn(known), isConsumed(known), isHeldBack(known)];
}

function isRunning({ evidence: { leader }, story: { leading }, owners }: Known): Answered {
  const now = leader === null
    ? "nobody leads now"
    : `${leader.owner} (fence ${leader.fence}) leads now, ${
      spanText(leader.leftMs)
    } of its lease left`;
  const wasLed = leading.kind === "led";
  return {
    question: "is Beat running",
    answer: wasLed && leader !== null ? "yes" : leading.kind === "unknown" ? "unknown" : "no",
    evidence: `then ${leadingText(leading, owners)}; ${now}`,
  };
}

function isOn({ evidence, story: { schedule } }: Known): Answered {
  const question = "is it switched on";
  const { offBy, today, cursor } = evidence;
  const now = offBy !== null
    ? `it is off by ${offBy}`
    : today === null
    ? "this configuration does not have it"
    : cursor === null
    ? "the configuration has it; no leader has taken it up: start Beat or reload it (SIGHUP)"
    : "the configuration has it";
  const then = {
    on: () =>
      cursor === null
        ? "by the configuration it was in the schedule then"
        : "it was in the schedule then",
    retired: () => `it was out of the schedule since ${sinceOf(schedule)}`,
    "not yet": () => `it came into the schedule at ${sinceOf(schedule)}`,
    unknown: () => "the schedule of then is not known",
  }[schedule.kind]();
  const isOff = schedule.kind === "retired" || schedule.kind === "not yet" || today === null;
  return { question, answer: isOff ? "no" : "yes", evidence: `${then}; now ${now}` };
}

function sinceOf(schedule: Story["schedule"]): string {
  if (schedule.kind === "retired") return instantText(schedule.sinceMs);
  return schedule.kind === "not yet" ? instantText(schedule.knownMs) : "then";
}

function isConsumed({ queue, evidence: { nowMs }, causes }: Known): Answered {
  const question = "does a worker consume the queue";
  if (queue === null) return { question, answer: "unknown", evidence: "its queue is not known" };
  const { list, wrongType, depth, oldestMs, workers } = queue;
  if (wrongType !== null) {
    return { question, answer: "no", evidence: noListText(list, wrongType) };
  }
  const age = oldestMs === null
    ? ""
    : `, the oldest for ${spanText(Math.max(0, nowMs - oldestMs))}`;
  const waiting = depth === 0 ? "none waits there" : `${waitText(depth)} there${age}`;
  if (workers === null) {
    const evidence = `the workers of ${list} may not be asked; ${waiting}`;
    return { question, answer: "unknown", evidence };
  }
  const then = causes.some((each) => each.kind === "no worker" && each.isThen)
    ? "; the journal shows that none took anything from it then"
    : "";
  return workers.length > 0
    ? {
      question,
      answer: "yes",
      evidence: `${workers.join(", ")} now; ${waiting} (${list})${then}`,
    }
    : {
      question,
      answer: "no",
      evidence:
        `no worker that answers names ${list}; ${waiting}. A worker with a solo pool does ` +
        "not answer while it runs a task",
    };
}

function isHeldBack({ story, evidence, causes, queue }: Known): Answered {
  const { task, nowMs, dueMs, cursor } = evidence;
  const question = "was it dropped by expires, or held back";
  const row = story.rows.findLast(({ type }) => HELD_BACK.has(type));
  const told = causes.filter(({ kind }) => HOLDS.has(kind));
  if (row !== undefined || told.length > 0) {
    const text = told.map((cause) => causeText(cause, queue)).join("; ");
    const { by, reason } = row?.detail ?? {};
    const type = row?.type ?? "no row yet";
    return { question, answer: "yes", evidence: `${text || `${by}: ${reason}`} (${type})` };
  }
  if (story.clockBehindMs > GRACE_MS) {
    const cause = causeText({ kind: "clock behind", byMs: story.clockBehindMs }, null);
    return { question, answer: "yes", evidence: cause };
  }
  const isWaiting = story.verdict === "undecided" && nowMs - dueMs > GRACE_MS;
  const then = cursor === null
    ? `; a leader that takes ${task} up counts from then on, and does not fire the past`
    : `; when a leader comes to it, the catch-up policy of ${task} decides`;
  return {
    question,
    answer: "no",
    evidence: `no row drops, skips or delays what was due at ${dueText(dueMs)}` +
      (isWaiting ? then : ""),
  };
}

const HOLDS: ReadonlySet<Cause["kind"]> = new Set([
  ...["policy", "skips go on", "waits behind", "expires"] as const,
]);

const HELD_BACK: ReadonlySet<string> = new Set([
  "fire.expired",
  "fire.skipped",
  "fire.delayed",
  "task.dropped",
]);
