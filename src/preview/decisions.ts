/** Rows that say what was decided about a due time, and whether two of them say the same. */

import { DECIDES } from "../audit/standing.ts";
import { attemptOf } from "../event.ts";
import type { JournalRow } from "../event.ts";
import { TASK_NAME } from "../fire.ts";
import { canonicalJson } from "../task.ts";

/** Whether it decides a due time, or holds its fire. */
export function isDecision({ type }: { readonly type: string }): boolean {
  return DECIDES.has(type) || type === "fire.delayed";
}

/** Whether the schedule has decided it, and no person and no change of the schedule. */
export function isOfSchedule(row: Pick<JournalRow, "type" | "task" | "detail">): boolean {
  return isDecision(row) && TASK_NAME.test(row.task) && row.detail.by !== "schedule" &&
    attemptOf(row) === 0;
}

/** As much of a row as a decision is. */
export interface Decided {
  readonly type: string;
  readonly dueMs: number | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Facts stand beside a decision; what they came to is the decision. */
const SAYS: Readonly<Record<string, readonly string[]>> = {
  "fire.published": ["notBeforeMs", "notes"],
  "fire.delayed": ["untilMs", "cause", "by", "reason"],
  "fire.skipped": ["by", "reason"],
  "task.dropped": ["fromMs", "toMs", "count", "by", "reason"],
};

export function isSameDecision(one: Decided, other: Decided): boolean {
  if (one.type !== other.type || one.dueMs !== other.dueMs) return false;
  return (SAYS[one.type] ?? []).every((name) => isEqual(one.detail[name], other.detail[name]));
}

/** `+`: published now and not then; `-`: then and not now; `~`: both or neither. */
export function kindOf(then: Typed | null, now: Typed | null): "+" | "-" | "~" {
  const wasOut = then?.type === "fire.published";
  const isOut = now?.type === "fire.published";
  return wasOut === isOut ? "~" : isOut ? "+" : "-";
}

type Typed = Pick<Decided, "type">;

function isEqual(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  return typeof one === "object" && typeof other === "object" &&
    canonicalJson(one) === canonicalJson(other);
}
