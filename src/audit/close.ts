/** The end of an audit: what is left without a row, and the sums. */

import { SKIP_RUN_MS } from "../core/skip_run.ts";
import { millisecondsOf } from "../event.ts";
import { FINISH_WITHIN_MS } from "../follow/verdict.ts";
import type { Finding, FindingKind } from "./findings.ts";
import type { Account, Ledger, Note } from "./ledger.ts";
import { isInWindow, secondsText } from "./ledger.ts";
import type { Plan, Stretch } from "./schedule.ts";
import { countIn } from "./schedule.ts";
import type { Tally } from "./tally.ts";
import { addTally, newTally } from "./tally.ts";

export interface Report {
  /** Unix milliseconds; `sinceMs` may be `-Infinity`. */
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly toleranceMs: number;
  readonly nowMs: number;
  readonly rows: number;
  readonly firstId: string | null;
  readonly lastId: string | null;
  /** Rows before the first one are gone. */
  readonly isCut: boolean;
  /** The window begins after that, and nothing in it hangs on what is gone. */
  readonly isCovered: boolean;
  /** Decisions of tasks that were declared before the first row, which cannot be judged. */
  readonly undeclared: number;
  /** By name; tasks that have nothing in the window are left out. */
  readonly tasks: ReadonlyMap<string, Tally>;
  readonly sum: Tally;
  readonly findings: readonly Finding[];
  /** Of each kind, those that are not named as well. */
  readonly counts: ReadonlyMap<FindingKind, number>;
}

/** Due times of a gap that are named. */
const TIMES_MAX = 20;

/**
 * How long after a deadline its row may come: fires are looked at once a minute at the least, and Redis
 * may be away meanwhile. Milliseconds.
 */
const STUCK_AFTER_MS = 300_000;

/** @param nowMs the server's time before the journal was read */
export function closeLedger(ledger: Ledger, nowMs: number): Report {
  for (const account of ledger.accounts.values()) {
    const { plan } = account;
    if (plan === null) continue;
    noteWaiting(ledger, account, plan, nowMs);
    for (const hole of plan.holes) noteMissed(ledger, account, hole, "no row says why not");
  }
  for (const { note, state } of ledger.fold.fires.values()) {
    if (note !== undefined) noteStuck(ledger, note, { state, nowMs });
  }
  const { firstId } = ledger;
  const isCut = firstId !== null && !ledger.terms.isWhole;
  const isCovered = !isCut ||
    (ledger.undeclared === 0 && ledger.sinceMs >= millisecondsOf(firstId));
  if (!isCovered) noteGone(ledger, firstId);
  if (firstId === null) noteEmpty(ledger);
  const sum = newTally();
  const tasks = new Map<string, Tally>();
  const accounts = [...ledger.accounts.values()].filter(({ tally }) => !isEmpty(tally));
  for (const { task, tally } of accounts.sort((one, other) => one.task < other.task ? -1 : 1)) {
    addTally(sum, tally);
    tasks.set(task, tally);
  }
  // Findings about no task count as well.
  for (const kind of ["refused", "orphan", "duplicate"] as const) {
    sum[kind] = ledger.findings.counts.get(kind) ?? 0;
  }
  const { sinceMs, untilMs, toleranceMs, rows, lastId, undeclared } = ledger;
  return {
    ...{ sinceMs, untilMs, toleranceMs, nowMs, rows, firstId, lastId, undeclared, tasks, sum },
    ...{ isCut, isCovered },
    findings: ledger.findings.named(),
    counts: ledger.findings.counts,
  };
}

/** The first row that there is comes after the beginning of what was to be audited. */
function noteGone({ findings }: Ledger, firstId: string): void {
  findings.add({
    ...{ kind: "history", task: "", fromMs: null, toMs: null, count: 1, times: [] },
    rowId: firstId,
    text:
      "the rows before this one are gone: what they decided or declared cannot be audited; see " +
      "BEAT_ARCHIVE where they were archived",
  });
}

/** Nothing is proved by it, and a wrong namespace looks the same. */
function noteEmpty({ findings }: Ledger): void {
  findings.add({
    ...{ kind: "history", task: "", fromMs: null, toMs: null, count: 1, times: [], rowId: null },
    text: "there is no row: no leader has ever written here, or its journal is gone; see the " +
      "namespace and the broker that `beat validate` prints",
  });
}

