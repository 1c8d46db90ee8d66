/**
 * The story of one due time: what became of it and why, from the rows around it. Pure, and without
 * words: `commands/why_words.ts` tells it.
 */

import { FINISH_WITHIN_MS } from "../follow/verdict.ts";
import type { Cursor } from "../cursor.ts";
import type { OpenFire } from "../open_fire.ts";
import type { JournalRow } from "../event.ts";
import { recordedMs } from "../event.ts";
import { entryOf, isWantedName } from "../fire.ts";
import type { Pause } from "../policies/mod.ts";
import type { Leadership } from "../ports.ts";
import type { Leading } from "./leading.ts";
import { leadingAt } from "./leading.ts";
import type { Declared, ScheduleThen } from "./schedule_then.ts";
import { scheduleAt } from "./schedule_then.ts";

/** A due time may be undecided for so long without a reason to worry: a leader may be changing. */
export const GRACE_MS = 10_000;

/** What was looked at about one due time of one task. Times are the server's, Unix milliseconds. */
export interface Evidence {
  readonly task: string;
  readonly dueMs: number;
  readonly nowMs: number;
  /**
   * In order: rows of the task around the due time, the row that declared it, `term.*` rows, and the
   * nearest row on either side whatever it is about.
   */
  readonly rows: readonly JournalRow[];
  /** The journal's first row; `null` for an empty one. */
  readonly first: JournalRow | null;
  /** Whether every row after the due time was read, or as many as there are until the fire ended. */
  readonly isComplete: boolean;
  readonly cursor: Cursor | null;
  /** The newest publish of it that is open. */
  readonly open: OpenFire | null;
  readonly leader: Leadership["leader"];
  /** What the configuration says now; `null` where the task is not in it, or off. */
  readonly today: Declared | null;
  /** The order that keeps this due time from being fired. */
  readonly pause?: Pause | null;
  /** The row by which the cursor stands before this due time; `null` where it was not found. */
  readonly before?: JournalRow | null;
  /** The switch by which it is off now. */
  readonly offBy: string | null;
}

export type Verdict =
  /** Nothing was due at that time by the schedule of then. */
  | "not due"
  /** Its time has not come. */
  | "to come"
  | "finished"
  /** The message left the broker for good; how the run ended is not known (yet). */
  | "acked"
  | "expired"
  | "taken"
  | "waiting"
  /** A policy holds it. */
  | "held"
  | "skipped"
  | "dropped"
  /** Its time has passed, and no row says what became of it. */
  | "undecided"
  /** The task was not in the schedule then. */
  | "off"
  /** The task came into the schedule later. */
  | "not known yet"
  /** Decided, and the rows of then are not in the journal any more. */
  | "forgotten"
  /** Decided, and its rows are further on than was read. */
  | "further on"
  /** Decided, and nothing in the journal says how. */
  | "missed";

/** What is awaited of an open fire, and what happens when it does not come. */
export interface Awaited {
  readonly what: "take" | "ack" | "finish";
  readonly untilMs: number;
  readonly then: "alarm" | "expire" | "give up" | "outcome unknown";
}

export interface Story {
  readonly verdict: Verdict;
  readonly schedule: ScheduleThen;
  readonly leading: Leading;
  /** Rows of the fire in order; where it was dropped, the row that says so. */
  readonly rows: readonly JournalRow[];
  /** Rows of fires of this due time that somebody asked for; they go by names of their own. */
  readonly wanted: readonly JournalRow[];
  /** The request of a fire that somebody asked for; `null` for others, and where it was not found. */
  readonly request: JournalRow | null;
  /** Time of its first publish; `null` where there was none. */
  readonly publishedMs: number | null;
  readonly awaited: Awaited | null;
  /** Due times before and after by the same schedule; `null` where there are none. */
  readonly beforeMs: number | null;
  readonly afterMs: number | null;
  /** By how much Redis' clock is behind what was decided; 0 where it is not. */
  readonly clockBehindMs: number;
}

