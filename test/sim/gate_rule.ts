/** Rows about fires that policies held, skipped or let pass, against what the policies say. */

import { NO_POLICIES } from "../../src/task.ts";
import type { Books } from "./books.ts";
import type { Instants } from "./instants.ts";
import type { LedgerRow } from "./ledger.ts";
import { isNoted, levelKey } from "./level_rule.ts";
import type { Case, Pause, Ruling } from "./policy_rule.ts";
import { openingAt } from "./openings.ts";
import { isLastBefore, rulingOn } from "./policy_rule.ts";
import type { PlannedTask } from "./schedule.ts";
import type { Store } from "./watcher.ts";
import { fieldsOf } from "./redis_values.ts";

export interface GateCase {
  readonly planned: PlannedTask;
  readonly instants: Instants;
  readonly books: Books;
  readonly store: Store;
  readonly namespace: string;
  /** Of an earlier fire that is open now: it had been closed, before a rollback opened it again. */
  isReopened(fire: string): boolean;
  /** Rows were lost since the term of the row began: its leader may not know yet. */
  readonly isBehind: boolean;
  /** How long a leader may not know that a fire has ended although its row stands. Milliseconds. */
  readonly behindMs: number;
}

/**
 * How far a leader may think that Redis' clock is ahead of where it is, over a slow link: what it skipped
 * by then was due after an order that is dated by a better reading. Milliseconds.
 */
const CLOCK_ERROR_MS = 1_500;

/** Who pauses here says no more. */
const PAUSED = "paused by ops";

/** Why a row must not say what it says; `null` where it may. Its fire is due, and is the next one. */
export function wrongRuling(row: LedgerRow, parts: GateCase): string | null {
  const { planned } = parts;
  const running = runningOf(row, parts);
  const asked = caseOf(row, parts, running);
  const ruling = rulingOn(planned, asked);
  const said = saidBy(row);
  if (ruling === null) return null;
  if (isSame(ruling, said)) return parts.isBehind ? null : wrongWords(row, parts, asked, running);
  if (parts.isBehind && said.kind !== "hold") return null;
  // An earlier fire may have ended while the row was under way.
  const isFree = ruling.kind === "pass" || ruling.by === "pressure";
  if (said.kind !== "pass" && said.by === "overlap" && isFree && hasJustEnded(row, parts)) {
    return null;
  }
  if (isForRunning(row) && ruling.kind === "pass" && hasAnyJustEnded(row, parts)) return null;
  // Before a rollback it had ended, and only who comes next will know better.
  if (ruling.kind !== "pass" && ruling.by === "overlap" && running.every(parts.isReopened)) {
    return null;
  }
  return `the row says ${JSON.stringify(said)}, its policies ${JSON.stringify(ruling)}`;
}

function caseOf(
  row: LedgerRow,
  { planned, instants, books }: GateCase,
  running: readonly string[],
): Case {
  return {
    task: row.task,
    instants,
    dueMs: row.dueMs!,
    decidedMs: row.decidedMs,
    pauses: pausesOf(books, row.task),
    isRunning: running.length > 0,
    level: books.levels.get(levelKey(planned.queue))?.level ?? "normal",
  };
}

/** What a row says beside what it decides. */
function wrongWords(
  row: LedgerRow,
  parts: GateCase,
  asked: Case,
  running: readonly string[],
): string | null {
  const { type, detail: { by, cause, reason, facts, notes } } = row;
  if (type === "fire.published") {
    const isRight = isNoted(parts.planned, asked);
    return isRight === null || isRight === (notes !== undefined)
      ? null
      : `it notes ${JSON.stringify(notes)} at level ${asked.level}`;
  }
  switch (by) {
    case "pause":
      return reason === PAUSED ? null : `it says "${reason}"`;
    case "overlap": {
      const named = cause ?? String(reason).split(" ")[0];
      const isOther = named !== running[0] && !hasJustEnded(row, parts);
      return isOther ? `it names ${named}, and ${running[0]} runs` : null;
    }
    case "pressure": {
      const { level } = facts as { level: string };
      return level === asked.level ? null : `it names the level ${level}, and it is ${asked.level}`;
    }
    default:
      return null;
  }
}

/** Why a fire that a person wants must not note what it notes of its task's policies; `null` where it may. */
export function wrongNote(row: LedgerRow, parts: GateCase): string | null {
  const { policies = NO_POLICIES } = parts.planned;
  const planned = { ...parts.planned, policies: { ...policies, jitter: null } };
  const ruling = rulingOn(planned, caseOf(row, parts, runningOf(row, parts)));
  if (ruling === null || parts.isBehind) return null;
  const [by, ...others] = Object.keys(row.detail.notes ?? {});
  const right = ruling.kind === "pass" ? undefined : ruling.by;
  const isAboutRuns = [by, right].some((name) => name === "overlap" || name === "pressure");
  if (isAboutRuns && hasAnyJustMoved(row, parts)) return null;
  return by === right && others.length === 0 ? null : `it notes ${by}, and ${right} objects`;
}

