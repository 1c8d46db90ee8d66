/** From the evidence on one open fire to the rows that are true of it now. Pure. */

import type { OpenFire } from "../open_fire.ts";
import type { Detail, FireEventType, Row } from "../event.ts";
import type { Settlement } from "../ports.ts";
import type { TaskResult } from "../sensors.ts";
import type { EventEnd, Evidence, Notes } from "./evidence.ts";
import { deliveriesOf, GONE_AFTER_MS, isFinal, isReceived, PACE_MAX_MS } from "./evidence.ts";

/**
 * A message is removed only so long after its end: then a worker would drop it, even one whose clock
 * is a little behind. Milliseconds.
 */
export const EXPIRY_MARGIN_MS = 1_000;

/**
 * A message deep in its list is not removed, as nobody has its bytes; its fire ends this long after its
 * end: the samples had their time to reach it. Milliseconds.
 */
export const EXPIRED_BEHIND_MS = 60_000;

/** How long a finish is awaited: as long as Celery keeps results. Milliseconds. */
export const FINISH_WITHIN_MS = 24 * 3_600_000;

export interface Verdict {
  /** `null` where there is nothing to record. */
  readonly settlement: Settlement | null;
  /** For the notes, as they are afterwards. */
  readonly goneMs: number | null;
  readonly unseenMs: number | null;
}

/** A fire and what stands about it, while rows are added. */
interface Case {
  readonly open: OpenFire;
  readonly notes: Notes;
  readonly evidence: Evidence;
  readonly nowMs: number;
  /** Whether anybody could read how it ended. */
  readonly isOutcomeStored: boolean;
}

/**
 * @param notes not changed
 * @param isOutcomeStored false where the task's results are ignored or stored where Beat cannot read
 */
export function judge(
  open: OpenFire,
  notes: Notes,
  evidence: Evidence,
  { nowMs, isOutcomeStored }: { nowMs: number; isOutcomeStored: boolean },
): Verdict {
  const each: Case = { open, notes, evidence, nowMs, isOutcomeStored };
  const goneMs = sinceWhen(notes.goneMs, isNowhere(each, "left"), each);
  const unseenMs = sinceWhen(notes.unseenMs, isNowhere(each, "unknown", "behind"), each);
  const settlement = ended(each) ??
    (open.state === "acked"
      ? unfinished(each)
      : expired(each, unseenMs) ?? acked(each, goneMs) ?? givenUp(each, goneMs) ?? noted(each));
  return { settlement, goneMs, unseenMs };
}

/** Whether this look found it nowhere, with its list in one of `positions`. */
function isNowhere({ evidence }: Case, ...positions: Evidence["position"]["kind"][]): boolean {
  const { position, reserved, result } = evidence;
  return positions.includes(position.kind) && reserved === "none" &&
    (result === null || (result !== "unread" && result.status !== "RETRY"));
}

/** A look that did not ask everything neither confirms nor denies. */
function sinceWhen(sinceMs: number | null, isSo: boolean, { evidence, nowMs }: Case) {
  // A clock that was set back begins anew.
  if (isSo) return Math.min(sinceMs ?? nowMs, nowMs);
  const { position, reserved, result } = evidence;
  const hasAsked = reserved !== null && result !== "unread" && position.kind !== "unknown";
  const isFound = position.kind === "queued" || position.kind === "copy" ||
    (reserved !== null && reserved !== "none");
  return hasAsked || isFound ? null : sinceMs;
}

/** A final result, or a worker's word. Strongest first; the run time is only in the latter. */
function ended(each: Case): Settlement | null {
  const { open, notes, nowMs } = each;
  const result = finalOf(each);
  const end = result === null ? notes.end ?? earlyEndOf(each) : endOfResult(result);
  if (end === null) return null;
  const worker = result?.worker ?? notes.worker;
  const isAcked = open.state === "acked";
  if (end.isExpired && !isAcked) {
    return close(open, row(open, "fire.expired", nowMs, { reason: "ttl", by: "worker" }));
  }
  const by = result === null ? "event" : "result";
  const runtimeMs = end.runtimeMs ?? (notes.end ?? notes.earlyEnd)?.runtimeMs ?? null;
  const finished = row(open, "fire.finished", nowMs, {
    outcome: end.outcome,
    ...(runtimeMs === null ? {} : { runtimeMs }),
  });
  return isAcked
    ? close(open, finished)
    : close(open, row(open, "fire.acked", nowMs, { by, ...workerOf(worker) }), finished);
}

