/** What one row makes of a fire and of a cursor, and what all of them make together. */

import { NO_POLICIES } from "../../src/task.ts";
import type { LedgerRow, Push } from "./ledger.ts";
import type { PlannedTask } from "./schedule.ts";
import { triggerSpec } from "./schedule.ts";

/** Where a fire stands. */
export type Stand = "queued" | "taken" | "acked" | "closed";

export interface FireBook {
  stand: Stand;
  isOverdue: boolean;
  readonly push: Push;
}

export interface CursorBook {
  readonly dueMs: number;
  readonly revision: string;
  /** As it stands in Redis. */
  readonly text: string;
}

export function cursorBook(dueMs: number, revision: string): CursorBook {
  return { dueMs, revision, text: `${dueMs} ${revision}` };
}

/** The list of a task's messages, by the rule of Celery's workers. */
export function listOf({ queue, priority }: PlannedTask, sep: string): string {
  const step = [0, 3, 6, 9].findLast((each) => each <= (priority ?? 0))!;
  return step === 0 ? queue : `${queue}${sep}${step}`;
}

export function nextStand(type: string, stand: Stand | null): Stand | null {
  const isWaiting = stand === "queued" || stand === "taken";
  switch (type) {
    case "fire.taken":
      return stand === "queued" ? "taken" : null;
    case "fire.overdue":
      return stand === "queued" ? stand : null;
    case "fire.redelivered":
      return isWaiting ? "queued" : null;
    case "fire.acked":
      return isWaiting ? "acked" : null;
    case "fire.finished":
      return stand === "acked" ? "closed" : null;
    case "fire.expired":
      return isWaiting ? "closed" : null;
    case "fire.late_ack":
      return stand === "closed" ? stand : null;
    default:
      return null;
  }
}

export function rebuilt(rows: readonly LedgerRow[], pushed: ReadonlyMap<string, readonly Push[]>) {
  const fires = new Map<string, FireBook>();
  const cursors = new Map<string, CursorBook>();
  for (const row of rows) {
    const name = `${row.task}@${row.dueMs}`;
    const cursor = cursors.get(row.task);
    if (row.type === "task.known" || row.type === "task.changed") {
      cursors.set(row.task, cursorBook(row.dueMs!, String(row.detail.revision)));
    } else if (row.type === "task.retired") cursors.delete(row.task);
    else if (row.type === "task.dropped" && cursor !== undefined) {
      cursors.set(row.task, cursorBook(row.dueMs!, cursor.revision));
    } else if (row.type === "fire.published") {
      if (cursor !== undefined) cursors.set(row.task, cursorBook(row.dueMs!, cursor.revision));
      const push = pushed.get(name)?.find((each) => each.row === row);
      if (push !== undefined) fires.set(name, { stand: "queued", isOverdue: false, push });
    } else {
      const fire = fires.get(name);
      const stand = nextStand(row.type, fire?.stand ?? null);
      if (fire !== undefined && stand !== null) fire.stand = stand;
      if (fire !== undefined && row.type === "fire.overdue") fire.isOverdue = true;
      if (fire !== undefined && row.type === "fire.redelivered") fire.isOverdue = false;
    }
  }
  return { fires, cursors };
}

export function definitionText(planned: PlannedTask): string {
  return JSON.stringify(sorted({
    celeryTask: "work",
    queue: planned.queue,
    trigger: triggerSpec(planned.rhythm),
    expiresMs: planned.expiresMs,
    priority: planned.priority,
    timeLimitS: null,
    softTimeLimitS: null,
    ignoreResult: planned.ignoreResult,
    importance: "critical",
    catchUp: planned.catchUp,
    policies: NO_POLICIES,
    takeByMs: 60_000,
    giveUpMs: 3_600_000,
  }));
}

export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([one], [other]) => one < other ? -1 : 1);
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]));
}
