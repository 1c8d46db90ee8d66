/** The audit of `fire.*` and `task.dropped` rows: decided once, at a due time, in order; then to their end. */

import type { JournalRow } from "../event.ts";
import { attemptOf, OUTCOMES, rowOf } from "../event.ts";
import { TASK_NAME } from "../fire.ts";
import type { FindingKind } from "./findings.ts";
import type { Folded, FoldedFire } from "./fold.ts";
import type { Account, Ledger, Note } from "./ledger.ts";
import { isInWindow, noteRow, secondsText } from "./ledger.ts";
import { countIn, isDecided, place, placeRange } from "./schedule.ts";
import { addTo, whySkipped } from "./tally.ts";

/** A row about a fire. */
export type FireRow = JournalRow & { readonly dueMs: number };

/** @param atMs the server's time at which it was recorded */
export function takeFire(ledger: Ledger, account: Account, row: FireRow, atMs: number): void {
  const { type } = row;
  if (type === "fire.published" || type === "fire.skipped") {
    if (!isPlaced(ledger, account, row, atMs)) return;
  } else if (type === "fire.late_ack") return takeLateAck(ledger, account, row, atMs);
  else if (type === "fire.due" || type === "fire.delayed") hold(account, row);
  if (isMalformed(row)) {
    return noteRow(ledger, "refused", row, { atMs, account, text: `${type} cannot be read` });
  }
  const folded = ledger.fold.take(row);
  if (folded.kind === "passed") return;
  if (folded.kind === "refused") return takeRefused(ledger, account, row, { folded, atMs });
  if (type === "fire.published") publish(ledger, account, row, { fire: folded.fire, atMs });
  else advance(ledger, account, row, { fire: folded.fire, atMs });
}

/** Whether a decision may stand; what is wrong with it is noted, and it then moves nothing. */
function isPlaced(ledger: Ledger, account: Account, row: FireRow, atMs: number): boolean {
  const { plan, tally } = account;
  const { dueMs, task } = row;
  const refuse = (kind: "early" | "orphan" | "duplicate", text: string) => {
    noteRow(ledger, kind, row, { atMs, account, text });
    return false;
  };
  const isWanted = plan?.task !== task && !TASK_NAME.test(task);
  if (isWanted) return true;
  if (plan === null) {
    if (ledger.terms.isWhole) return refuse("orphan", "no row declares its task");
    // What was declared before the journal begins cannot be judged.
    ledger.undeclared++;
    return true;
  }
  if (attemptOf(row) > 0) {
    const isKnown = plan.trigger === null || isDecided(plan, dueMs);
    return isKnown || refuse("orphan", "an attempt at what was never due");
  }
  if (atMs < dueMs) {
    refuse("early", `recorded ${secondsText(dueMs - atMs)} before it was due`);
    if (dueMs !== plan.nextMs) return false;
  }
  const isCounted = isInWindow(ledger, dueMs);
  switch (place(plan, dueMs)) {
    case "never":
      return refuse("orphan", "the schedule has no such due time");
    case "again":
      if (!isRedone(ledger, dueMs)) return refuse("duplicate", "it was decided before");
      if (isCounted) tally.redone++;
      return true;
    case "filled":
      noteRow(ledger, "late", row, { atMs, account, text: "recorded after later due times" });
      if (isCounted) tally.planned++;
      return true;
    case "next":
    case "gap":
      if (isCounted) tally.planned++;
      return true;
    case "unknown":
      return true;
  }
}

/** Decided by rows that are gone, and now anew. */
function isRedone({ terms: { losses } }: Ledger, dueMs: number): boolean {
  return losses.some(({ fromMs, toMs }) => dueMs > fromMs && dueMs <= toMs);
}

function hold({ plan }: Account, { dueMs, task, detail: { untilMs } }: FireRow): void {
  if (plan === null || plan.task !== task || dueMs !== plan.nextMs) return;
  plan.heldMs = dueMs;
  plan.hold = { dueMs, untilMs: typeof untilMs === "number" ? untilMs : null, freedMs: null };
}

