/** The books: cursors and fires as the surviving rows make them, each row held against the rules. */

import type { Books, CursorBook, FireBook, StepBack } from "./books.ts";
import {
  emptyBooks,
  moveCursor,
  moveFire,
  moveLevel,
  movePause,
  openText,
  rebuilt,
} from "./books.ts";
import { decisionsOf } from "./decisions.ts";
import { editionsOf } from "./editions.ts";
import type { Loss } from "./history_rule.ts";
import type { LedgerRow, Push } from "./ledger.ts";
import { publishName } from "./ledger.ts";
import type { QueueEye } from "./queue_eye.ts";
import { wrongLevel } from "./level_rule.ts";
import { wrongNote } from "./gate_rule.ts";
import { lettersOf } from "./message_rule.ts";
import type { PlannedTask } from "./schedule.ts";
import type { Store } from "./watcher.ts";
import type { Known } from "./closing_rule.ts";
import { whyNotClosed } from "./closing_rule.ts";
import type { Wanted } from "./wanted_rule.ts";
import { isBackfilled, isUnderWay, isWanted, wantedFires } from "./wanted_rule.ts";
import { fieldsOf } from "./redis_values.ts";

/** A leader hears of the server's time with each renewal at least. Milliseconds. */
const HEARD_WITHIN_MS = 10_000;

/** A row of a term or an order is about no task. */
const TASK = /./;

export interface Account {
  readonly rows: readonly LedgerRow[];
  /** In the surviving history. */
  readonly fires: ReadonlyMap<string, FireBook>;
  readonly cursors: ReadonlyMap<string, CursorBook>;
  readonly books: Books;
  /** A task as it may be declared from now on. */
  declare(planned: PlannedTask): void;
  /** Of every message ever pushed. */
  readonly taskIds: ReadonlySet<string>;
  take(rows: readonly LedgerRow[], pushes: readonly Push[], store: Store): void;
  /** Rows of which `isThere` says so are in the history, and no others. @param atMs of the world */
  cut(isThere: (row: LedgerRow) => boolean, store: Store, atMs: number): void;
  readonly losses: readonly Loss[];
  noteStepBack(step: StepBack): void;
  /** A server that is the master no more took rows of whoever leads. */
  noteLost(): void;
  /** A person's request stands in the stream as `entryId`. */
  asked: Wanted["asked"];
  /** A cursor was deleted by hand. */
  forget(task: string, serverMs: number): void;
  /** The server's time at each such deletion. */
  readonly forgotten: ReadonlyMap<string, number>;
}

export interface AccountParts {
  readonly namespace: string;
  readonly sep: string;
  report(invariant: string, what: string): void;
  tell(what: () => string): void;
  /** How long a leader may not know what its rows say. Milliseconds. */
  behindMs(): number;
  /** What the workers know. */
  crew(): Known;
  /** How long ago whoever leads heard that a worker lives; `null`: not at all. Milliseconds. */
  silentMs(worker: string): number | null;
  readonly eye: Pick<QueueEye, "whyNotMeasured">;
  /** Whether a queue may have been looked at on a server that was the master. */
  mayBeAside(atMs: number): boolean;
}

/** How long ago what goes out may have been decided. Milliseconds. */
const FRESH_MS = 10_000;

