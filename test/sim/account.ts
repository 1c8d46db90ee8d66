/** The books: cursors and fires as the surviving rows make them, each row held against the rules. */

import type { CursorBook, FireBook } from "./books.ts";
import { cursorBook, definitionText, listOf, nextStand, rebuilt, sorted } from "./books.ts";
import { lastDropped, wrongCatchUp } from "./catchup_rule.ts";
import type { Instants } from "./instants.ts";
import { instantsOf } from "./instants.ts";
import type { LedgerRow, Push } from "./ledger.ts";
import type { Store } from "./watcher.ts";
import type { Crew } from "./workers.ts";
import type { PlannedTask } from "./schedule.ts";

/** A row of a term or an order is about no task. */
const TASK = /./;

/** A revision that a replica may run, and what it means. */
interface Edition {
  readonly planned: PlannedTask;
  readonly instants: Instants;
}

export interface Account {
  readonly rows: readonly LedgerRow[];
  /** In the surviving history. */
  readonly fires: ReadonlyMap<string, FireBook>;
  readonly cursors: ReadonlyMap<string, CursorBook>;
  /** A task as it may be declared from now on. */
  declare(planned: PlannedTask): void;
  /** Of every message ever pushed. */
  readonly taskIds: ReadonlySet<string>;
  take(rows: readonly LedgerRow[], pushes: readonly Push[], store: Store): void;
  /** Rows of which `isThere` says so are in the history, and no others. */
  cut(isThere: (row: LedgerRow) => boolean, store: Store): void;
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
  /** What the workers know. */
  crew(): Pick<Crew, "revoked" | "ran" | "inHand">;
}

