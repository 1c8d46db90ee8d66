/**
 * The audit: each due time of the schedule as it was, joined with the rows about it. Pure and streaming;
 * it keeps the open fires and what it counts of each task, however long the journal is.
 *
 * It begins with the first row of the journal, or with what a snapshot says that the rows before it came
 * to: what was declared, decided and open at the beginning of the window follows from nothing else.
 */

import type { JournalRow } from "../event.ts";
import { millisecondsOf, recordedMs } from "../event.ts";
import { entryOf, TASK_NAME } from "../fire.ts";
import { closeLedger } from "./close.ts";
import type { Report } from "./close.ts";
import { takeDropped, takeFire } from "./fire_rows.ts";
import type { FireRow } from "./fire_rows.ts";
import type { Account, AuditOptions, Ledger } from "./ledger.ts";
import { accountOf, noteRow, openLedger, secondsText } from "./ledger.ts";
import type { Declared } from "./schedule.ts";
import { countIn, declare, retire } from "./schedule.ts";
import type { SnapshotState } from "./snapshot.ts";
import { ledgerFrom } from "./snapshot.ts";
import { DECIDES } from "./standing.ts";
import { addTo } from "./tally.ts";

export interface Audit {
  /** The next row, in the order of the journal. */
  take(row: JournalRow): void;
  /** An entry that is no row. */
  takeForeign(id: string, why: string): void;
  /** @param nowMs the server's time before the journal was read; Unix milliseconds */
  close(nowMs: number): Report;
  /** What was learned so far. */
  readonly ledger: Ledger;
}

/** @param seed what the rows before the first came to; they need not be read then */
export function auditOf(options: AuditOptions, seed: SnapshotState | null = null): Audit {
  return auditFrom(seed === null ? openLedger(options) : ledgerFrom(options, seed));
}

/** An audit that goes on from what a ledger has. */
export function auditFrom(ledger: Ledger): Audit {
  return {
    ledger,
    take: (row) => takeRow(ledger, row),
    takeForeign(id, why) {
      const row = { id, task: "", dueMs: null };
      const atMs = millisecondsOf(id);
      noteRow(ledger, "refused", row, { atMs, text: `not a row of Beat's: ${why}` });
    },
    close: (nowMs) => closeLedger(ledger, nowMs),
  };
}

/** A row is recorded well within this time after it was decided, or not at all. Milliseconds. */
const DECIDED_WITHIN_MS = 60_000;

/** What is told when there is somebody to tell it to; and what is measured by its due time. */
const MAY_WAIT: ReadonlySet<string> = new Set(["fire.late_ack", "fire.published"]);

function takeRow(ledger: Ledger, row: JournalRow): void {
  const atMs = timeOf(ledger, row);
  const { type } = row;
  ledger.rows++;
  ledger.firstId ??= row.id;
  ledger.lastId = row.id;
  ledger.standing.take(row);
  const problem = ledger.terms.take(row);
  if (problem !== null) {
    noteRow(ledger, "refused", row, { atMs, text: `${type} of term ${row.fence}: ${problem}` });
    // What an ended term is said to have written moves nothing.
    if (row.fence !== ledger.terms.fence) return;
  }
  if (row.task === "") return takeTermRow(ledger, row, atMs);
  if (type === "fire.late_ack") ledger.lateAcks++;
  if (ledger.tasks !== null && !ledger.tasks.has(entryOf(row.task))) return;
  if (DECIDES.has(type)) ledger.decidedMs = atMs;
  // Somebody may have asked for a task that there is none of.
  if (type === "control.answered" && !ledger.accounts.has(entryOf(row.task))) return;
  const account = accountOf(ledger, row.task);
  const waitedMs = atMs - row.decidedMs;
  if (waitedMs > DECIDED_WITHIN_MS && !MAY_WAIT.has(type)) {
    const text = `${type} recorded ${secondsText(waitedMs)} after it was decided`;
    noteRow(ledger, "late", row, { atMs, account, text });
  }
  if (type.startsWith("fire.")) {
    if (row.dueMs !== null) takeFire(ledger, account, row as FireRow, atMs);
    else noteRow(ledger, "refused", row, { atMs, account, text: `${type} without a due time` });
  } else if (type === "task.dropped") takeDropped(ledger, account, row, atMs);
  else if (type.startsWith("task.")) takeTask(ledger, account, row, atMs);
}

