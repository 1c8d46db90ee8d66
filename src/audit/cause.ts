/** Why a due time did not end as it should, or ended late: causes that the evidence names. Pure. */

import type { JournalRow } from "../event.ts";
import { SKIP_RUN_MS } from "../core/skip_run.ts";
import { policyOf } from "../cursor.ts";
import { reasonOf } from "../policies/pause.ts";
import { recordedMs } from "../event.ts";
import { rangeState } from "./recent.ts";
import { NO_POLICY } from "./standing.ts";
import type { Evidence, Story, Verdict } from "./why.ts";
import { GRACE_MS } from "./why.ts";

/** A publish so much after the due time is late. Milliseconds. */
export const LATE_MS = 1_000;

export type Cause =
  /**
   * No leader gave a sign between. `sameOwner`: the replica that led before led again, so it stood
   * still, or its machine slept, or the clock of Redis was set forward.
   */
  | {
    readonly kind: "nobody led";
    readonly fromMs: number | null;
    readonly untilMs: number | null;
    readonly sameOwner: boolean;
  }
  /** One and the same term wrote nothing between. */
  | { readonly kind: "leader silent"; readonly fromMs: number; readonly untilMs: number }
  /** An earlier due time of the task is held, and those after it follow in order. */
  | { readonly kind: "waits behind"; readonly heldMs: number; readonly by: string }
  /** A policy skips one after the other; the row of `saidMs` is the last that says so, for now. */
  | {
    readonly kind: "skips go on";
    readonly by: string;
    readonly reason: string;
    readonly saidMs: number;
  }
  /** It leads, and has not come to it. */
  | { readonly kind: "leader behind" }
  /** Redis' clock was set back: what it shows was decided before. */
  | { readonly kind: "clock behind"; readonly byMs: number }
  | { readonly kind: "switched off"; readonly sinceMs: number | null; readonly by: string | null }
  | { readonly kind: "declared later"; readonly knownMs: number }
  | { readonly kind: "policy"; readonly by: string; readonly reason: string }
  /** What is in the place of its queue is no list, and nothing can be published to it. */
  | { readonly kind: "no list"; readonly type: string }
  /** No worker serves its queue; `isThen`: the journal shows that none did while it waited. */
  | { readonly kind: "no worker"; readonly isThen: boolean }
  | { readonly kind: "workers busy" }
  /** The message's own end passed. */
  | { readonly kind: "expires" };

/** What is known of the queue of a fire now. */
export interface QueueLook {
  readonly list: string;
  /** What its key holds, where that is no list (`string`); else `null`. */
  readonly wrongType: string | null;
  readonly depth: number;
  /** Publish time of the oldest message of Beat in it; `null` where there is none. */
  readonly oldestMs: number | null;
  /** Workers that answered that they consume it; `null` where the question was not allowed. */
  readonly workers: readonly string[] | null;
}

/** The verdicts on fires that no one has to ask about. */
export const FINE: ReadonlySet<Verdict> = new Set([
  "not due",
  "to come",
  "finished",
  "acked",
  "taken",
]);

export interface CauseParts {
  readonly evidence: Evidence;
  readonly story: Story;
  readonly queue: QueueLook | null;
  /** Who led in which term, as far as it was looked up. */
  readonly owners: ReadonlyMap<number, string>;
}

export function causesOf(parts: CauseParts): Cause[] {
  const { clockBehindMs } = parts.story;
  // Whatever became of this one: nothing is due again until the clock gets there.
  return clockBehindMs > GRACE_MS
    ? [{ kind: "clock behind", byMs: clockBehindMs }, ...causesThen(parts)]
    : causesThen(parts);
}

function causesThen(parts: CauseParts): Cause[] {
  const { evidence: { dueMs }, story: { verdict, publishedMs } } = parts;
  switch (verdict) {
    case "finished":
    case "acked":
    case "taken":
    case "waiting":
    case "expired":
    case "further on": {
      const isLate = publishedMs !== null && publishedMs - dueMs > LATE_MS;
      const isStuck = verdict === "waiting" || verdict === "expired";
      return [...(isLate ? whyLate(parts) : []), ...(isStuck ? whyNotTaken(parts) : [])];
    }
    case "dropped":
    case "skipped":
    case "held":
      return [
        ...policies(parts.story),
        ...(isDecidedLate(parts) ? [...noList(parts), ...whyLate(parts)] : []),
      ];
    case "undecided":
      return whyUndecided(parts);
    case "off":
      return [switchedOff(parts)];
    case "not known yet": {
      const { schedule } = parts.story;
      return schedule.kind === "not yet"
        ? [{ kind: "declared later", knownMs: schedule.knownMs }]
        : [];
    }
    case "to come":
    case "not due":
    case "forgotten":
    case "missed":
      return [];
  }
}

function policies({ rows }: Story): Cause[] {
  const row = rows.findLast(({ type }) => HELD_BACK.has(type));
  const { by, reason } = row?.detail ?? {};
  return typeof by === "string" && typeof reason === "string"
    ? [{ kind: "policy", by, reason }]
    : [];
}