/** Takes down when what was held is let go: it, and what waited behind it, is late from then. */
function free({ plan }: Account, { dueMs, detail }: FireRow, atMs: number): void {
  if (plan === null || plan.hold?.dueMs !== dueMs || detail.by === "catchup") return;
  const { untilMs } = plan.hold;
  plan.hold = { ...plan.hold, freedMs: Math.max(dueMs, untilMs ?? atMs) };
}

/** For what has ended; where that never began, somebody made it up. */
function takeLateAck(ledger: Ledger, account: Account, row: FireRow, atMs: number): void {
  const { plan, tally } = account;
  const isOpen = ledger.fold.take(row).kind === "stepped";
  // Triggers from before the first row are not known, nor has a snapshot any but the last.
  const isCut = ledger.isSeeded || !ledger.terms.isWhole;
  const isOlder = isCut && plan !== null && row.dueMs <= plan.sinceMs;
  const isKnown = isOpen || plan === null || plan.trigger === null || plan.task !== row.task ||
    isOlder || isDecided(plan, row.dueMs);
  if (!isKnown) noteRow(ledger, "orphan", row, { atMs, account, text: "nothing was published" });
  if (isInWindow(ledger, row.dueMs)) tally.lateAcks++;
}

function takeRefused(
  ledger: Ledger,
  account: Account,
  row: FireRow,
  { folded, atMs }: { folded: Extract<Folded, { kind: "refused" }>; atMs: number },
): void {
  const { plan } = account;
  if (row.type === "fire.published") {
    const text = "it was published before, and is open";
    return noteRow(ledger, "duplicate", row, { atMs, account, text });
  }
  if (folded.state !== null) {
    const text = `${row.type} may not follow ${folded.state}`;
    return noteRow(ledger, "refused", row, { atMs, account, text });
  }
  // The rows of a fire that was published before the journal begins.
  if (!ledger.terms.isWhole && (plan === null || row.dueMs <= plan.sinceMs)) return;
  // A snapshot has no plan of a task that was retired long before.
  if (ledger.isSeeded && plan === null) return;
  const hasEnded = plan !== null && plan.task === row.task && isDecided(plan, row.dueMs);
  const text = `${row.type} of a fire that ${hasEnded ? "had ended" : "was never published"}`;
  noteRow(ledger, hasEnded ? "refused" : "orphan", row, { atMs, account, text });
}

/** Counts what a row did, and keeps what the next ones are measured by. */
function advance(
  ledger: Ledger,
  account: Account,
  row: FireRow,
  { fire, atMs }: { fire: FoldedFire<Note>; atMs: number },
): void {
  const { tally } = account;
  const { detail, dueMs, type } = row;
  const isCounted = isInWindow(ledger, dueMs);
  if (type === "fire.skipped") {
    free(account, row, atMs);
    if (detail.by !== "catchup" && account.plan !== null) account.plan.skippedMs = atMs;
    if (isCounted) addTo(tally.skipped, whySkipped(detail), 1);
    return;
  }
  const { note, openId } = fire;
  if (note === undefined) return;
  if (type === "fire.redelivered") redeliver(ledger, note, row, atMs);
  if (type === "fire.acked") {
    note.sinceMs = atMs;
    const sight = ledger.sights.size === 0 ? undefined : ledger.sights.get(openId);
    if (sight !== undefined) sight.ackedMs = atMs;
    if (isCounted) tally.toAck.add(atMs - note.publishedMs);
  }
  if (!isCounted) return;
  if (type === "fire.finished") addTo(tally.finished, String(detail.outcome), 1);
  else if (type === "fire.expired") addTo(tally.expired, String(detail.reason), 1);
  else {
    const name = COUNTED[type];
    if (name !== undefined) tally[name]++;
  }
}

const COUNTED: Readonly<Record<string, "acked" | "taken" | "overdue" | "redelivered">> = {
  "fire.acked": "acked",
  "fire.taken": "taken",
  "fire.overdue": "overdue",
  "fire.redelivered": "redelivered",
};