/**
 * When a row was recorded. Where the server's clock was set back, ids stand still until it has caught up:
 * then row after row is far behind its id. A single one may be a row that somebody put there.
 */
function timeOf(ledger: Ledger, row: JournalRow): number {
  const recorded = recordedMs(row);
  const isBehind = recorded - row.decidedMs > STANDS_STILL_MS;
  const standsStill = isBehind && ledger.wasBehind && recorded === ledger.lastMs;
  ledger.lastMs = recorded;
  ledger.wasBehind = isBehind;
  return standsStill ? row.decidedMs : recorded;
}

const STANDS_STILL_MS = 1_000;

function takeTermRow(ledger: Ledger, row: JournalRow, atMs: number): void {
  if (row.type === "term.started") ledger.decidedMs = -Infinity;
  if (row.type === "term.history_lost") {
    ledger.isAfterLoss = true;
    ledger.lost = new Set(ledger.accounts.keys());
  } else if (row.type !== "term.history_shortened") return;
  const { fromId, toId, reason } = row.detail;
  if (row.type === "term.history_lost") {
    return noteRow(ledger, "history", row, { atMs, text: `history was lost: ${reason}` });
  }
  const text = `rows after ${fromId} up to ${toId} are gone; what they decided was decided anew`;
  const { loss } = ledger.terms;
  // The hole is what counts, and not when it was noticed.
  const touches = loss !== null && loss.fromMs < ledger.untilMs && loss.toMs >= ledger.sinceMs;
  noteRow(ledger, "history", row, {
    atMs: touches ? Math.max(loss.fromMs, ledger.sinceMs) : atMs,
    text,
  });
}

function takeTask(ledger: Ledger, account: Account, row: JournalRow, atMs: number): void {
  const { type } = row;
  if (!TASK_NAME.test(row.task)) {
    return noteRow(ledger, "refused", row, { atMs, account, text: `${type} of no task` });
  }
  if (type === "task.retired") {
    if (account.plan === null && !ledger.terms.isWhole) return;
    return takeDeclared(ledger, account, row, { declared: retire(account.plan, atMs), atMs });
  }
  if (type !== "task.known" && type !== "task.changed") return;
  const { plan, declared } = declare(account.plan, row, ledger.lost.delete(account.task));
  const isFirst = account.plan === null && !ledger.terms.isWhole;
  account.plan = plan;
  // A change of what was declared before the journal begins.
  if (isFirst && type === "task.changed") return;
  takeDeclared(ledger, account, row, { declared, atMs });
}

function takeDeclared(
  ledger: Ledger,
  account: Account,
  row: JournalRow,
  { declared: { letGo, problem }, atMs }: { declared: Declared; atMs: number },
): void {
  if (problem !== null) {
    noteRow(ledger, "refused", row, { atMs, account, text: `${row.type}: ${problem}` });
  }
  if (letGo === null) return;
  // A leader that has decided later due times since was not kept from these by anything.
  const atWorkMs = Math.min(ledger.decidedMs - ledger.toleranceMs, letGo.untilMs);
  const passedMs = Math.max(letGo.afterMs, atWorkMs);
  account.plan?.holes.push({ ...letGo, untilMs: passedMs });
  const count = countIn({ ...letGo, afterMs: passedMs }, ledger);
  const why = row.type === "task.known" ? "history was lost" : WHY[row.type] ?? row.type;
  account.tally.planned += count;
  addTo(account.tally.skipped, `schedule: ${why}`, count);
}

const WHY: Readonly<Record<string, string>> = {
  "task.changed": "the trigger was changed",
  "task.retired": "the task was retired",
};
