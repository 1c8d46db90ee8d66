/** What the newest rows of the journal say of each task: how long fires waited and ran, how they ended. */

import type { JournalRow } from "../event.ts";
import { OUTCOMES, recordedMs } from "../event.ts";
import { DECIDES, NO_POLICY } from "./standing.ts";

/** Of one task, over the rows that were read. Spans in milliseconds. */
export interface TaskRecent {
  published: number;
  expired: number;
  /** Due times let go, but for those that were meant to be left out. */
  dropped: number;
  overdue: number;
  redelivered: number;
  lost: number;
  /** Runs whose outcome is known. */
  ended: number;
  /** From publish to the first sign of a worker, or to expiry. */
  readonly waits: number[];
  readonly runtimes: number[];
  /** From the first sign of the worker that acked it to the ack: about as long as Celery counts it as reserved. */
  readonly holds: number[];
  /** The newest due time that was decided, and the newest thing known of it. */
  lastDueMs: number | null;
  lastState: string | null;
}

export interface Recent {
  /** Takes rows from the newest back. */
  take(row: JournalRow): void;
  readonly tasks: ReadonlyMap<string, TaskRecent>;
  /** When a fire of a task was last taken or acked. Unix milliseconds. */
  readonly takenMs: ReadonlyMap<string, number>;
  readonly rows: number;
  /** Server time of the oldest row read; `null` for none. */
  readonly sinceMs: number | null;
}

export function recentOf(): Recent {
  const tasks = new Map<string, TaskRecent>();
  const takenMs = new Map<string, number>();
  /** By fire, the earliest sign that it left its queue. */
  const left = new Map<string, number>();
  /** By fire. */
  const acked = new Map<string, number>();
  /** By fire, the newest state. */
  const states = new Map<string, string>();
  let rows = 0;
  let sinceMs: number | null = null;
  return {
    tasks,
    takenMs,
    get rows() {
      return rows;
    },
    get sinceMs() {
      return sinceMs;
    },
    take(row) {
      rows++;
      sinceMs = recordedMs(row);
      if (row.task === "" || row.dueMs === null) return;
      let task = tasks.get(row.task);
      if (task === undefined) tasks.set(row.task, task = newTask());
      const fire = `${row.task}@${row.dueMs}`;
      if (row.type === "fire.taken" || row.type === "fire.acked") {
        if (!takenMs.has(row.task)) takenMs.set(row.task, recordedMs(row));
      }
      if (LEAVES.has(row.type)) left.set(fire, recordedMs(row));
      if (row.type === "fire.acked") acked.set(fire, recordedMs(row));
      // What took it before has not acked it.
      if (row.type === "fire.redelivered") acked.delete(fire);
      const ackedMs = acked.get(fire);
      if (row.type === "fire.taken" && ackedMs !== undefined) {
        task.holds.push(ackedMs - recordedMs(row));
      }
      const state = stateOf(row);
      if (state !== null && !hasSaidMore(states.get(fire), state)) states.set(fire, state);
      count(task, row, left.get(fire) ?? null);
      if (task.lastDueMs === null && DECIDES.has(row.type)) {
        task.lastDueMs = row.dueMs;
        task.lastState = states.get(fire) ?? null;
      }
      if (row.type === "fire.published") {
        left.delete(fire);
        acked.delete(fire);
        states.delete(fire);
      }
    },
  };
}

const LEAVES: ReadonlySet<string> = new Set(["fire.taken", "fire.acked", "fire.expired"]);

function newTask(): TaskRecent {
  return {
    ...{ published: 0, expired: 0, dropped: 0, overdue: 0, redelivered: 0, lost: 0, ended: 0 },
    ...{ waits: [], runtimes: [], holds: [], lastDueMs: null, lastState: null },
  };
}

function count(task: TaskRecent, row: JournalRow, leftMs: number | null): void {
  const { outcome, runtimeMs, count, by } = row.detail;
  switch (row.type) {
    case "fire.published":
      task.published++;
      if (leftMs !== null) task.waits.push(leftMs - recordedMs(row));
      break;
    case "fire.expired":
      task.expired++;
      break;
    case "fire.overdue":
      task.overdue++;
      break;
    case "fire.redelivered":
      task.redelivered++;
      break;
    case "task.dropped":
      if (!MEANT.has(by)) task.dropped += typeof count === "number" ? count : 1;
      break;
    case "fire.finished":
      if (outcome === "lost") task.lost++;
      if (outcome !== "unknown") task.ended++;
      if (typeof runtimeMs === "number") task.runtimes.push(runtimeMs);
  }
}

/** Policies by which a due time is left out on purpose, however many there are. */
const MEANT: ReadonlySet<unknown> = new Set(["session", "window", "pause"]);

/** A range is of what catch-up let go, or of skips in a row. */
export function rangeState({ detail: { by } }: JournalRow): "dropped" | "skipped" {
  return by === undefined || NO_POLICY.has(by) ? "dropped" : "skipped";
}

function stateOf(row: JournalRow): string | null {
  const { type, detail } = row;
  if (type === "task.dropped") return rangeState(row);
  if (type === "fire.finished") return String(detail.outcome);
  return type.startsWith("fire.") && type !== "fire.late_ack" ? type.slice("fire.".length) : null;
}

/** Rows come newest first; an ack says less than the outcome that comes with it. */
function hasSaidMore(newer: string | undefined, state: string): boolean {
  return newer !== undefined && !(newer === "acked" && OUTCOMES.has(state));
}

/** The value that `share` of the values are at or below; `null` for none. */
export function quantile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}