/** Due times that a policy skipped after one that has a row of its own. */
export function wrongRun(
  row: LedgerRow,
  { books, isBehind, behindMs, planned, instants }: GateCase,
): string | null {
  const { fromMs, toMs, by, reason } = row.detail as {
    fromMs: number;
    toMs: number;
    by: string;
    reason: string;
  };
  const before = books.last.get(row.task);
  const isRun = before !== undefined && before.detail.by === by && before.detail.reason === reason;
  if (!isRun || !["fire.skipped", "task.dropped"].includes(before.type)) {
    return `${by} dropped [${fromMs}, ${toMs}] without a skip before it`;
  }
  if (isBehind) return null;
  if (by === "pause") {
    const keeps = ({ skippedToMs }: Pause) =>
      skippedToMs === null || toMs <= skippedToMs + CLOCK_ERROR_MS;
    return pausesOf(books, row.task).some(keeps) ? null : `no pause lasted until ${toMs}`;
  }
  const { policies, catchUp } = planned;
  if (by === "window" && policies?.window) {
    // The last of them, asked about in the closed span that it came due in or was left over to.
    const { fromMs, endMs } = openingAt(policies.window, toMs);
    const opensMs = toMs < fromMs ? fromMs : openingAt(policies.window, endMs).fromMs;
    const isLast = isLastBefore(opensMs, { instants, dueMs: toMs, catchUp });
    return isLast ? `${toMs} is the last before the window opens` : null;
  }
  if (by === "pressure") return null;
  if (by !== "overlap") return `${by} drops nothing`;
  const endMs = books.fires.get(reason.split(" ")[0]!)?.closedMs;
  if (endMs === undefined) return `it dropped [${fromMs}, ${toMs}] for an unknown fire: ${reason}`;
  return endMs !== null && endMs + behindMs < toMs ? `${reason}, but it had, at ${endMs}` : null;
}

function pausesOf({ pauses }: Books, task: string): Pause[] {
  return [pauses.get(task), pauses.get("*")].filter((each) => each !== undefined);
}

/** Keys of earlier fires of the task that are open, the oldest first. */
function runningOf({ task, dueMs }: LedgerRow, { planned, store, namespace }: GateCase): string[] {
  const { overlap, pressure } = planned.policies ?? NO_POLICIES;
  if (overlap === "allow" && pressure === null) return [];
  const start = `${task}@`;
  const dues = [...fieldsOf(store.keys, `${namespace}:open`).keys()].filter((key) =>
    key.startsWith(start)
  )
    .map((key) => Number(key.slice(start.length))).filter((due) => due < dueMs!);
  return dues.sort((one, other) => one - other).map((due) => `${start}${due}`);
}

function saidBy({ type, detail }: LedgerRow): Ruling {
  const { by, untilMs } = detail as { by: string; untilMs: number | null };
  if (type === "fire.published") return { kind: "pass" };
  if (type === "fire.skipped") return { kind: "skip", by: by as "pause" };
  return untilMs === null
    ? { kind: "wait", by: by as "overlap" }
    : { kind: "hold", by: by as "window", untilMs };
}

interface Said {
  readonly kind: string;
  readonly by?: string;
  readonly untilMs?: number;
}

function isSame(one: Said, other: Said): boolean {
  return one.kind === other.kind && one.by === other.by && one.untilMs === other.untilMs;
}

/** Skipped by a paused queue, where one message of a task is enough. */
function isForRunning({ type, detail: { by, reason } }: LedgerRow): boolean {
  return type === "fire.skipped" && by === "pressure" && String(reason).endsWith("is on its way");
}

/** Who takes up requests does so beside the ticks: a fire that went out right before may be news to it. */
function hasAnyJustMoved(row: LedgerRow, parts: GateCase): boolean {
  const sinceMs = row.serverMs - parts.behindMs;
  const isNew = [...parts.books.fires.values()].some(({ push }) =>
    push.row.task === row.task && push.row.serverMs > sinceMs
  );
  return isNew || hasAnyJustEnded(row, parts);
}

function hasAnyJustEnded({ task, serverMs }: LedgerRow, { books, behindMs }: GateCase): boolean {
  const start = `${task}@`;
  for (const [name, { closedMs }] of books.fires) {
    if (closedMs !== null && closedMs + behindMs > serverMs && name.startsWith(start)) return true;
  }
  return false;
}

function hasJustEnded(
  { task, detail, serverMs }: LedgerRow,
  { books, behindMs }: GateCase,
): boolean {
  const named = String(detail.cause ?? detail.reason).split(" ")[0]!;
  const endMs = books.fires.get(named)?.closedMs;
  return named.startsWith(`${task}@`) && typeof endMs === "number" && endMs + behindMs > serverMs;
}
