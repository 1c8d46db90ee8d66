/** Levels of queues: how they may move, and what they do to fires, worked out without Beat's. */

import type { Level } from "../../src/event.ts";
import type { QueueMarks } from "../../src/level.ts";
import { NO_POLICIES } from "../../src/task.ts";
import type { Instants } from "./instants.ts";
import type { LedgerRow } from "./ledger.ts";
import { openingAt } from "./openings.ts";
import type { PlannedTask } from "./schedule.ts";

/** Where a queue stands, and since when; Unix milliseconds. */
export interface Standing {
  readonly level: Level;
  readonly sinceMs: number;
}

/** Simulated queues are short: a worker that does nothing for a while is enough. */
export const MARKS: QueueMarks = {
  depth: { low: 0, high: 2, pause: 5 },
  waitMs: { low: 1_000, high: 4_000, pause: 15_000 },
  dwellMs: 5_000,
};

/** A fire that waits is asked about again within this. Milliseconds. */
const AGAIN_MS = 10_000;
/** How far a leader's idea of the time may differ between a look and its row. Milliseconds. */
const CLOCK_ERROR_MS = 2_000;
/** Due times are counted from here. */
const COUNT_FROM_MS = Date.UTC(2020, 0, 1);

export function levelKey(queue: string): string {
  return `queue:${queue}`;
}

const NEXT: Readonly<Record<Level, readonly Level[]>> = {
  normal: ["slowed", "paused"],
  slowed: ["normal", "paused"],
  paused: ["slowed"],
};

/** Why a level must not change so; `null` where it may. @param before how it stood; `undefined`: never changed */
export function wrongLevel(
  { detail, decidedMs }: LedgerRow,
  before: Standing | undefined,
): string | null {
  const { from, to } = detail as { from: Level; to: Level };
  const level = before?.level ?? "normal";
  if (from !== level) return `it was ${level}, not ${from}`;
  if (!NEXT[from].includes(to)) return `${from} is not followed by ${to}`;
  if (before === undefined) return null;
  const lastedMs = Math.abs(decidedMs - before.sinceMs);
  return lastedMs < MARKS.dwellMs - CLOCK_ERROR_MS ? `it lasted for ${lastedMs} ms only` : null;
}

export interface ThrottleCase {
  readonly instants: Instants;
  readonly dueMs: number;
  readonly decidedMs: number;
  readonly level: Level;
  /** Whether an earlier fire of the task is open. */
  readonly isRunning: boolean;
}

/** What its queue's level does to a fire; `null` where its place cannot be counted. */
export function throttled(
  planned: PlannedTask,
  { instants, dueMs, decidedMs, level, isRunning }: ThrottleCase,
): "pass" | "skip" | "wait" | null {
  const { policies: { pressure } = NO_POLICIES, importance = "critical" } = planned;
  if (pressure?.mode !== "enforce" || level === "normal" || importance === "critical") {
    return "pass";
  }
  if (importance === "deferrable") {
    return decidedMs - freeMs(planned, dueMs) >= holdMaxOf(planned) ? "pass" : "wait";
  }
  const isLast = instants.next(dueMs) === null;
  const place = isLast ? 0 : instants.count(Math.min(COUNT_FROM_MS, dueMs - 1), dueMs);
  if (place === null) return null;
  if (place % pressure.slowTo !== 0) return "skip";
  return level === "paused" && isRunning ? "skip" : "pass";
}

/** Whether a fire that goes out says what its queue's level would have done; `null` where that is not sure. */
export function isNoted(planned: PlannedTask, fire: ThrottleCase): boolean | null {
  const { policies = NO_POLICIES, importance = "critical" } = planned;
  const { pressure } = policies;
  if (pressure === null || importance === "critical" || fire.level === "normal") return false;
  if (importance === "deferrable") return true;
  if (pressure.mode === "enforce") return false;
  if (fire.level === "paused") return null;
  const enforced = { ...policies, pressure: { ...pressure, mode: "enforce" as const } };
  const verdict = throttled({ ...planned, policies: enforced }, fire);
  return verdict === null ? null : verdict === "skip";
}

/** Why a fire must not be held by a level any more at `untilMs`; `null` where it may. */
export function whyThrottled(
  planned: PlannedTask,
  { dueMs, untilMs, standing }: {
    readonly dueMs: number;
    readonly untilMs: number;
    readonly standing: Standing | undefined;
  },
): string | null {
  const heldMs = untilMs - freeMs(planned, dueMs) - holdMaxOf(planned);
  if (heldMs > AGAIN_MS) return `is held ${heldMs} ms longer than it may be`;
  const freedMs = standing === undefined || standing.level !== "normal" ? null : standing.sinceMs;
  return freedMs !== null && freedMs + 2 * AGAIN_MS < untilMs
    ? `is still held, and its queue is normal since ${freedMs}`
    : null;
}

/** When a fire could have gone out. */
function freeMs({ policies }: PlannedTask, dueMs: number): number {
  const opensMs = policies?.window ? openingAt(policies.window, dueMs).fromMs : dueMs;
  return Math.max(dueMs, opensMs);
}

function holdMaxOf({ policies = NO_POLICIES }: PlannedTask): number {
  return policies.maxHoldMs;
}