/** @throws {TriggerError} never for what a configuration or a row of this build says */
export function storyOf(evidence: Evidence): Story {
  const { task, dueMs, nowMs, rows, first, leader, today, cursor } = evidence;
  const own = rows.filter((row) => row.task === task);
  const declares = isWantedName(task) ? rows.filter((row) => row.task === entryOf(task)) : own;
  const schedule = scheduleAt(declares, dueMs, today);
  const fire = own.filter((row) => isAbout(row, dueMs));
  const published = fire.find(({ type }) => type === "fire.published");
  const trigger = schedule.kind === "on" ? schedule.trigger : null;
  return {
    verdict: verdictOf(evidence, schedule, fire),
    schedule,
    leading: leadingAt(rows, dueMs, {
      // A journal that was trimmed begins with any row; only seldom with this one.
      beginning: (first === null ? cursor === null : first.type === "term.started")
        ? "first"
        : "cut",
      leader,
    }),
    rows: fire,
    wanted: rows.filter((row) =>
      row.task !== task && row.dueMs === dueMs && row.type.startsWith("fire.") &&
      entryOf(row.task) === task
    ),
    request: rows.find(({ type }) => type === "control.requested") ?? null,
    publishedMs: published === undefined ? null : recordedMs(published),
    awaited: evidence.open === null ? null : awaitedOf(evidence.open, fire, nowMs),
    beforeMs: trigger?.last(dueMs - 1) ?? null,
    afterMs: trigger?.next(dueMs) ?? null,
    clockBehindMs: Math.max(0, (cursor?.dueMs ?? nowMs) - nowMs),
  };
}

/** Whether a row of the task says something of this due time. */
function isAbout(row: JournalRow, dueMs: number): boolean {
  if (row.type !== "task.dropped") return row.type.startsWith("fire.") && row.dueMs === dueMs;
  const { fromMs, toMs } = row.detail;
  return typeof fromMs === "number" && typeof toMs === "number" && fromMs <= dueMs && dueMs <= toMs;
}

/** The types of row that settle a verdict, the strongest first. */
const BY_ROW: readonly (readonly [type: string, verdict: Verdict])[] = [
  ["fire.finished", "finished"],
  ["fire.acked", "acked"],
  ["fire.expired", "expired"],
  ["fire.skipped", "skipped"],
];

function verdictOf(
  evidence: Evidence,
  schedule: ScheduleThen,
  fire: readonly JournalRow[],
): Verdict {
  const { dueMs, nowMs, cursor, open, first, isComplete } = evidence;
  // A new attempt begins another life; what ended the one before it does not end this one.
  const last = fire.slice(Math.max(0, fire.findLastIndex(({ type }) => type === "fire.published")));
  for (const [type, verdict] of BY_ROW) if (last.some((row) => row.type === type)) return verdict;
  if (open !== null) return OPEN_VERDICT[open.state];
  // Only a due time is dropped: a range has others between.
  const isDue = isWantedName(evidence.task) || schedule.kind !== "on" ||
    schedule.trigger.last(dueMs) === dueMs;
  if (fire.length > 0 && isDue) {
    if (fire.some(({ type }) => type === "task.dropped")) return "dropped";
    if (last.some(({ type }) => type === "fire.published")) return "further on";
    return "held";
  }
  if (schedule.kind === "retired") return "off";
  if (schedule.kind === "not yet") return "not known yet";
  if (!isDue) return "not due";
  if (dueMs > nowMs) return "to come";
  if (schedule.kind === "unknown") return evidence.offBy === null ? "forgotten" : "off";
  if (cursor === null) return evidence.offBy === null ? "undecided" : "off";
  if (cursor.dueMs < dueMs) return "undecided";
  if (first === null || recordedMs(first) > dueMs) return "forgotten";
  return isComplete ? "missed" : "further on";
}

const OPEN_VERDICT = { queued: "waiting", taken: "taken", acked: "acked" } as const;

function awaitedOf(open: OpenFire, fire: readonly JournalRow[], nowMs: number): Awaited {
  if (open.state === "acked") {
    const acked = fire.findLast(({ type }) => type === "fire.acked");
    const sinceMs = acked === undefined ? open.publishedMs : recordedMs(acked);
    return { what: "finish", untilMs: sinceMs + FINISH_WITHIN_MS, then: "outcome unknown" };
  }
  if (open.state === "taken") return { what: "ack", untilMs: open.giveUpMs, then: "give up" };
  const { expiresMs, isOverdue, takeByMs, giveUpMs } = open;
  const ends: Awaited[] = [{ what: "take", untilMs: giveUpMs, then: "give up" }];
  if (expiresMs !== null) ends.push({ what: "take", untilMs: expiresMs, then: "expire" });
  if (!isOverdue && takeByMs > nowMs) ends.push({ what: "take", untilMs: takeByMs, then: "alarm" });
  return ends.reduce((one, other) => other.untilMs < one.untilMs ? other : one);
}