const HELD_BACK: ReadonlySet<string> = new Set(["fire.skipped", "fire.delayed", "task.dropped"]);

function switchedOff({ story: { schedule }, evidence: { offBy } }: CauseParts): Cause {
  const sinceMs = schedule.kind === "retired" ? schedule.sinceMs : null;
  return { kind: "switched off", sinceMs, by: offBy };
}

/** What a policy skips in a row was decided in time, however late the row of it is. */
function isDecidedLate({ evidence: { dueMs }, story: { rows } }: CauseParts): boolean {
  const first = rows[0];
  if (first === undefined) return false;
  const isSkipRun = first.type === "task.dropped" && rangeState(first) === "skipped";
  return !isSkipRun && recordedMs(first) - dueMs > LATE_MS;
}

/** Between due time and decision. */
function whyLate({ evidence: { dueMs }, story: { leading }, owners }: CauseParts): Cause[] {
  switch (leading.kind) {
    case "vacant": {
      const { fence, nextFence, fromMs, untilMs } = leading;
      const owner = owners.get(fence);
      const sameOwner = owner !== undefined && nextFence !== null &&
        owners.get(nextFence) === owner;
      return [{ kind: "nobody led", fromMs, untilMs, sameOwner }];
    }
    case "never":
      return [{ kind: "nobody led", fromMs: null, untilMs: leading.untilMs, sameOwner: false }];
    case "led": {
      const { quietFromMs: fromMs, quietToMs: untilMs } = leading;
      const isSilent = untilMs !== null && untilMs - dueMs > LATE_MS;
      return isSilent ? [{ kind: "leader silent", fromMs, untilMs }] : [];
    }
    case "unknown":
      return [];
  }
}

function whyUndecided(parts: CauseParts): Cause[] {
  const { evidence: { leader, nowMs, dueMs, offBy, pause, cursor } } = parts;
  if (offBy !== null) return [switchedOff(parts)];
  if (leader === null) return [lastSign(parts)];
  // Its row comes after a while, with those of the others that were skipped.
  if (pause) return [{ kind: "policy", by: "pause", reason: reasonOf(pause) }];
  if (cursor?.pending !== undefined) {
    return [{ kind: "waits behind", heldMs: cursor.dueMs, by: policyOf(cursor.pending) }];
  }
  const skips = skipsGoOn(parts.evidence);
  if (skips !== null) return [skips];
  const wrong = noList(parts);
  if (wrong.length > 0) return wrong;
  return nowMs - dueMs > GRACE_MS ? [{ kind: "leader behind" }] : [];
}

function noList({ queue }: CauseParts): Cause[] {
  const type = queue?.wrongType ?? null;
  return type === null ? [] : [{ kind: "no list", type }];
}

/** The term that skipped the due time before keeps those that follow, for a while, without a row. */
function skipsGoOn({ before, leader, nowMs }: Evidence): Cause | null {
  if (!before || before.fence !== leader?.fence || !SKIPS.has(before.type)) return null;
  const saidMs = recordedMs(before);
  const { by, reason } = before.detail;
  if (NO_POLICY.has(by) || nowMs - saidMs > SKIP_RUN_MS + GRACE_MS) return null;
  return { kind: "skips go on", by: String(by), reason: String(reason), saidMs };
}

const SKIPS: ReadonlySet<string> = new Set(["fire.skipped", "task.dropped"]);

/** Nobody leads now: since when. */
function lastSign({ evidence: { rows } }: CauseParts): Cause {
  const last = rows.at(-1);
  return {
    kind: "nobody led",
    fromMs: last === undefined ? null : recordedMs(last),
    untilMs: null,
    sameOwner: false,
  };
}

function whyNotTaken({ evidence, story, queue }: CauseParts): Cause[] {
  const { rows, publishedMs, verdict } = story;
  const end = rows.findLast(({ type }) => type === "fire.expired");
  const endMs = end === undefined ? evidence.nowMs : recordedMs(end);
  const fromMs = publishedMs ?? evidence.dueMs;
  // A worker that ended while it waited may have left signs after its publish.
  const servedMs = fromMs + (endMs - fromMs) / 2;
  const isServed = evidence.rows.some((row) =>
    isSignOfWorker(row) && recordedMs(row) >= servedMs && recordedMs(row) <= endMs
  );
  const expires: Cause[] = verdict === "expired" && end?.detail.reason === "ttl"
    ? [{ kind: "expires" }]
    : [];
  const isOverdue = rows.some(({ type }) => type === "fire.overdue");
  if (isServed) return verdict === "waiting" ? [{ kind: "workers busy" }] : [BUSY, ...expires];
  if (queue?.workers?.length === 0) return [{ kind: "no worker", isThen: false }, ...expires];
  if (verdict === "waiting") return queue !== null && isOverdue ? [BUSY] : [];
  return [{ kind: "no worker", isThen: true }, ...expires];
}

const BUSY: Cause = { kind: "workers busy" };

/** That one serves the queue. What is missed in the broker was taken seconds before, or is lost. */
export function isSignOfWorker({ type, detail }: JournalRow): boolean {
  return type === "fire.taken" || (type === "fire.acked" && detail.by !== "broker");
}
