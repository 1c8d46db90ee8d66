/**
 * Catch-up: what to do with due times that passed while nobody was looking. Pure; the missed ones are
 * counted, never looped over, so that ten years of darkness cost as much as a second.
 */

import type { CatchUp } from "../task.ts";
import type { Trigger } from "../triggers/mod.ts";

/** Under `skip`, how late a fire may be and still count as on time. Milliseconds. */
export const ON_TIME_MS = 1_000;

/** What a gap (cursor, now] amounts to. */
export interface Gap {
  /** Due times let go, all before `fires`; `null` for none. */
  readonly dropped: {
    readonly fromMs: number;
    readonly toMs: number;
    readonly count: number;
    readonly reason: string;
  } | null;
  /** Due times to send, in order. */
  readonly fires: readonly number[];
}

const LATE = "late";
const TOO_OLD = "older than the catch-up window";
const NOTHING: Gap = { dropped: null, fires: [] };

/**
 * @param options.limit the most fires to answer; the rest stays in the gap for the next question
 */
export function catchUp(
  trigger: Trigger,
  { policy, windowMs, cap }: CatchUp,
  { cursorMs, nowMs, limit }: { cursorMs: number; nowMs: number; limit: number },
): Gap {
  const firstMs = trigger.next(cursorMs);
  if (firstMs === null || firstMs > nowMs) return NOTHING;
  const lastMs = trigger.last(nowMs) ?? firstMs;
  const openMs = nowMs - (policy === "skip" ? ON_TIME_MS : windowMs);
  if (lastMs < openMs) {
    const reason = policy === "skip" ? LATE : TOO_OLD;
    return { dropped: range(trigger, cursorMs, firstMs, lastMs, reason), fires: [] };
  }
  if (policy !== "all") {
    const reason = policy === "skip" ? LATE : "superseded";
    return newestOnly(trigger, { cursorMs, firstMs, lastMs, reason });
  }
  return upToCap(trigger, { cursorMs, firstMs, lastMs, openMs, cap, limit });
}

function newestOnly(
  trigger: Trigger,
  gap: { cursorMs: number; firstMs: number; lastMs: number; reason: string },
): Gap {
  const { cursorMs, firstMs, lastMs, reason } = gap;
  if (firstMs === lastMs) return { dropped: null, fires: [lastMs] };
  const beforeMs = trigger.last(lastMs - 1) ?? firstMs;
  return { dropped: range(trigger, cursorMs, firstMs, beforeMs, reason), fires: [lastMs] };
}

function upToCap(
  trigger: Trigger,
  gap: {
    cursorMs: number;
    firstMs: number;
    lastMs: number;
    openMs: number;
    cap: number;
    limit: number;
  },
): Gap {
  const { cursorMs, firstMs, lastMs, openMs, cap, limit } = gap;
  let startMs = firstMs >= openMs ? firstMs : trigger.next(Math.ceil(openMs) - 1) ?? firstMs;
  let reason = TOO_OLD;
  const inWindow = trigger.count(startMs - 1, lastMs);
  if (inWindow > cap) {
    startMs = newestStart(trigger, { firstMs: startMs, lastMs, cap });
    reason = `more than ${cap} missed`;
  }
  const fires: number[] = [];
  for (
    let dueMs: number | null = startMs;
    dueMs !== null && dueMs <= lastMs && fires.length < limit;
    dueMs = trigger.next(dueMs)
  ) fires.push(dueMs);
  if (startMs === firstMs) return { dropped: null, fires };
  const beforeMs = trigger.last(startMs - 1) ?? firstMs;
  return { dropped: range(trigger, cursorMs, firstMs, beforeMs, reason), fires };
}

/**
 * The due time in [firstMs, lastMs] from which on `cap` are left. Found by halving: a walk would cost
 * the cap, which may be large, at each question of each task.
 */
function newestStart(
  trigger: Trigger,
  { firstMs, lastMs, cap }: { firstMs: number; lastMs: number; cap: number },
): number {
  let [beforeMs, untilMs] = [firstMs, lastMs];
  while (beforeMs < untilMs) {
    const middleMs = Math.floor((beforeMs + untilMs) / 2);
    if (trigger.count(middleMs, lastMs) > cap) beforeMs = middleMs + 1;
    else untilMs = middleMs;
  }
  return trigger.next(beforeMs) ?? lastMs;
}

function range(trigger: Trigger, cursorMs: number, fromMs: number, toMs: number, reason: string) {
  return { fromMs, toMs, count: trigger.count(cursorMs, toMs), reason };
}