function isEmpty(tally: Tally): boolean {
  return Object.values(tally).every((value) =>
    typeof value === "number" ? value === 0 : value.size === 0
  );
}

/** What came due after the last decision: long enough ago to be missed, or just now. */
function noteWaiting(ledger: Ledger, account: Account, plan: Plan, nowMs: number): void {
  const { trigger, cursorMs, isRetired, heldMs, skippedMs } = plan;
  if (trigger === null || isRetired) return;
  const lastMs = Math.min(nowMs, ledger.untilMs - 1);
  // What a policy holds is waited for, and what comes after it waits behind it. What it skips has a
  // row after a while.
  const patienceMs = ledger.toleranceMs + (skippedMs === null ? 0 : SKIP_RUN_MS);
  const isPatient = heldMs !== null || (skippedMs !== null && nowMs <= skippedMs + patienceMs);
  const missedMs = isPatient ? cursorMs : Math.min(nowMs - ledger.toleranceMs, lastMs);
  const missed = { afterMs: cursorMs, untilMs: Math.max(cursorMs, missedMs), trigger };
  noteMissed(ledger, account, missed, "no row decides it until now");
  const waiting = countIn({ afterMs: missed.untilMs, untilMs: lastMs, trigger }, ledger);
  account.tally.waiting += waiting;
  account.tally.planned += waiting;
}

function noteMissed(ledger: Ledger, account: Account, hole: Stretch, text: string): void {
  const count = countIn(hole, ledger);
  if (count === 0) return;
  const { trigger } = hole;
  const afterMs = Math.max(hole.afterMs, ledger.sinceMs - 1);
  const untilMs = Math.min(hole.untilMs, ledger.untilMs - 1);
  const times: number[] = [];
  for (
    let dueMs = trigger.next(afterMs);
    dueMs !== null && dueMs <= untilMs && times.length < TIMES_MAX;
    dueMs = trigger.next(dueMs)
  ) times.push(dueMs);
  account.tally.planned += count;
  account.tally.missed += count;
  const [fromMs, toMs] = [times[0] ?? null, trigger.last(untilMs)];
  ledger.findings.add({
    ...{ kind: "missed", task: account.task, fromMs, toMs, count, times, rowId: null, text },
  });
}

function noteStuck(
  ledger: Ledger,
  note: Note,
  { state, nowMs }: { state: string; nowMs: number },
): void {
  if (!isInWindow(ledger, note.dueMs)) return;
  const passed = deadlineOf(note, state);
  if (passed === null || nowMs <= passed.atMs + STUCK_AFTER_MS) return;
  const text = `${passed.what}, ${secondsText(nowMs - passed.atMs)} ago, and no row says so`;
  note.account.tally.stuck++;
  ledger.findings.add({
    ...{ kind: "stuck", task: note.fire, fromMs: note.dueMs, toMs: note.dueMs, count: 1 },
    ...{ times: [note.dueMs], rowId: null, text },
  });
}

/** When the next row of an open fire is due at the latest. */
function deadlineOf(note: Note, state: string): { atMs: number; what: string } | null {
  const { deadlines, publishedMs, sinceMs } = note;
  if (state.startsWith("acked")) {
    return { atMs: sinceMs + FINISH_WITHIN_MS, what: "it should have been seen to finish" };
  }
  if (deadlines === null || !state.startsWith("published")) return null;
  const { takeByMs, giveUpMs, expiresMs } = deadlines;
  const isTaken = state === "published.taken";
  const all = [
    { atMs: until(publishedMs, giveUpMs), what: "it should have been given up" },
    ...(isTaken ? [] : [{ atMs: until(publishedMs, expiresMs), what: "its message expired" }]),
    ...(state === "published.queued"
      ? [{ atMs: until(sinceMs, takeByMs), what: "a worker should have taken it" }]
      : []),
  ];
  const first = all.reduce((one, other) => other.atMs < one.atMs ? other : one);
  return first.atMs === Infinity ? null : first;
}

function until(fromMs: number, spanMs: number | null): number {
  return spanMs === null ? Infinity : fromMs + spanMs;
}
