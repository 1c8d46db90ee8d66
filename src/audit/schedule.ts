/**
 * The schedule as it was at the time, from the rows that declare, change and retire tasks, and which of
 * its due times have a decision. Due times are counted where they need not be named.
 */

import type { JournalRow } from "../event.ts";
import { rowOf } from "../event.ts";
import type { TriggerSpec } from "../task.ts";
import { digestOf, hasSameTrigger } from "../task.ts";
import type { Trigger } from "../triggers/mod.ts";
import { triggerOf } from "../triggers/mod.ts";

/** Due times of one trigger in (afterMs, untilMs]. Unix milliseconds. */
export interface Stretch {
  readonly afterMs: number;
  readonly untilMs: number;
  readonly trigger: Trigger;
}

/** What a definition says of a published fire's deadlines; milliseconds after the publish. */
export interface Deadlines {
  readonly takeByMs: number | null;
  readonly giveUpMs: number | null;
  readonly expiresMs: number | null;
}

/** One task, as far as its rows tell. */
export interface Plan {
  readonly task: string;
  isRetired: boolean;
  /** Of the declaration in force. */
  revision: string;
  definition: Readonly<Record<string, unknown>>;
  /** `null` where its definition cannot be read. */
  trigger: Trigger | null;
  deadlines: Deadlines;
  /** The last decided due time, or where the declaration began; when it was retired, if it was. */
  cursorMs: number;
  /** The next due time after the cursor. */
  nextMs: number | null;
  /** A policy holds this due time: later ones wait behind it. */
  heldMs: number | null;
  /** The last due time that was held, and when it was let go. No fire is late for it. */
  hold: Hold | null;
  /** When a policy's last skip was recorded, which may go on without rows for a while; else `null`. */
  skippedMs: number | null;
  /** Where the trigger in force began. */
  sinceMs: number;
  /** Triggers of before, oldest first. */
  readonly eras: Stretch[];
  /** Due times without a decision. */
  readonly holes: Stretch[];
}

/** A due time that a policy held. Unix milliseconds. */
export interface Hold {
  readonly dueMs: number;
  /** Until when; `null` where it waited for something else to be over, which no row of it dates. */
  readonly untilMs: number | null;
  /** `null` while it is held, and where a newer due time took its place. */
  readonly freedMs: number | null;
}

/** How a decided due time stands to what was decided before. */
export type Place =
  /** It is the next one. */
  | "next"
  /** Others before it have no decision. */
  | "gap"
  /** It fills a gap, out of order. */
  | "filled"
  /** It is decided already. */
  | "again"
  /** The schedule has no such due time. */
  | "never"
  /** Nothing can be said: the definition cannot be read. */
  | "unknown";

/** Past triggers and gaps of a task that are kept; beyond that the oldest are forgotten. */
const KEPT_MAX = 1_000;

/** What a declaring row did. */
export interface Declared {
  /** Due times of the old trigger that it lets go. */
  readonly letGo: Stretch | null;
  /** What is wrong with it, or `null`. */
  readonly problem: string | null;
}

