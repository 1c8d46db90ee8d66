/** Whether two rows say the same decision. */

import type { Row } from "../event.ts";
import { canonicalJson } from "../task.ts";

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
export function kindOf(recorded: Decided | null, now: Decided | Row | null): "+" | "-" | "~" {
  const wasOut = recorded?.type === "fire.published";
  const isOut = now?.type === "fire.published";
  return wasOut === isOut ? "~" : isOut ? "+" : "-";
}

function isEqual(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  return typeof one === "object" && typeof other === "object" &&
    canonicalJson(one) === canonicalJson(other);
}
