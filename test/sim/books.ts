/** What one row makes of a fire and of a cursor, and what all of them make together. */

import type { Level } from "../../src/event.ts";
import { NO_POLICIES } from "../../src/task.ts";
import type { LedgerRow, Push } from "./ledger.ts";
import type { Standing } from "./level_rule.ts";
import type { Pause } from "./policy_rule.ts";
import type { PlannedTask } from "./schedule.ts";
import { GIVE_UP_MS, TAKE_BY_MS, triggerSpec } from "./schedule.ts";

/** Where a fire stands. */
export type Stand = "queued" | "taken" | "acked" | "closed";

export interface FireBook {
  stand: Stand;
  isOverdue: boolean;
  /** Deliveries beyond the first. */
  redeliveries: number;
  /** Evidence for it came after its end. */
  isLateTold: boolean;
  /** When somebody should have taken it. Unix milliseconds. */
  takeByMs: number;
  readonly push: Push;
  /** When its ack was decided; `null` before. Unix milliseconds. */
  ackedMs: number | null;
  /** The server's time when it was closed; `null` while it is open. Unix milliseconds. */
  closedMs: number | null;
}

/** A fire that is held: it waits for a time, or for what stands behind the colon of `by`. */
export interface PendingBook {
  readonly notBeforeMs: number;
  readonly by: string;
}

export interface CursorBook {
  readonly dueMs: number;
  readonly revision: string;
  readonly pending: PendingBook | null;
  /** As it stands in Redis. */
  readonly text: string;
}

/** What the surviving rows say. */
export interface Books {
  readonly fires: Map<string, FireBook>;
  readonly cursors: Map<string, CursorBook>;
  /** Orders of people given last, by task; `*` for all. */
  readonly pauses: Map<string, Pause>;
  /** Of queues that ever were under pressure, by key. */
  readonly levels: Map<string, Standing>;
  /** The last row of each task that moved its cursor. */
  readonly last: Map<string, LedgerRow>;
  readonly stepsBack: readonly StepBack[];
}

/** Redis' clock was set back. */
export interface StepBack {
  /** Time of the world. Milliseconds since the start. */
  readonly atMs: number;
  /** How far a leader's idea of its time may have come, who hears of it while it leads. Unix milliseconds. */
  readonly reachedMs: number;
}

export function emptyBooks(stepsBack: readonly StepBack[]): Books {
  return {
    fires: new Map(),
    cursors: new Map(),
    pauses: new Map(),
    levels: new Map(),
    last: new Map(),
    stepsBack,
  };
}

function cursorBook(
  dueMs: number,
  revision: string,
  pending: PendingBook | null = null,
): CursorBook {
  const held = pending === null ? "" : ` ${pending.notBeforeMs} ${pending.by}`;
  return { dueMs, revision, pending, text: `${dueMs} ${revision}${held}` };
}

/** Whether a row moves its task's cursor; then it is moved. */
export function moveCursor({ cursors, last }: Books, row: LedgerRow): boolean {
  const { type, task, dueMs } = row;
  const before = cursors.get(task);
  const next = nextCursor(row, before);
  if (next === undefined) return false;
  if (next === null) cursors.delete(task);
  else cursors.set(task, next);
  if (dueMs !== null || type === "task.retired") last.set(task, row);
  return true;
}

/** `undefined` where it stays as it is; `null` where it goes. */
function nextCursor(
  row: LedgerRow,
  before: CursorBook | undefined,
): CursorBook | null | undefined {
  const dueMs = row.dueMs!;
  switch (row.type) {
    case "task.known":
      return cursorBook(dueMs, String(row.detail.revision));
    case "task.changed":
      return changedCursor(row, before);
    case "task.retired":
      return null;
    case "task.dropped":
    case "fire.published":
    case "fire.skipped":
      return before && cursorBook(dueMs, before.revision);
    case "fire.delayed":
      return before && cursorBook(dueMs, before.revision, pendingOf(row));
    default:
      return undefined;
  }
}

/** What is held stays so where the rhythm is the same, and is asked about at once. */
function changedCursor(row: LedgerRow, before: CursorBook | undefined): CursorBook {
  const revision = String(row.detail.revision);
  const isSameRhythm = before?.revision.split(".")[0] === revision.split(".")[0];
  const pending = isSameRhythm ? before?.pending ?? null : null;
  return cursorBook(
    row.dueMs!,
    revision,
    pending && { notBeforeMs: row.decidedMs, by: pending.by },
  );
}