/** Takes a `task.known` or `task.changed` row. @param plan `null` for a task not seen before */
export function declare(
  plan: Plan | null,
  row: JournalRow,
  isAfterLoss: boolean,
): { plan: Plan | null; declared: Declared } {
  const known = rowOf(row, "task.known") ?? rowOf(row, "task.changed");
  if (known === null || row.dueMs === null) return refuse(plan, "its fields cannot be read");
  const { revision, definition } = known.detail;
  const trigger = triggerIn(definition);
  const own = {
    ...{ revision, definition, trigger },
    ...{ deadlines: deadlinesIn(definition), isRetired: false },
  };
  let problem = trigger === null || digestOf(definition.trigger) !== revision.split(".")[0]
    ? "its definition does not fit its revision"
    : null;
  if (plan === null) {
    if (row.type === "task.changed") problem = "the task was not declared before";
    return { plan: newPlan(row.task, own, row.dueMs), declared: { letGo: null, problem } };
  }
  const wasOn = !plan.isRetired;
  const keepsRhythm = row.type === "task.changed" && hasSameTrigger(plan.revision, revision);
  if (keepsRhythm && plan.heldMs !== null && plan.heldMs === row.dueMs) {
    Object.assign(plan, own);
    return { plan, declared: { letGo: null, problem } };
  }
  if (row.type === "task.known" && wasOn && !isAfterLoss) problem = "the task was declared already";
  if (row.type === "task.changed") {
    if (!wasOn) problem = "the task was not declared before";
    else if (revision === plan.revision) problem = "it changes nothing";
  }
  // The leader kept its cursor: what was decided up to there has rows, or they are gone.
  if (wasOn && row.dueMs < plan.cursorMs) return refuse(plan, "the cursor goes back");
  let letGo: Stretch | null = null;
  if (wasOn && plan.trigger !== null && row.dueMs > plan.cursorMs) {
    const passed = { afterMs: plan.cursorMs, untilMs: row.dueMs, trigger: plan.trigger };
    const isExplained = !keepsRhythm && (row.type === "task.changed" || isAfterLoss);
    if (isExplained) letGo = passed;
    else addHole(plan, passed);
  }
  if (!keepsRhythm) beginEra(plan, row.dueMs);
  Object.assign(plan, own);
  moveTo(plan, row.dueMs);
  return { plan, declared: { letGo, problem } };
}

/** Takes a `task.retired` row. @param atMs when it was recorded; Unix milliseconds */
export function retire(plan: Plan | null, atMs: number): Declared {
  if (plan === null || plan.isRetired) {
    return { letGo: null, problem: "the task was not declared before" };
  }
  const { trigger, cursorMs } = plan;
  plan.isRetired = true;
  plan.heldMs = null;
  plan.hold = null;
  plan.cursorMs = Math.max(cursorMs, atMs);
  if (trigger === null || atMs <= cursorMs) return { letGo: null, problem: null };
  return { letGo: { afterMs: cursorMs, untilMs: atMs, trigger }, problem: null };
}

/** Takes the decision of one due time. */
export function place(plan: Plan, dueMs: number): Place {
  if (plan.trigger === null) return "unknown";
  if (dueMs === plan.nextMs && !plan.isRetired) {
    moveTo(plan, dueMs);
    return "next";
  }
  if (dueMs > plan.cursorMs) {
    if (plan.isRetired || !isIn(plan.trigger, dueMs)) return "never";
    addHole(plan, { afterMs: plan.cursorMs, untilMs: dueMs - 1, trigger: plan.trigger });
    moveTo(plan, dueMs);
    return "gap";
  }
  if (fill(plan, dueMs, dueMs)) return "filled";
  return wasDue(plan, dueMs) ? "again" : "never";
}

/**
 * Takes the decision of a range of due times.
 * @returns how many due times it decides, by which trigger, and how it stands to what was decided before
 */
export function placeRange(
  plan: Plan,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): { place: Place; count: number; trigger: Trigger | null } {
  const { trigger, cursorMs } = plan;
  if (trigger === null) return { place: "unknown", count: 0, trigger };
  if (toMs <= cursorMs) {
    const hole = plan.holes.find(({ afterMs, untilMs }) => afterMs < fromMs && toMs <= untilMs);
    const then = hole?.trigger ?? trigger;
    const count = then.count(fromMs - 1, toMs);
    const isFilled = fill(plan, fromMs, toMs);
    const isAgain = wasDue(plan, fromMs) && wasDue(plan, toMs);
    return { place: isFilled ? "filled" : isAgain ? "again" : "never", count, trigger: then };
  }
  if (plan.isRetired || !isIn(trigger, fromMs) || !isIn(trigger, toMs)) {
    return { place: "never", count: 0, trigger };
  }
  if (fromMs <= cursorMs) return { place: "again", count: 0, trigger };
  const isNext = fromMs === plan.nextMs;
  if (!isNext) addHole(plan, { afterMs: cursorMs, untilMs: fromMs - 1, trigger });
  moveTo(plan, toMs);
  return { place: isNext ? "next" : "gap", count: trigger.count(fromMs - 1, toMs), trigger };
}