function publish(
  ledger: Ledger,
  account: Account,
  row: FireRow,
  { fire, atMs }: { fire: FoldedFire<Note>; atMs: number },
): void {
  const { plan, tally } = account;
  const { dueMs, task } = row;
  const attempt = attemptOf(row);
  fire.note = {
    account,
    fire: task,
    dueMs,
    attempt,
    publishedMs: atMs,
    deadlines: plan?.deadlines ?? null,
    sinceMs: atMs,
    deliveries: 1,
  };
  const sight = ledger.sights.size === 0 ? undefined : ledger.sights.get(fire.openId);
  if (sight !== undefined) sight.hasRow = true;
  const isFirst = attempt === 0 && plan?.task === row.task;
  if (isFirst) free(account, row, atMs);
  const { notBeforeMs } = row.detail;
  const heldMs = typeof notBeforeMs === "number" ? notBeforeMs : dueMs;
  const freedMs = isFirst ? plan?.hold?.freedMs ?? dueMs : dueMs;
  const lateMs = atMs - Math.max(dueMs, heldMs, freedMs);
  const isLate = isFirst && lateMs > ledger.toleranceMs;
  if (isLate && !isRedone(ledger, dueMs)) {
    const text = `published ${secondsText(lateMs)} after it was due`;
    noteRow(ledger, "late", row, { atMs, account, text });
  }
  if (!isInWindow(ledger, dueMs)) return;
  if (!isFirst) {
    tally.anew++;
    return;
  }
  tally.published++;
  tally.lateness.add(lateMs);
  if (isLate) {
    if (isRedone(ledger, dueMs)) tally.redone++;
  } else if (lateMs >= 0) tally.onTime++;
}

/** Each says which delivery it is. */
function redeliver(ledger: Ledger, note: Note, row: FireRow, atMs: number): void {
  note.sinceMs = atMs;
  note.deliveries++;
  const { deliveries } = row.detail;
  if (deliveries === note.deliveries) return;
  const text = `delivery ${deliveries} recorded after delivery ${note.deliveries - 1}`;
  noteRow(ledger, "refused", row, { atMs, account: note.account, text });
  if (typeof deliveries === "number") note.deliveries = deliveries;
}

/** Due times that a policy let go, in one row. */
export function takeDropped(
  ledger: Ledger,
  account: Account,
  row: JournalRow,
  atMs: number,
): void {
  const { plan, tally } = account;
  const refuse = (kind: FindingKind, text: string) =>
    noteRow(ledger, kind, row, { atMs, account, text });
  const dropped = rowOf(row, "task.dropped");
  if (dropped === null || row.dueMs !== dropped.detail.toMs) {
    return refuse("refused", "task.dropped cannot be read");
  }
  if (plan === null) {
    if (ledger.terms.isWhole) return refuse("orphan", "no row declares its task");
    ledger.undeclared++;
    return;
  }
  const { fromMs, toMs, by, reason, count } = dropped.detail;
  if (atMs < toMs) return refuse("early", "dropped before it was due");
  const placed = placeRange(plan, { fromMs, toMs });
  if (placed.place === "never") return refuse("orphan", "the schedule has no such due times");
  if (placed.place === "again" && !isRedone(ledger, toMs)) {
    return refuse("duplicate", "what it drops was decided before");
  }
  if (placed.place === "filled") refuse("late", "recorded after later due times");
  if (placed.place === "again" || placed.trigger === null) return;
  if (by !== "catchup") plan.skippedMs = atMs;
  if (placed.count !== count) {
    refuse("refused", `it says that ${count} were due, and the schedule says ${placed.count}`);
  }
  const stretch = { afterMs: fromMs - 1, untilMs: toMs, trigger: placed.trigger };
  const inWindow = countIn(stretch, ledger);
  tally.planned += inWindow;
  if (by === "catchup") tally.droppedLate += inWindow;
  addTo(tally.skipped, whySkipped({ by, reason }), inWindow);
}

/** The few fields that are counted by; checking them all would cost more than all else. */
function isMalformed({ type, detail }: JournalRow): boolean {
  switch (type) {
    case "fire.finished":
      return !OUTCOMES.has(detail.outcome);
    case "fire.expired":
      return detail.reason !== "ttl" && detail.reason !== "unacknowledged";
    case "fire.acked":
    case "fire.taken":
    case "fire.skipped":
      return typeof detail.by !== "string";
    default:
      return false;
  }
}