export function accountOf({ namespace, sep, report, tell, crew }: AccountParts): Account {
  const rows: LedgerRow[] = [];
  const declared = new Map<string, PlannedTask[]>();
  const editions = new Map<string, Edition>();
  /** Every push of a fire, in any history. */
  const pushed = new Map<string, Push[]>();
  const taskIds = new Set<string>();
  const forgotten = new Map<string, number>();
  let writes = 0;
  let fires = new Map<string, FireBook>();
  let cursors = new Map<string, CursorBook>();

  const editionOf = (task: string, revision: string) => editions.get(`${task} ${revision}`);

  function takeDeclared(row: LedgerRow): void {
    const revision = String(row.detail.revision);
    const before = cursors.get(row.task);
    if (before !== undefined && row.dueMs! < before.dueMs) {
      report("I5", `${row.type} moved the cursor of ${row.task} back to ${row.dueMs}`);
    }
    if (row.type === "task.known" && before !== undefined) {
      report("I5", `${row.task} is known anew although it has a cursor`);
    }
    cursors.set(row.task, cursorBook(row.dueMs!, revision));
    if (editionOf(row.task, revision) !== undefined) return;
    const definition = JSON.stringify(sorted(row.detail.definition));
    const planned = declared.get(row.task)?.find((each) => definitionText(each) === definition);
    // Another edition of the same definition differs in its arguments, which stay out of the journal.
    if (planned === undefined) {
      report("I4", `${row.type} of ${row.task} has a definition that nobody declared`);
      return;
    }
    editions.set(`${row.task} ${revision}`, { planned, instants: instantsOf(planned.rhythm) });
  }

  /** The edition of a row that moves a cursor, and where it must go on from. */
  function moving(row: LedgerRow): (Edition & { readonly cursor: CursorBook }) | null {
    const cursor = cursors.get(row.task);
    const edition = cursor && editionOf(row.task, cursor.revision);
    if (cursor === undefined || edition === undefined) {
      report("I4", `${row.type} of ${row.task}, which is not known`);
      return null;
    }
    if (row.dueMs! <= cursor.dueMs) {
      report("I5", `${row.type} of ${row.task} at ${row.dueMs} after ${cursor.dueMs}`);
    }
    cursors.set(row.task, cursorBook(row.dueMs!, cursor.revision));
    return { ...edition, cursor };
  }

  function takePublished(row: LedgerRow, push: Push | undefined, store: Store): void {
    const fire = `${row.task}@${row.dueMs}`;
    if (store.nowMs < row.dueMs!) {
      report("I3", `${fire} was published ${row.dueMs! - store.nowMs} ms early`);
    }
    const edition = moving(row);
    if (edition !== null) {
      const { planned, instants, cursor } = edition;
      const expected = instants.next(cursor.dueMs);
      if (expected !== row.dueMs) {
        report("I4", `${fire} was published where ${row.task}@${expected} was to be decided`);
      }
      const wrong = wrongCatchUp(instants, planned.catchUp, {
        dueMs: row.dueMs!,
        decidedMs: row.decidedMs,
      });
      if (wrong !== null) report("I7", `${fire}: ${wrong}`);
      const list = listOf(planned, sep);
      if (push !== undefined && push.list !== list) {
        report("I2", `${fire} went to ${push.list}, not to ${list}`);
      }
    }
    if (push === undefined) return;
    const copies = pushed.get(fire) ?? [];
    for (const copy of copies) {
      if (!copy.row.isLost) report("I1", `${fire} was published twice, by ${copy.row.id} before`);
      if (copy.taskId !== push.taskId) report("I1", `${fire} was published anew under another id`);
    }
    pushed.set(fire, [...copies, push]);
    taskIds.add(push.taskId);
    fires.set(fire, { stand: "queued", isOverdue: false, push });
  }

  function takeDropped(row: LedgerRow, store: Store): void {
    const { fromMs, toMs, count } = row.detail as { fromMs: number; toMs: number; count: number };
    if (store.nowMs < toMs) report("I3", `${row.task} dropped what was not due: ${toMs}`);
    const edition = moving(row);
    if (edition === null) return;
    const { planned, instants, cursor } = edition;
    const what = `${row.task} dropped ${count} in [${fromMs}, ${toMs}]`;
    if (toMs !== row.dueMs) report("I4", `${what} and moved its cursor to ${row.dueMs}`);
    if (instants.next(cursor.dueMs) !== fromMs) report("I4", `${what}, from another due time`);
    const expected = instants.count(cursor.dueMs, toMs);
    if (expected !== null && expected !== count) {
      report("I4", `${what}, and there were ${expected}`);
    }
    const allowedMs = lastDropped(instants, planned.catchUp, row.decidedMs);
    if (allowedMs !== toMs) {
      report("I7", `${what} by ${planned.catchUp.policy}; it should have ended at ${allowedMs}`);
    }
  }

  function takeFire(row: LedgerRow, store: Store): void {
    const name = `${row.task}@${row.dueMs}`;
    const fire = fires.get(name);
    const stand = fire?.stand ?? null;
    const next = nextStand(row.type, stand);
    if (fire === undefined || next === null) {
      report("I11", `${row.type} of ${name}, which is ${stand ?? "not published"}`);
      return;
    }
    if (row.type === "fire.overdue") {
      if (fire.isOverdue) report("I11", `${name} is overdue twice`);
      fire.isOverdue = true;
    }
    if (row.type === "fire.redelivered") fire.isOverdue = false;
    if (row.type === "fire.acked") {
      if (row.detail.by === "broker") checkGone(fire, store);
      const { taskId } = fire.push;
      if (crew().revoked.has(taskId) && !crew().ran.has(taskId) && row.detail.by !== "broker") {
        report("I11", `${name} is acked, and its worker dropped it as expired`);
      }
    }
    if (row.type === "fire.expired" && row.detail.by === "beat") checkOver(fire, row, store);
    fire.stand = next;
  }

  function checkGone({ push }: FireBook, { keys }: Store): void {
    const list = keys.get(push.list);
    const unacked = keys.get("unacked");
    const isReserved = unacked?.type === "hash" && unacked.fields.has(push.tag);
    const isQueued = list?.type === "list" &&
      list.list.slice(0, list.list.length - 1).some((text) => text.includes(push.tag));
    const isInHand = crew().inHand.has(push.tag);
    if (isReserved || isQueued || isInHand) {
      const where = isReserved ? "reserved" : isQueued ? "in its list" : "in a worker's hand";
      report(
        "I11",
        `${push.row.task}@${push.row.dueMs} is acked by the broker, and still ${where}`,
      );
    }
  }

  function checkOver({ push }: FireBook, row: LedgerRow, { nowMs }: Store): void {
    const { task, dueMs } = push.row;
    if (row.detail.reason !== "ttl") return;
    if (push.expiresMs === null || push.expiresMs > nowMs) {
      report("I11", `${task}@${dueMs} expired before its end at ${push.expiresMs}`);
    }
  }

  function takeOne(row: LedgerRow, push: Push | undefined, store: Store): void {
    rows.push(row);
    tellRow(row);
    switch (row.type) {
      case "task.known":
      case "task.changed":
        return takeDeclared(row);
      case "task.retired":
        cursors.delete(row.task);
        return;
      case "task.dropped":
        return takeDropped(row, store);
      case "fire.published":
        return takePublished(row, push, store);
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
    const hash = keys.get(`${namespace}:cursors`);
    const fields: ReadonlyMap<string, string> = hash?.type === "hash" ? hash.fields : new Map();
    // Each that moved, and now and then all of them.
    const looked = writes++ % 16 === 0 ? cursors.keys() : changed.map(({ task }) => task);
    for (const task of looked) {
      const text = cursors.get(task)?.text;
      if (TASK.test(task) && fields.get(task) !== text) {
        report("I2", `the cursor of ${task} is ${fields.get(task)}, its rows say ${text}`);
      }
    }
    const others = ["@term", "@control", "@late"].filter((name) => fields.has(name)).length;
    if (fields.size - others !== cursors.size) report("I2", "a cursor that no row speaks of");
    const open = keys.get(`${namespace}:open`);
    const texts: ReadonlyMap<string, string> = open?.type === "hash" ? open.fields : new Map();
    for (const { type, task, dueMs } of changed) {
      if (!type.startsWith("fire.")) continue;
      const name = `${task}@${dueMs}`;
      const stand = fires.get(name)?.stand ?? "closed";
      const letter = texts.get(name)?.[0] ?? "c";
      if (letter !== stand[0]) report("I8", `${name} is open as ${letter}, its rows say ${stand}`);
    }
  }

  return {
    rows,
    taskIds,
    get fires() {
      return fires;
    },
    get cursors() {
      return cursors;
    },
    declare(planned) {
      const known = declared.get(planned.name);
      if (known === undefined) declared.set(planned.name, [planned]);
      else known.push(planned);
    },
    take(newRows, pushes, store) {
      if (newRows.length === 0) return;
      const byFire = new Map(pushes.map((push) => [push.row, push]));
      for (const row of newRows) takeOne(row, byFire.get(row), store);
      compare(newRows, store);
    },
    cut(isThere, { keys }) {
      const lost = rows.filter((row) => !row.isLost && !isThere(row));
      // A replica that is promoted may know what its master has lost in a crash.
      const back = rows.filter((row) => row.isLost && isThere(row));
      for (const row of lost) row.isLost = true;
      for (const row of back) row.isLost = false;
      if (lost.length > 0) tell(() => `${lost.length} rows are lost, from ${lost[0]!.id} on`);
      if (back.length > 0) tell(() => `${back.length} rows are back, from ${back[0]!.id} on`);
      if (lost.length + back.length + forgotten.size === 0) return;
      ({ fires, cursors } = rebuilt(rows.filter((row) => !row.isLost), pushed));
      // Whether a deletion by hand was lost, too, stands in no row.
      const hash = keys.get(`${namespace}:cursors`);
      for (const task of forgotten.keys()) {
        if (hash?.type !== "hash" || !hash.fields.has(task)) cursors.delete(task);
      }
    },
    forgotten,
    forget(task, serverMs) {
      forgotten.set(task, serverMs);
      cursors.delete(task);
    },
  };
}
