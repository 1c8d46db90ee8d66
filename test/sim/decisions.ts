/** Rows that decide due times, held against the rules: which is next, when it may go out, and why not. */

import type { CursorBook, PendingBook } from "./books.ts";
import { moveCursor, openBook } from "./books.ts";
import { lastDropped, reasonOf, wrongCatchUp } from "./catchup_rule.ts";
import type { Edition } from "./editions.ts";
import type { GateCase } from "./gate_rule.ts";
import { wrongRuling, wrongRun } from "./gate_rule.ts";
import type { LedgerRow, Push } from "./ledger.ts";
import type { Letters } from "./message_rule.ts";
import type { Store } from "./watcher.ts";

export interface DecisionParts {
  readonly namespace: string;
  readonly letters: Letters;
  report(invariant: string, what: string): void;
  editionOf(task: string, revision: string): Edition | undefined;
  isReopened(fire: string): boolean;
  /** The surviving rows, and what who leads may not know of them: see {@link GateCase}. */
  stand(): Pick<GateCase, "books" | "isBehind" | "behindMs">;
}

export interface Decisions {
  /** A row about one due time: published, held or skipped. */
  takeDecided(row: LedgerRow, push: Push | undefined, store: Store): void;
  takeDropped(row: LedgerRow, store: Store): void;
  /** A message of `fire`, whoever wanted it. */
  takePush(fire: string, push: Push): void;
  /** Every push of a fire, in any history. */
  readonly pushed: ReadonlyMap<string, readonly Push[]>;
  readonly taskIds: ReadonlySet<string>;
}

interface Deciding extends Edition {
  readonly cursor: CursorBook;
  readonly gate: GateCase;
}