function pendingOf({ detail, decidedMs }: LedgerRow): PendingBook {
  const { untilMs, by, cause } = detail as { untilMs: number | null; by: string; cause?: string };
  return untilMs === null
    ? { notBeforeMs: decidedMs, by: `${by}:${cause}` }
    : { notBeforeMs: Math.max(untilMs, decidedMs + 1), by };
}

export function movePause(
  { pauses, stepsBack }: Books,
  { type, task, decidedMs, atMs }: LedgerRow,
): void {
  const name = task === "" ? "*" : task;
  if (type === "control.paused") {
    pauses.set(name, { begunMs: atMs, sinceMs: decidedMs, untilMs: null, skippedToMs: null });
  }
  if (type !== "control.resumed") return;
  const { begunMs, sinceMs } = pauses.get(name) ?? { begunMs: atMs, sinceMs: decidedMs };
  // What was due before the clock was set back was skipped by then.
  const reached = stepsBack.filter((step) => step.atMs >= begunMs && step.atMs <= atMs)
    .map(({ reachedMs }) => reachedMs);
  const skippedToMs = Math.max(decidedMs, ...reached);
  pauses.set(name, { begunMs, sinceMs, untilMs: decidedMs, skippedToMs });
}

export function moveLevel({ levels }: Books, { type, decidedMs, detail }: LedgerRow): void {
  if (type !== "level.changed") return;
  levels.set(String(detail.key), { level: detail.to as Level, sinceMs: decidedMs });
}

/** Whether the row says something of a fire that is open; then it is taken in. */
export function moveFire(
  fire: FireBook | undefined,
  { type, serverMs, decidedMs }: LedgerRow,
): boolean {
  const next = nextStand(type, fire?.stand ?? null);
  if (fire === undefined || next === null) return false;
  fire.stand = next;
  if (next === "closed") fire.closedMs ??= serverMs;
  if (type === "fire.acked") {
    fire.ackedMs = fire.takeByMs = decidedMs;
    fire.isOverdue = false;
  }
  if (type === "fire.overdue") fire.isOverdue = true;
  if (type === "fire.late_ack") fire.isLateTold = true;
  if (type === "fire.redelivered") {
    fire.isOverdue = false;
    fire.redeliveries++;
    fire.takeByMs = decidedMs + TAKE_BY_MS;
  }
  return true;
}

function nextStand(type: string, stand: Stand | null): Stand | null {
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

export function rebuilt(
  rows: readonly LedgerRow[],
  pushed: ReadonlyMap<string, readonly Push[]>,
  stepsBack: readonly StepBack[],
): Books {
  const books = emptyBooks(stepsBack);
  for (const row of rows) {
    const name = `${row.task}@${row.dueMs}`;
    movePause(books, row);
    moveLevel(books, row);
    moveCursor(books, row);
    if (row.type === "fire.published") {
      const push = pushed.get(name)?.find((each) => each.row === row);
      if (push !== undefined) books.fires.set(name, openBook(push));
    } else moveFire(books.fires.get(name), row);
  }
  return books;
}

export function openBook(push: Push): FireBook {
  const takeByMs = push.row.decidedMs + TAKE_BY_MS;
  return {
    ...{ stand: "queued", isOverdue: false, redeliveries: 0, isLateTold: false },
    ...{ takeByMs, push, ackedMs: null, closedMs: null },
  };
}

/** As it stands in Redis, its times counted from the publish; `undefined` for one that is closed. */
export function openText(fire: FireBook | undefined): string | undefined {
  if (fire === undefined || fire.stand === "closed") return undefined;
  const { stand, isOverdue, redeliveries, takeByMs, push: { row, says, list } } = fire;
  const flags = `${stand[0]}${isOverdue ? "o" : ""}`;
  const expires = says.expiresMs === null ? "" : says.expiresMs - row.decidedMs;
  const takeBy = takeByMs - row.decidedMs;
  const take = takeBy === TAKE_BY_MS ? takeBy : `${takeBy}/${TAKE_BY_MS}`;
  return [flags, redeliveries, row.fence, row.decidedMs, expires, take, GIVE_UP_MS, list].join(" ");
}

/** The list of a task's messages, by the rule of Celery's workers. */
export function listOf({ queue, priority }: PlannedTask, sep: string): string {
  const step = [0, 3, 6, 9].findLast((each) => each <= (priority ?? 0))!;
  return step === 0 ? queue : `${queue}${sep}${step}`;
}

/** What Beat writes of a task, so that its revision can be told from others. */
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
    importance: planned.importance ?? "critical",
    catchUp: planned.catchUp,
    policies: planned.policies ?? NO_POLICIES,
    takeByMs: TAKE_BY_MS,
    giveUpMs: GIVE_UP_MS,
  }));
}

export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([one], [other]) => one < other ? -1 : 1);
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]));
}
