/**
 * The replay: what was decided is decided again, by the same `decide`, at the same instants, on the
 * schedule and the facts of then. After each row the recorded decision counts and not the new one, so
 * that one difference does not breed others. Pure and streaming.
 */

import type { SnapshotState } from "../audit/snapshot.ts";
import { decide } from "../core/decide.ts";
import type { ReadyTask } from "../core/roster.ts";
import { SHARE_MAX } from "../core/tick.ts";
import type { Cursor } from "../cursor.ts";
import type { JournalRow, Row } from "../event.ts";
import { recordedMs } from "../event.ts";
import type { Past } from "./past.ts";
import { pastOf } from "./past.ts";
import { SLACK_MS } from "./past_facts.ts";
import { checkRun, PAST_TERM, runIn } from "./past_run.ts";
import { isOfSchedule, isSameDecision, kindOf } from "./decisions.ts";
import type { Undecided } from "./undecided.ts";
import { undecidedBook } from "./undecided.ts";

export interface ReplayOptions {
  /** Rows recorded in [sinceMs, untilMs) are decided again; those before make the state. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** `null` for all. */
  readonly tasks: ReadonlySet<string> | null;
  readonly onDifference: (difference: Difference) => void;
}

/** A decision that would be another one now. */
export interface Difference {
  /** `+`: it would be published now; `-`: it would not; `~`: another difference. */
  readonly kind: "+" | "-" | "~";
  readonly task: string;
  /** When it was decided. Unix milliseconds. */
  readonly decidedMs: number;
  /** `null` where nothing was recorded. */
  readonly recorded: JournalRow | null;
  /** `null` where nothing would be done. */
  readonly now: Row | null;
}

/** How a replay went. */
export interface Replayed {
  readonly rows: number;
  readonly byTask: ReadonlyMap<string, TaskCounts>;
  readonly undecided: readonly Undecided[];
}

/** Decisions of one task. */
export interface TaskCounts {
  /** Made again. */
  compared: number;
  differences: number;
  /** Made while nothing that this build can read said what the task is. */
  unreadable: number;
  /** Publishes that people asked for: the schedule did not decide them. */
  wanted: number;
}

export interface Replay {
  /** The next row, in the order of the journal. */
  take(row: JournalRow): void;
  /** @param nowMs the end of what was read; Unix milliseconds */
  close(nowMs: number): Replayed;
  readonly past: Past;
}

/** @param seed what the rows before the first came to */
export function replayOf(options: ReplayOptions, seed: SnapshotState | null = null): Replay {
  const past = pastOf(seed);
  const undecided = undecidedBook(options);
  const byTask = new Map<string, TaskCounts>();
  // What ended just before a snapshot is not in it, and may not have been known to who decided.
  let knownFromMs = seed === null ? -Infinity : null;
  let rows = 0;

  function decideAgain(row: JournalRow, knownFromMs: number): void {
    const counts = countsOf(byTask, row.task);
    const ready = past.declared.get(row.task) ?? null;
    const cursor = past.cursors.get(row.task);
    if (ready === null || cursor === undefined) {
      counts.unreadable++;
      return;
    }
    counts.compared++;
    for (const each of differencesAt(row, { ready, cursor, past, knownFromMs })) {
      counts.differences++;
      options.onDifference(each);
    }
  }

  return {
    past,
    take(row) {
      const { task, type } = row;
      const atMs = recordedMs(row);
      knownFromMs ??= atMs + SLACK_MS;
      const isWanted = task !== "" && (options.tasks === null || options.tasks.has(task)) &&
        atMs >= Math.max(options.sinceMs, knownFromMs) && atMs < options.untilMs;
      if (isWanted) {
        rows++;
        if (isOfSchedule(row)) decideAgain(row, knownFromMs);
        else if (type === "fire.published") countsOf(byTask, task).wanted++;
      }
      undecided.before(row, past);
      past.take(row);
    },
    close(nowMs) {
      undecided.close(nowMs, past);
      return { rows, byTask, undecided: undecided.list };
    },
  };
}

interface Case {
  readonly ready: ReadyTask;
  readonly cursor: Cursor;
  readonly past: Past;
  /** What came due before is taken as it was recorded. Unix milliseconds. */
  readonly knownFromMs: number;
}

/** What would be decided otherwise at the instant of a row. */
function differencesAt(row: JournalRow, each: Case): Difference[] {
  const range = runIn(row);
  if (range !== null) {
    const { ready, cursor, knownFromMs, past: { facts, runs } } = each;
    const run = runs.get(row.task) ?? null;
    const other = checkRun(row, range, { ready, cursor, facts, run, knownFromMs });
    return other === null ? [] : [differenceOf(row, row, other.now)];
  }
  return isDecidedAgain(row, each) ? [] : insteadOf(row, each);
}

/** Whether it would be decided so; a fire may have ended just before, and that not be known yet. */
function isDecidedAgain(row: JournalRow, { ready, cursor, past: { facts } }: Case): boolean {
  const { decidedMs: nowMs } = row;
  const isSameAsOf = (endsAsOf: number) => {
    const world = facts.world(row.task, cursor, { nowMs, endsAsOf });
    const [step] = decide(ready, world, PAST_TERM, { nowMs, limit: 1 });
    return step !== undefined && isSameDecision(row, step.row);
  };
  if (isSameAsOf(facts.newest)) return true;
  return facts.ends(row.task, nowMs - SLACK_MS).toReversed()
    .some(({ number }) => isSameAsOf(number - 1));
}

/** All that would be done at the instant of a row, without what it says itself. */
function insteadOf(row: JournalRow, { ready, cursor, past: { facts } }: Case): Difference[] {
  const { decidedMs: nowMs } = row;
  const world = facts.world(row.task, cursor, { nowMs });
  const steps = decide(ready, world, PAST_TERM, { nowMs, limit: SHARE_MAX }).map((step) =>
    step.row
  );
  const place = steps.findIndex((now) => isSameDecision(row, now));
  if (place > 0) return steps.slice(0, place).map((now) => differenceOf(row, null, now));
  const own = steps.find(({ dueMs }) => dueMs === row.dueMs) ?? steps[0] ?? null;
  return [differenceOf(row, row, own)];
}

function differenceOf(
  { task, decidedMs }: JournalRow,
  recorded: JournalRow | null,
  now: Row | null,
): Difference {
  return { kind: kindOf(recorded, now), task, decidedMs, recorded, now };
}

function countsOf(byTask: Map<string, TaskCounts>, task: string): TaskCounts {
  let counts = byTask.get(task);
  if (counts === undefined) {
    counts = { compared: 0, differences: 0, unreadable: 0, wanted: 0 };
    byTask.set(task, counts);
  }
  return counts;
}
