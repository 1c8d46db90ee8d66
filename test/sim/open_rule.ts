/** What may be undecided in calm: a fire that is held, what waits behind it, and a run of skips. */

import type { Books } from "./books.ts";
import { instantsOf } from "./instants.ts";
import { levelKey, whyThrottled } from "./level_rule.ts";
import { openingAt } from "./openings.ts";
import { isLastBefore } from "./policy_rule.ts";
import type { PlannedTask } from "./schedule.ts";

/** A run of skips has a row at least so often, and one more where it ends. Milliseconds. */
const RUN_MS = 3_600_000;
const SOON_MS = 5_000;

/**
 * Why the due times of a task up to `at.lastMs` should be decided; `null` where they are, or need not.
 *
 * @param at.untilMs the server's time less what a decision may take
 */
export function whyOpen(
  books: Books,
  planned: PlannedTask,
  at: { readonly lastMs: number; readonly untilMs: number },
): string | null {
  const { name, catchUp } = planned;
  const cursor = books.cursors.get(name)!;
  const wrong = whyHeld(books, planned, at.untilMs);
  if (wrong !== null) return `${name}@${cursor.dueMs} ${wrong}`;
  if (cursor.dueMs >= at.lastMs) return null;
  if (cursor.pending !== null && catchUp.policy === "all") return null;
  if (isSkipped(books, planned, at)) return null;
  return `${name}@${at.lastMs} is not decided; the cursor is at ${cursor.text}`;
}

function whyHeld(
  { fires, cursors, levels }: Books,
  planned: PlannedTask,
  untilMs: number,
): string | null {
  const { pending, dueMs } = cursors.get(planned.name)!;
  if (pending === null) return null;
  const [by, cause] = pending.by.split(":");
  if (by === "pressure") {
    const standing = levels.get(levelKey(planned.queue));
    return whyThrottled(planned, { dueMs, untilMs, standing });
  }
  if (cause === undefined) {
    return pending.notBeforeMs < untilMs
      ? `is still held by ${by}, until ${pending.notBeforeMs}`
      : null;
  }
  const endMs = fires.get(cause)?.closedMs;
  return endMs !== null && (endMs ?? 0) < untilMs - SOON_MS
    ? `still waits for ${cause}, which ended at ${endMs}`
    : null;
}

/** In the leader's memory: what a policy skips after a row that says so. */
function isSkipped(
  { last, fires, pauses, levels }: Books,
  { name, queue, rhythm, policies, catchUp }: PlannedTask,
  { lastMs, untilMs }: { readonly lastMs: number; readonly untilMs: number },
): boolean {
  const row = last.get(name);
  if (row === undefined || !["fire.skipped", "task.dropped"].includes(row.type)) return false;
  if (row.serverMs < untilMs - RUN_MS - SOON_MS) return false;
  const { by, reason } = row.detail as { by: string; reason: string };
  if (by === "pause") {
    const orders = [pauses.get(name), pauses.get("*")];
    return orders.some((each) => each && (each.skippedToMs === null || lastMs <= each.skippedToMs));
  }
  const instants = instantsOf(rhythm);
  if (by === "window" && policies?.window) {
    const { fromMs } = openingAt(policies.window, untilMs);
    return untilMs < fromMs && !isLastBefore(fromMs, { instants, dueMs: lastMs, catchUp });
  }
  if (by === "pressure") {
    const standing = levels.get(levelKey(queue));
    if (standing === undefined || standing.level !== "normal") return standing !== undefined;
    const freeMs = instants.next(standing.sinceMs + SOON_MS);
    return freeMs === null || freeMs > untilMs;
  }
  if (by !== "overlap") return false;
  const endMs = fires.get(reason.split(" ")[0]!)?.closedMs;
  // The first that is due after it has ended is published, and the run before it written.
  const nextMs = typeof endMs === "number" ? instants.next(endMs + SOON_MS) : null;
  return nextMs === null || nextMs > untilMs;
}