export function accountOf(
  { namespace, sep, report, tell, behindMs, crew, silentMs, eye, mayBeAside }: AccountParts,
): Account {
  const rows: LedgerRow[] = [];
  const editions = editionsOf();
  const wanted = wantedFires();
  const forgotten = new Map<string, number>();
  let writes = 0;
  const stepsBack: StepBack[] = [];
  const losses: Loss[] = [];
  let books = emptyBooks(stepsBack);
  /** Fires that were closed, in any history. */
  const closedOnce = new Set<string>();
  /** Rows were lost, and no term has begun since. */
  let isBehind = false;

  /** The server's time at the newest row of any history. Unix milliseconds. */
  let newestMs = 0;

  const letters = lettersOf({ sep, declared: editions.declared });
  const { takeDecided, takeDropped, takePush, pushed, taskIds } = decisionsOf({
    ...{ namespace, letters, report, editionOf: editions.of },
    isReopened: (fire) => closedOnce.has(fire),
    stand: () => ({ books, isBehind, behindMs: behindMs() }),
  });

  function takeDeclared(row: LedgerRow): void {
    const before = books.cursors.get(row.task);
    if (before !== undefined && row.dueMs! < before.dueMs) {
      report("I5", `${row.type} moved the cursor of ${row.task} back to ${row.dueMs}`);
    }
    if (row.type === "task.known" && before !== undefined) {
      report("I5", `${row.task} is known anew although it has a cursor`);
    }
    moveCursor(books, row);
    if (before?.pending && books.cursors.get(row.task)!.pending === null) {
      report("I4", `${row.task}@${before.dueMs} was held, and is forgotten by ${row.type}`);
    }
    if (!editions.learn(row)) {
      report("I4", `${row.type} of ${row.task} has a definition that nobody declared`);
    }
    const wrong = editions.whyNotFrom(row, before, newestMs);
    if (wrong !== null) report("I4", `${row.type} of ${row.task}@${row.dueMs}: ${wrong}`);
  }

  function takeRetired(row: LedgerRow): void {
    const pending = books.cursors.get(row.task)?.pending ?? null;
    if (pending !== null) report("I4", `${row.task} was retired while it held a fire`);
    moveCursor(books, row);
  }

  /** By its task's policies as they stand. */
  function whyNotNoted(row: LedgerRow, store: Store): string | null {
    const task = row.task.split("+")[0]!;
    const cursor = books.cursors.get(task);
    const edition = cursor && editions.of(task, cursor.revision);
    if (edition === undefined) return null;
    const gate = { ...edition, books, store, namespace, isBehind, behindMs: behindMs() };
    return wrongNote({ ...row, task }, { ...gate, isReopened: (fire) => closedOnce.has(fire) });
  }

  /** Of an order, or of a request and what became of it. */
  function takeOrder(row: LedgerRow): void {
    const wrong = wanted.whyNotOrder(row, books.pauses);
    if (wrong !== null) report("I4", `${row.type} of ${row.detail.request}: ${wrong}`);
    movePause(books, row);
  }

  function takeStarted({ detail, fence }: LedgerRow, { keys }: Store): void {
    isBehind = false;
    const textOf = (name: string) => {
      const value = keys.get(`${namespace}:${name}`);
      return value?.type === "string" ? value.text : "";
    };
    const held = textOf("lease");
    if (held !== "" && held !== `${detail.owner} ${fence}`) {
      report("I6", `the term of ${fence} names ${detail.owner}, and ${held} holds the lease`);
    }
    const epoch = textOf("epoch").replace(/ v\d+$/, "");
    if (detail.epoch !== epoch) report("I8", `a term names ${detail.epoch}, and it is ${epoch}`);
  }

  /** A machine whose clocks stood still must not send what it decided before. */
  function checkFresh({ task, dueMs, decidedMs }: LedgerRow, { nowMs }: Store): void {
    const agoMs = nowMs - decidedMs;
    if (agoMs <= FRESH_MS) return;
    report("I4", `${task}@${dueMs} was decided ${agoMs} ms before it went out`);
  }

  function takeWanted(row: LedgerRow, push: Push | undefined, store: Store): void {
    const fire = `${row.task}@${row.dueMs}`;
    const wrong = wanted.whyNot(row);
    if (wrong !== null) report("I1", `${fire}: ${wrong}`);
    const planned = plannedOf(row);
    if (planned === undefined) report("I4", `${fire} is of no task`);
    if (isBackfilled(row) && !isBehind && isUnderWay(books, row)) {
      report("I1", `${fire} went out while the schedule's own fire was out or held`);
    }
    if (push === undefined) return;
    const wrongNotes = isBackfilled(row) ? null : whyNotNoted(row, store);
    if (wrongNotes !== null) report("I4", `${fire}: ${wrongNotes}`);
    const wrongMessage = planned && letters.whyNot(push, planned, null);
    if (wrongMessage) report("I2", `the message of ${fire}: ${wrongMessage}`);
    takePush(fire, push);
  }

  function takeLevel(row: LedgerRow, { keys }: Store): void {
    const key = String(row.detail.key);
    const wrong = (isBehind ? null : wrongLevel(row, books.levels.get(key))) ??
      (mayBeAside(row.atMs) ? null : eye.whyNotMeasured(row));
    if (wrong !== null) report("I4", `the level of ${key}: ${wrong}`);
    moveLevel(books, row);
    const text = fieldsOf(keys, `${namespace}:cursors`).get(`@level:${key}`);
    const right = `${row.decidedMs} ${row.detail.to}`;
    if (text !== right) report("I2", `the level of ${key} is ${text}, its row says ${right}`);
  }

  /** A task of a fire, by what no edit changes. */
  const plannedOf = ({ task }: LedgerRow) => editions.declared(task.split("+")[0]!)[0];

  function takeFire(row: LedgerRow, store: Store): void {
    const name = `${row.task}@${row.dueMs}`;
    const fire = books.fires.get(name);
    const before = fire?.stand ?? null;
    const isSaidTwice = (row.type === "fire.overdue" && fire?.isOverdue) ||
      (row.type === "fire.late_ack" && fire?.isLateTold);
    if (isSaidTwice) report("I11", `${row.type} of ${name} twice`);
    if (!moveFire(fire, row)) {
      report("I11", `${row.type} of ${name}, which is ${before ?? "not published"}`);
      return;
    }
    if (fire!.stand === "closed") closedOnce.add(name);
    const wrong = whyNotClosed(row, {
      ...{ fire: fire!, store, crew: crew(), silentMs },
      isSetBack: stepsBack.some(({ atMs }) => row.atMs - atMs < HEARD_WITHIN_MS),
      isStored: plannedOf(row)?.ignoreResult === false,
      awaited: () => {
        const all = [...books.fires.values()];
        return all.filter(({ stand, push }) => stand === "acked" && push.row.task === row.task)
          .length;
      },
    });
    if (wrong !== null) report("I11", `${row.type} of ${name}: ${wrong}`);
  }

  function takeOne(row: LedgerRow, push: Push | undefined, store: Store): void {
    rows.push(row);
    newestMs = Math.max(newestMs, row.serverMs);
    tellRow(row);
    if (row.version !== 1) report("I2", `${row.type} is of version ${row.version}`);
    switch (row.type) {
      case "task.known":
      case "task.changed":
        return takeDeclared(row);
      case "task.retired":
        return takeRetired(row);
      case "task.dropped":
        return takeDropped(row, store);
      case "fire.published":
        checkFresh(row, store);
        return isWanted(row) ? takeWanted(row, push, store) : takeDecided(row, push, store);
      case "fire.delayed":
      case "fire.skipped":
        return takeDecided(row, push, store);
      case "control.requested":
      case "control.answered":
      case "control.paused":
      case "control.resumed":
        return takeOrder(row);
      case "level.changed":
        return takeLevel(row, store);
      case "term.started":
        return takeStarted(row, store);
      default:
        if (row.type.startsWith("fire.")) takeFire(row, store);
    }
  }

  function tellRow({ type, task, dueMs, fence, detail, id }: LedgerRow): void {
    tell(() => {
      const about = task === "" ? JSON.stringify(detail) : `${task}@${dueMs}`;
      return `row ${id} by ${fence}: ${type} ${about}`;
    });
  }

  /** The books against what Redis holds. */
  function compare(changed: readonly LedgerRow[], { keys }: Store): void {
    const fields = fieldsOf(keys, `${namespace}:cursors`);
    // Each that moved, and now and then all of them.
    const { cursors, fires } = books;
    const looked = writes++ % 16 === 0 ? cursors.keys() : changed.map(({ task }) => task);
    for (const task of looked) {
      const text = cursors.get(task)?.text;
      if (TASK.test(task) && fields.get(task) !== text) {
        report("I2", `the cursor of ${task} is ${fields.get(task)}, its rows say ${text}`);
      }
    }
    if (fields.size - logsIn(fields) !== cursors.size) {
      report("I2", "a cursor that no row speaks of");
    }
    const texts = fieldsOf(keys, `${namespace}:open`);
    for (const row of changed) {
      if (!row.type.startsWith("fire.")) continue;
      const name = `${row.task}@${row.dueMs}`;
      const fire = fires.get(name);
      const text = texts.get(publishName(fire?.push.row ?? row));
      const right = openText(fire);
      if (text !== right) report("I8", `${name} is open as ${text}, its rows say ${right}`);
    }
  }

  return {
    rows,
    taskIds,
    get fires() {
      return books.fires;
    },
    get cursors() {
      return books.cursors;
    },
    get books() {
      return books;
    },
    declare: editions.declare,
    take(newRows, pushes, store) {
      if (newRows.length === 0) return;
      const byFire = new Map(pushes.map((push) => [push.row, push]));
      for (const row of newRows) takeOne(row, byFire.get(row), store);
      compare(newRows, store);
    },
    losses,
    cut(isThere, { keys }, atMs) {
      const lost = rows.filter((row) => !row.isLost && !isThere(row));
      // A replica that is promoted may know what its master has lost in a crash.
      const back = rows.filter((row) => row.isLost && isThere(row));
      for (const row of lost) row.isLost = true;
      for (const row of back) row.isLost = false;
      if (lost.length > 0) tell(() => `${lost.length} rows are lost, from ${lost[0]!.id} on`);
      if (back.length > 0) tell(() => `${back.length} rows are back, from ${back[0]!.id} on`);
      if (lost.length + back.length + forgotten.size === 0) return;
      isBehind ||= lost.length > 0;
      if (lost.length > 0) losses.push({ atMs, sinceMs: lost[0]!.atMs });
      books = rebuilt(rows.filter((row) => !row.isLost), pushed, stepsBack);
      // Whether a deletion by hand was lost, too, stands in no row.
      const fields = fieldsOf(keys, `${namespace}:cursors`);
      for (const task of forgotten.keys()) {
        if (!fields.has(task)) books.cursors.delete(task);
      }
    },
    noteStepBack: (step) => void stepsBack.push(step),
    noteLost: () => void (isBehind = true),
    asked: wanted.asked,
    forgotten,
    forget(task, serverMs) {
      forgotten.set(task, serverMs);
      books.cursors.delete(task);
    },
  };
}

/** Cursors that stand for no task: of terms, orders and requests. */
function logsIn(fields: ReadonlyMap<string, string>): number {
  let count = 0;
  for (const name of fields.keys()) if (name[0] === "@") count++;
  return count;
}
