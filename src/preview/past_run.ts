/**
 * Due times that a policy skipped one after the other have one row, written later. Each is decided again
 * at the instant when it must have been looked at, on what was known then.
 */

import type { GoingRun } from "../audit/standing.ts";
import { NO_POLICY } from "../audit/standing.ts";
import { decide } from "../core/decide.ts";
import type { ReadyTask } from "../core/roster.ts";
import type { SkipRun } from "../core/skip_run.ts";
import { skipRunOf } from "../core/world.ts";
import type { Cursor } from "../cursor.ts";
import { encodeCursor } from "../cursor.ts";
import type { Detail, JournalRow, Row } from "../event.ts";
import { rowOf } from "../event.ts";
import { ON_TIME_MS } from "../policies/catchup.ts";
import type { Change, PastFacts } from "./past_facts.ts";
import { SLACK_MS } from "./past_facts.ts";

/** Nothing is sent, so it does not matter whose term it is. */
export const PAST_TERM = { namespace: "beat", fence: 0 };

/** The range of a row that tells of a run; `null` for other rows. */
export function runIn(row: JournalRow): Detail<"task.dropped"> | null {
  const dropped = rowOf(row, "task.dropped");
  return dropped === null || NO_POLICY.has(dropped.detail.by) ? null : dropped.detail;
}

/** Where a run is decided again. */
export interface RunCase {
  readonly ready: ReadyTask;
  readonly cursor: Cursor;
  readonly facts: PastFacts;
  readonly run: GoingRun | null;
  /** What came due before is taken as it was recorded. Unix milliseconds. */
  readonly knownFromMs: number;
}

/**
 * Decides again what the row of a run tells.
 * @returns `null` where all of it is the same, else what would be done instead of the first that is not
 */
export function checkRun(
  row: JournalRow,
  range: Detail<"task.dropped">,
  each: RunCase,
): { readonly now: Row | null } | null {
  const { ready: { trigger, task }, cursor, run } = each;
  const { by, reason } = range;
  let beforeMs = cursor.dueMs;
  let count = 0;
  // Without the first row of it, or with another one, it is no run that goes on.
  if (run === null || run.by !== by || run.reason !== reason) return { now: firstStep(row, each) };
  const startMs = trigger.next(beforeMs);
  const changes = each.facts.changes(task.name, run.writtenMs - SLACK_MS);
  const { decidedMs } = row;
  for (let dueMs = startMs; dueMs !== null && dueMs <= range.toMs; dueMs = trigger.next(dueMs)) {
    const at = { dueMs, beforeMs, writtenMs: decidedMs, changes };
    const other = dueMs < each.knownFromMs ? null : otherThanSkip(at, { ...each, run });
    if (other !== null) return other;
    beforeMs = dueMs;
    count++;
  }
  const now = { fromMs: startMs ?? range.fromMs, toMs: beforeMs, count, by, reason };
  const isSame = now.fromMs === range.fromMs && now.toMs === range.toMs && count === range.count;
  if (isSame) return null;
  return {
    now: count === 0
      ? null
      : { type: "task.dropped", task: task.name, dueMs: now.toMs, decidedMs, detail: now },
  };
}

/** What would be decided where nothing is known of a run. */
function firstStep(row: JournalRow, { ready, cursor, facts }: RunCase): Row | null {
  const { decidedMs: nowMs } = row;
  const world = facts.world(ready.task.name, cursor, { nowMs });
  return decide(ready, world, PAST_TERM, { nowMs, limit: 1 })[0]?.row ?? null;
}

/** What would be done about a due time of a run; `null` where it is skipped as it was. */
function otherThanSkip(
  { dueMs, beforeMs, writtenMs, changes }: {
    readonly dueMs: number;
    readonly beforeMs: number;
    readonly writtenMs: number;
    readonly changes: readonly Change[];
  },
  each: RunCase & { readonly run: GoingRun },
): { readonly now: Row | null } | null {
  const { ready: { trigger, task }, facts, run } = each;
  const fromMs = Math.max(dueMs, run.writtenMs);
  const known = changes.findLast(({ atMs }) => atMs <= fromMs)?.number ??
    (changes[0]?.number ?? facts.newest + 1) - 1;
  const now = stepAt({ dueMs, beforeMs, nowMs: fromMs, asOf: known }, each);
  if (now === "skipped") return null;
  // It was looked at when it was due or a little later, and perhaps without what had just changed.
  const nextMs = task.catchUp.policy === "all" ? null : trigger.next(dueMs);
  const untilMs = Math.max(fromMs, Math.min(writtenMs, (nextMs ?? Infinity) - 1));
  const near = changes.filter(({ atMs }) => atMs >= fromMs - SLACK_MS && atMs <= untilMs);
  const heldMs = now?.type === "fire.delayed" ? now.detail.untilMs : null;
  const lateMs = [heldMs ?? fromMs, fromMs + ON_TIME_MS, fromMs + ON_TIME_MS + 1, untilMs];
  const looks = [fromMs, ...lateMs, ...near.map(({ atMs }) => atMs)]
    .filter((lookMs) => lookMs >= fromMs && lookMs <= untilMs);
  const states = new Set([known, ...near.flatMap(({ number }) => [number - 1, number])]);
  const isSkipped = looks.some((nowMs) =>
    [...states].some((asOf) => stepAt({ dueMs, beforeMs, nowMs, asOf }, each) === "skipped")
  );
  return isSkipped ? null : { now };
}

function stepAt(
  at: { dueMs: number; beforeMs: number; nowMs: number; asOf: number },
  { ready, cursor, facts, run }: RunCase & { readonly run: GoingRun },
): Row | null | "skipped" {
  const name = ready.task.name;
  const going: SkipRun = {
    base: encodeCursor(cursor),
    by: run.by,
    reason: run.reason,
    // Whether its hour is over does not matter here.
    writtenMs: at.nowMs,
    fromMs: null,
    toMs: at.beforeMs,
    count: 0,
  };
  const world = facts.world(name, cursor, at, going);
  const steps = decide(ready, world, PAST_TERM, { nowMs: at.nowMs, limit: 1 });
  const isSkipped = steps.length === 0 && skipRunOf(world, name)!.toMs >= at.dueMs;
  return isSkipped ? "skipped" : steps[0]?.row ?? null;
}
