/** Whether what a row says of a fire's end is so: by Redis, and by what the workers know. */

import type { FireBook } from "./books.ts";
import type { LedgerRow } from "./ledger.ts";
import { GIVE_UP_MS } from "./schedule.ts";
import type { Store } from "./watcher.ts";
import type { Crew } from "./workers.ts";
import { fieldsOf } from "./redis_values.ts";

/** What the workers know. */
export type Known = Pick<
  Crew,
  "revoked" | "ran" | "runnersOf" | "succeeded" | "inHand" | "had" | "redelivered"
>;

/** Of so many whose finish is awaited, those of one task that are awaited the longest are let go. */
const AWAITED_MAX = 100;
const DAY_MS = 86_400_000;
/** What expired in its list is taken out of it, unless it lies too deep for so long. */
const OUT_OF_REACH_MS = 60_000;
/** A worker is believed to be gone after so long. */
const SILENT_MS = 9_000;
/** How far the clock of a worker may be behind. */
const BEHIND_MS = 1_000;

export interface ClosingCase {
  readonly fire: FireBook;
  readonly store: Store;
  readonly crew: Known;
  /** The server's clock was set back, and whoever leads may not have heard of it yet. */
  readonly isSetBack: boolean;
  /** Whether anybody stores how it ends. */
  readonly isStored: boolean;
  /** How long ago the leader heard that a worker lives; `null`: not at all. Milliseconds. */
  silentMs(worker: string): number | null;
  /** How many fires of its task are acked and not finished. */
  awaited(): number;
}

/** `null` where it may say so. */
export function whyNotClosed(row: LedgerRow, parts: ClosingCase): string | null {
  switch (row.type) {
    case "fire.overdue":
      return whyNotOverdue(row, parts.fire);
    case "fire.taken":
      return whyNotTaken(row, parts);
    case "fire.redelivered":
      return whyNotRedelivered(row, parts);
    case "fire.expired":
      return whyNotExpired(row, parts);
    case "fire.acked":
      return whyNotAcked(row, parts);
    case "fire.finished":
      return whyNotFinished(row, parts);
    case "fire.late_ack":
      return whyNotEnded(row.detail.outcome, parts);
    default:
      return null;
  }
}

function whyNotTaken({ detail }: LedgerRow, { fire: { push }, crew }: ClosingCase): string | null {
  if (detail.by === "result") return "no worker stores that it has started";
  // What a worker says of a message names no delivery.
  const name = detail.by === "unacked" ? push.tag : push.taskId;
  return crew.had.has(name) ? null : "no worker had it";
}

function whyNotRedelivered(
  { detail }: LedgerRow,
  { fire: { push, redeliveries }, crew }: ClosingCase,
): string | null {
  if (!crew.redelivered.has(push.tag)) return "it was delivered once";
  return detail.deliveries === redeliveries + 1
    ? null
    : `it was delivered ${redeliveries + 1} times`;
}

function whyNotOverdue({ detail, decidedMs }: LedgerRow, { takeByMs }: FireBook): string | null {
  if (detail.takeByMs !== takeByMs) return `it was to be taken by ${takeByMs}`;
  return decidedMs < takeByMs ? `it is overdue at ${takeByMs} only` : null;
}

function whyNotExpired(
  { detail, decidedMs }: LedgerRow,
  { fire: { push }, store, crew, isSetBack }: ClosingCase,
): string | null {
  if (detail.by === "worker") return crew.revoked.has(push.taskId) ? null : "no worker dropped it";
  if (detail.reason !== "ttl") {
    const endMs = push.row.decidedMs + GIVE_UP_MS;
    return decidedMs < endMs ? `it is given up before ${endMs}` : null;
  }
  const { expiresMs } = push.says;
  if (expiresMs === null || (store.nowMs < expiresMs && !isSetBack)) {
    return `it expired before ${expiresMs}`;
  }
  if (decidedMs <= expiresMs + BEHIND_MS) {
    return `a worker may run it until ${expiresMs + BEHIND_MS}`;
  }
  const where = whereIs(push, store, crew);
  return where === null || store.nowMs > expiresMs + OUT_OF_REACH_MS && where === IN_LIST
    ? null
    : `it expired, and is still ${where}`;
}

function whyNotAcked(
  { detail }: LedgerRow,
  { fire: { push }, store, crew }: ClosingCase,
): string | null {
  if (detail.by === "broker") {
    const where = whereIs(push, store, crew);
    return where === null ? null : `it is acked by the broker, and still ${where}`;
  }
  if (crew.revoked.has(push.taskId) && !crew.ran.has(push.taskId)) {
    return "it is acked, and its worker dropped it as expired";
  }
  if (!crew.revoked.has(push.taskId) && !crew.succeeded.has(push.taskId)) {
    return `it is acked by ${detail.by}, and no run of it has ended`;
  }
  const doneMs = detail.by === "result" ? doneOf(push, store) : null;
  const isOld = doneMs !== null && doneMs < push.row.decidedMs - BEHIND_MS;
  return isOld ? `it is acked by a result of ${doneMs}, before its publish` : null;
}

function whyNotFinished({ detail, decidedMs }: LedgerRow, parts: ClosingCase): string | null {
  const { fire: { ackedMs }, isStored } = parts;
  switch (detail.outcome) {
    case "unknown": {
      if (!isStored || (ackedMs !== null && decidedMs - ackedMs >= DAY_MS)) return null;
      return parts.awaited() >= AWAITED_MAX / 2 ? null : "its result was not waited for";
    }
    case "lost":
      return whyNotLost(parts);
    default:
      return whyNotEnded(detail.outcome, parts);
  }
}

function whyNotLost({ fire: { push }, crew, silentMs }: ClosingCase): string | null {
  const wrong = crew.runnersOf(push.taskId).find((worker) =>
    (silentMs(worker) ?? Infinity) < SILENT_MS
  );
  return wrong === undefined ? null : `${wrong} runs it, and was heard ${silentMs(wrong)} ms ago`;
}

function whyNotEnded(
  outcome: unknown,
  { fire: { push: { taskId } }, crew }: ClosingCase,
): string | null {
  switch (outcome) {
    case "success":
      return crew.succeeded.has(taskId) ? null : "no run of it has ended well";
    case "revoked":
      return crew.revoked.has(taskId) ? null : "no worker dropped it";
    default:
      return `no run ends as ${outcome}`;
  }
}

/** When its result was stored; `null` where there is none. Unix milliseconds. */
function doneOf({ taskId }: FireBook["push"], { keys }: Store): number | null {
  const value = keys.get(`celery-task-meta-${taskId}`);
  return value?.type === "string" ? Date.parse(JSON.parse(value.text).date_done) : null;
}

const IN_LIST = "in its list";

export function whereIs(
  { tag, list }: FireBook["push"],
  { keys }: Store,
  crew: Known,
): string | null {
  if (fieldsOf(keys, "unacked").has(tag)) return "reserved";
  const queue = keys.get(list);
  if (queue?.type === "list") {
    const texts = queue.list.slice(0, queue.list.length - 1);
    if (texts.some((text) => text.includes(tag))) return IN_LIST;
  }
  return crew.inHand.has(tag) ? "in a worker's hand" : null;
}