export function decisionsOf(parts: DecisionParts): Decisions {
  const { namespace, letters, report, editionOf, isReopened, stand } = parts;
  const pushed = new Map<string, Push[]>();
  const taskIds = new Set<string>();

  /** The edition of a row that decides a fire; reports where another fire was to be decided. */
  function deciding(
    row: LedgerRow,
    store: Store,
  ): Deciding | null {
    const { books, isBehind, behindMs } = stand();
    const cursor = books.cursors.get(row.task);
    const edition = cursor && editionOf(row.task, cursor.revision);
    if (cursor === undefined || edition === undefined) {
      report("I4", `${row.type} of ${row.task}, which is not known`);
      return null;
    }
    const isHeld = cursor.pending !== null && row.dueMs === cursor.dueMs;
    if (row.dueMs! <= cursor.dueMs && !isHeld) {
      report("I5", `${row.type} of ${row.task} at ${row.dueMs} after ${cursor.dueMs}`);
    }
    if (cursor.pending !== null && !isHeld) {
      report("I4", `${row.type} of ${row.task}@${row.dueMs} while ${cursor.dueMs} is held`);
    }
    const gate = { ...edition, books, store, namespace, isReopened, isBehind, behindMs };
    return { ...edition, cursor, gate };
  }

  /** A row about one due time: published, held or skipped. */
  function takeDecided(row: LedgerRow, push: Push | undefined, store: Store): void {
    const fire = `${row.task}@${row.dueMs}`;
    if (store.nowMs < row.dueMs! && !isEnded(row)) {
      report("I3", `${row.type} of ${fire} ${row.dueMs! - store.nowMs} ms early`);
    }
    const edition = deciding(row, store);
    if (edition !== null) {
      if (edition.cursor.pending === null) checkNext(row, edition);
      else if (row.type === "fire.published") checkHeld(row, edition.cursor.pending, store);
      checkReason(row, edition);
      const { planned, cursor: { revision } } = edition;
      const wrong = push === undefined ? null : letters.whyNot(push, planned, revision);
      if (wrong !== null) report("I2", `the message of ${fire}: ${wrong}`);
    }
    moveCursor(stand().books, row);
    if (push !== undefined) takePush(fire, push);
  }

  /** Of a fire that was not held before. */
  function checkNext(
    row: LedgerRow,
    { planned, instants, cursor }: Deciding,
  ) {
    const { task, dueMs, decidedMs, type } = row;
    const expected = instants.next(cursor.dueMs);
    if (expected !== dueMs) {
      report("I4", `${type} of ${task}@${dueMs} where ${task}@${expected} was to be decided`);
    }
    const wrong = wrongCatchUp(instants, planned.catchUp, { dueMs: dueMs!, decidedMs });
    if (wrong !== null) report("I7", `${task}@${dueMs}: ${wrong}`);
  }

  function checkHeld(row: LedgerRow, { notBeforeMs }: PendingBook, { nowMs }: Store): void {
    const fire = `${row.task}@${row.dueMs}`;
    if (row.detail.notBeforeMs !== notBeforeMs) {
      report("I3", `${fire} was held until ${notBeforeMs}, its row says ${row.detail.notBeforeMs}`);
    }
    if (nowMs < notBeforeMs) report("I3", `${fire} went out before ${notBeforeMs}`);
  }

  /** By what it is held or skipped, or why it goes out. */
  function checkReason(row: LedgerRow, { cursor, planned, instants, gate }: Deciding): void {
    const what = `${row.type} of ${row.task}@${row.dueMs}`;
    if (isEnded(row)) {
      if (cursor.pending === null) report("I4", `${what}, which was not held`);
      return;
    }
    const { by, reason } = row.detail;
    if (isSaidAgain(row, cursor.pending)) report("I11", `${what} says what was said before`);
    const nextMs = planned.catchUp.policy === "all" ? null : instants.next(row.dueMs!);
    const isSuperseded = nextMs !== null && nextMs <= row.decidedMs;
    const saysSo = by === "catchup" && reason === "superseded";
    if (isSuperseded !== saysSo) {
      report("I7", `${what} at ${row.decidedMs}; the next one is due at ${nextMs}`);
    }
    const wrong = saysSo ? null : wrongRuling(row, gate);
    if (wrong !== null) report("I4", `${what}: ${wrong}`);
  }

  function takePush(fire: string, push: Push): void {
    const copies = pushed.get(fire) ?? [];
    for (const copy of copies) {
      if (!copy.row.isLost) report("I1", `${fire} was published twice, by ${copy.row.id} before`);
      if (copy.taskId !== push.taskId) report("I1", `${fire} was published anew under another id`);
      if (copy.tag === push.tag && copy.row.fence !== push.row.fence) {
        report("I1", `${fire} was published anew under the tag of fence ${copy.row.fence}`);
      }
    }
    pushed.set(fire, [...copies, push]);
    taskIds.add(push.taskId);
    stand().books.fires.set(fire, openBook(push));
  }

  function takeDropped(row: LedgerRow, store: Store): void {
    const { fromMs, toMs, count, by, reason } = row.detail as {
      fromMs: number;
      toMs: number;
      count: number;
      by: string;
      reason: string;
    };
    if (store.nowMs < toMs) report("I3", `${row.task} dropped what was not due: ${toMs}`);
    const edition = deciding(row, store);
    if (edition !== null) {
      const { planned, instants, cursor, gate } = edition;
      const what = `${row.task} dropped ${count} in [${fromMs}, ${toMs}]`;
      if (cursor.pending !== null) report("I4", `${what} while it held a fire`);
      if (toMs !== row.dueMs) report("I4", `${what} and moved its cursor to ${row.dueMs}`);
      if (instants.next(cursor.dueMs) !== fromMs) report("I4", `${what}, from another due time`);
      const expected = instants.count(cursor.dueMs, toMs);
      if (expected !== null && expected !== count) {
        report("I4", `${what}, and there were ${expected}`);
      }
      if (by !== "catchup") {
        const wrong = wrongRun(row, gate);
        if (wrong !== null) report("I4", `${what}: ${wrong}`);
      } else {
        const allowedMs = lastDropped(instants, planned.catchUp, row.decidedMs);
        if (allowedMs !== toMs) {
          report(
            "I7",
            `${what} by ${planned.catchUp.policy}; it should have ended at ${allowedMs}`,
          );
        }
        const right = reasonOf(instants, planned.catchUp, { toMs, decidedMs: row.decidedMs });
        if (reason !== right) report("I7", `${what} as ${reason}; it was ${right}`);
      }
    }
    moveCursor(stand().books, row);
  }

  return { takeDecided, takeDropped, takePush, pushed, taskIds };
}

/** Whether a fire is held as it was before: that needs no row. */
function isSaidAgain({ type, detail }: LedgerRow, pending: PendingBook | null): boolean {
  const { by, untilMs, cause } = detail;
  if (type !== "fire.delayed" || pending === null) return false;
  return untilMs === null
    ? pending.by === `${by}:${cause}`
    : pending.by === by && pending.notBeforeMs === untilMs;
}

/** A held fire whose task is over: retired, or due at other times. */
function isEnded({ type, detail }: LedgerRow): boolean {
  return type === "fire.skipped" && detail.by === "schedule";
}