/**
 * The result that ends it, or `null`. One that is dated before the publish may be of a copy. But the
 * clock of a worker may be behind, and its fire would seem to run on for a day: so what is dated so long
 * before counts once the message has been out of the broker for as long, in which a copy would end.
 */
function finalOf(each: Case): TaskResult | null {
  const { open, evidence: { result } } = each;
  if (isFinal(result, open.publishedMs)) return result;
  return isFinal(result, -Infinity) && isRipe(each, result.doneMs!) ? result : null;
}

/** As {@link finalOf}, of a worker's word. */
function earlyEndOf(each: Case): EventEnd | null {
  const { earlyEnd } = each.notes;
  return earlyEnd !== null && isRipe(each, earlyEnd.atMs) ? earlyEnd : null;
}

/** Whether the message has been out of the broker for as long as `doneMs` is before its publish. */
function isRipe({ open, notes, nowMs }: Case, doneMs: number): boolean {
  return open.state === "acked" && notes.ackedMs !== null &&
    nowMs - notes.ackedMs >= open.publishedMs - doneMs;
}

function endOfResult({ status, revokedAs }: TaskResult): EventEnd {
  const outcome = status === "SUCCESS" ? "success" : status === "FAILURE" ? "failure" : "revoked";
  return { outcome, isExpired: revokedAs === "expired", runtimeMs: null };
}

/** Acked, and not seen to finish. */
function unfinished(each: Case): Settlement | null {
  const { open, notes, nowMs, evidence: { result } } = each;
  if (isLost(each)) return close(open, row(open, "fire.finished", nowMs, { outcome: "lost" }));
  const isOver = notes.isSurplus || !canFinish(each) ||
    (notes.ackedMs !== null && nowMs >= notes.ackedMs + FINISH_WITHIN_MS);
  if (!isOver || result === "unread") return null;
  return close(open, row(open, "fire.finished", nowMs, { outcome: "unknown" }));
}

/** Whether the end of a run would still be seen: a result, or events of its worker. */
function canFinish({ isOutcomeStored, notes }: Case): boolean {
  return isOutcomeStored || notes.worker !== null;
}

/** Its worker is gone and no other has it. A retry waits in the broker, not in a worker. */
function isLost({ notes, evidence: { isWorkerGone, position, reserved, result } }: Case): boolean {
  return isWorkerGone && notes.retries === 0 && reserved === "none" && result !== "unread" &&
    result?.status !== "RETRY" && position.kind !== "queued" && position.kind !== "copy";
}

/** Whether no worker would still run its message. */
export function isExpired({ expiresMs }: OpenFire, nowMs: number): boolean {
  return expiresMs !== null && nowMs > expiresMs + EXPIRY_MARGIN_MS;
}

/** The message's own end has passed, and no worker has it. */
function expired(each: Case, unseenMs: number | null): Settlement | null {
  const { open, nowMs, evidence: { position } } = each;
  if (!isExpired(open, nowMs)) return null;
  const ttl = row(open, "fire.expired", nowMs, { reason: "ttl", by: "beat" });
  if (position.kind === "queued") {
    const { list, reach, message: { bytes } } = position;
    const remove = { list, bytes, reach };
    return { ...close(open, ttl), remove };
  }
  const isOutOfReach = unseenMs !== null && nowMs - unseenMs >= GONE_AFTER_MS &&
    nowMs > open.expiresMs! + EXPIRED_BEHIND_MS && open.state === "queued" &&
    takenBy(each, open) === null;
  return isOutOfReach ? close(open, ttl) : null;
}