/** Whether a due time has come and has a decision. */
export function isDecided(plan: Plan, dueMs: number): boolean {
  return dueMs <= plan.cursorMs && wasDue(plan, dueMs) &&
    !plan.holes.some(({ afterMs, untilMs }) => afterMs < dueMs && dueMs <= untilMs);
}

/** Due times of a stretch that lie in [sinceMs, untilMs). */
export function countIn(
  { afterMs, untilMs, trigger }: Stretch,
  window: { readonly sinceMs: number; readonly untilMs: number },
): number {
  const fromMs = Math.max(afterMs, window.sinceMs - 1);
  const toMs = Math.min(untilMs, window.untilMs - 1);
  // Where nothing is looked for, the window is at no time that a trigger knows.
  return fromMs < toMs ? trigger.count(fromMs, toMs) : 0;
}

function newPlan(
  task: string,
  own: Pick<Plan, "revision" | "definition" | "trigger" | "deadlines" | "isRetired">,
  cursorMs: number,
): Plan {
  const plan = { task, ...own, cursorMs, sinceMs: cursorMs, eras: [], holes: [] };
  const nextMs = own.trigger?.next(cursorMs) ?? null;
  return { ...plan, nextMs, heldMs: null, hold: null, skippedMs: null };
}

function refuse(plan: Plan | null, problem: string): { plan: Plan | null; declared: Declared } {
  return { plan, declared: { letGo: null, problem } };
}

function moveTo(plan: Plan, dueMs: number): void {
  plan.cursorMs = dueMs;
  plan.nextMs = plan.trigger?.next(dueMs) ?? null;
  plan.heldMs = null;
  plan.skippedMs = null;
}

function beginEra(plan: Plan, atMs: number): void {
  const { sinceMs, cursorMs, trigger } = plan;
  if (trigger !== null) plan.eras.push({ afterMs: sinceMs, untilMs: cursorMs, trigger });
  if (plan.eras.length > KEPT_MAX) plan.eras.shift();
  plan.sinceMs = atMs;
}

function wasDue(plan: Plan, dueMs: number): boolean {
  if (dueMs > plan.sinceMs) return plan.trigger !== null && isIn(plan.trigger, dueMs);
  const era = plan.eras.find(({ afterMs, untilMs }) => afterMs < dueMs && dueMs <= untilMs);
  return era !== undefined && isIn(era.trigger, dueMs);
}

function isIn(trigger: Trigger, dueMs: number): boolean {
  return trigger.last(dueMs) === dueMs;
}

function addHole(plan: Plan, hole: Stretch): void {
  if (hole.trigger.count(hole.afterMs, hole.untilMs) === 0) return;
  plan.holes.push(hole);
}

/** Takes due times out of a gap. @returns false where no gap holds them */
function fill(plan: Plan, fromMs: number, toMs: number): boolean {
  const index = plan.holes.findIndex(({ afterMs, untilMs, trigger }) =>
    afterMs < fromMs && toMs <= untilMs && isIn(trigger, fromMs) && isIn(trigger, toMs)
  );
  if (index < 0) return false;
  const hole = plan.holes[index]!;
  const rest = [{ ...hole, untilMs: fromMs - 1 }, { ...hole, afterMs: toMs }]
    .filter(({ trigger, afterMs, untilMs }) => trigger.count(afterMs, untilMs) > 0);
  plan.holes.splice(index, 1, ...rest);
  return true;
}

/** What a definition calls a trigger; `null` where this build cannot read it. */
export function triggerIn(definition: Readonly<Record<string, unknown>>): Trigger | null {
  try {
    // An unknown kind gives nothing; a field that is missing is thrown at.
    return triggerOf(definition.trigger as TriggerSpec) ?? null;
  } catch {
    return null;
  }
}

/** What a definition says of deadlines. */
export function deadlinesIn(definition: Readonly<Record<string, unknown>>): Deadlines {
  const numberAt = (name: string) => {
    const value = definition[name];
    return typeof value === "number" ? value : null;
  };
  return {
    takeByMs: numberAt("takeByMs"),
    giveUpMs: numberAt("giveUpMs"),
    expiresMs: numberAt("expiresMs"),
  };
}