/** The broker's word: in no list and not reserved, twice. */
function acked(each: Case, goneMs: number | null): Settlement | null {
  const { open, notes, nowMs } = each;
  if (goneMs === null || nowMs - goneMs < GONE_AFTER_MS) return null;
  if (!isNowhere(each, "left")) return null;
  const ack = row(open, "fire.acked", nowMs, { by: "broker", ...workerOf(notes.worker) });
  if (isLost(each)) return close(open, ack, row(open, "fire.finished", nowMs, { outcome: "lost" }));
  if (!canFinish(each)) {
    return close(open, ack, row(open, "fire.finished", nowMs, { outcome: "unknown" }));
  }
  // The next leader counts from here how long its finish is awaited.
  const next: OpenFire = { ...open, state: "acked", isOverdue: false, takeByMs: nowMs };
  return { open, next, rows: [ack], remove: null };
}

/** Nobody has said a last word for too long. Being reserved is none; a next look may be an ack. */
function givenUp(
  { open, nowMs, evidence: { reserved, result } }: Case,
  goneMs: number | null,
): Settlement | null {
  if (nowMs < open.giveUpMs || reserved === null || result === "unread") return null;
  if (goneMs !== null && nowMs - goneMs < PACE_MAX_MS) return null;
  return close(
    open,
    row(open, "fire.expired", nowMs, { reason: "unacknowledged", by: "beat" }),
  );
}

/** Not its end: delivered again, taken, overdue. */
function noted(each: Case): Settlement | null {
  const { open, nowMs } = each;
  let next = open;
  const rows: Row[] = [];
  if (isRedelivered(each)) {
    const redeliveries = open.redeliveries + 1;
    // It has to be taken anew, and so gets the time for it anew.
    const takeByMs = nowMs + open.takeWithinMs;
    next = { ...open, state: "queued", isOverdue: false, takeByMs, redeliveries };
    rows.push(row(open, "fire.redelivered", nowMs, { deliveries: redeliveries + 1 }));
  }
  const by = next.state === "queued" ? takenBy(each, next) : null;
  if (by !== null) {
    // One of a delivery before has it no more.
    const isOther = next !== open && !isReceived(each.notes, next);
    const worker = isOther ? null : each.notes.worker;
    next = { ...next, state: "taken" };
    rows.push(row(open, "fire.taken", nowMs, { by, ...workerOf(worker) }));
  }
  if (isOverdue(each, next)) {
    next = { ...next, isOverdue: true };
    rows.push(row(open, "fire.overdue", nowMs, { takeByMs: next.takeByMs }));
  }
  return rows.length === 0 ? null : { open, next, rows, remove: null };
}

/** Given back and waiting, reserved after that, or received once more without a retry. */
function isRedelivered({ open, notes, evidence: { position, reserved }, nowMs }: Case): boolean {
  if (position.kind === "queued" && position.message.isRedelivered) {
    return open.state === "taken" || open.redeliveries === 0;
  }
  if (reserved === "again" && open.redeliveries === 0) return true;
  return deliveriesOf(notes) > open.redeliveries + 1 && notes.extraReceiptMs !== null &&
    nowMs - notes.extraReceiptMs >= GONE_AFTER_MS;
}

function takenBy({ notes, evidence }: Case, open: OpenFire): Detail<"fire.taken">["by"] | null {
  const { position, reserved, result } = evidence;
  if (reserved === "first" || reserved === "again") return "unacked";
  if (position.kind === "queued") return null;
  if (isReceived(notes, open) || notes.retries > 0) return "event";
  if (result === null || result === "unread") return null;
  // STARTED stays where a run was broken off: after that it says nothing.
  const isRunning = result.status === "STARTED" && open.redeliveries === 0;
  return isRunning || result.status === "RETRY" ? "result" : null;
}

function isOverdue({ evidence, nowMs }: Case, open: OpenFire): boolean {
  if (open.state !== "queued" || open.isOverdue || nowMs < open.takeByMs) return false;
  const { position, reserved, result } = evidence;
  if (position.kind === "queued" || position.kind === "behind") return true;
  return position.kind === "unknown" && reserved === "none" && result === null;
}

function close(open: OpenFire, ...rows: Row[]): Settlement {
  return { open, next: null, rows, remove: null };
}

function workerOf(worker: string | null): { worker?: string } {
  return worker === null ? {} : { worker };
}

/** A row about this fire. */
function row<T extends FireEventType>(
  open: OpenFire,
  type: T,
  decidedMs: number,
  detail: Detail<T>,
): Row {
  return { type, task: open.task, dueMs: open.dueMs, decidedMs, detail } as Row;
}
