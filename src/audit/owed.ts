/**
 * What a backfill may send: the due times of one task in a range, by the schedule as it was, and what
 * became of each, under whatever name it was published. Pure and streaming.
 */

import type { JournalRow } from "../event.ts";
import { recordedMs, rowOf } from "../event.ts";
import { entryOf } from "../fire.ts";
import type { Trigger } from "../triggers/mod.ts";
import { triggerIn } from "./schedule.ts";

/**
 * `missed`: nobody decided it; `unknown`: it was due before the journal begins; `undecided`: a leader
 * will come to it; `open`: its message is about, or it was taken.
 */
export type OwedState =
  | "missed"
  | "skipped"
  | "expired"
  | "revoked"
  | "lost"
  | "acked"
  | "open"
  | "held"
  | "undecided"
  | "unknown";

export interface OwedTime {
  readonly dueMs: number;
  readonly state: OwedState;
  /** How often it was published. */
  readonly publishes: number;
}

/** What did not run. */
export const NOT_RUN: ReadonlySet<OwedState> = new Set([
  ...(["missed", "skipped", "expired", "revoked", "lost"] as const),
]);

/** What may run once more where somebody insists. */
export const CLOSED: ReadonlySet<OwedState> = new Set([...NOT_RUN, "acked", "unknown"]);

export interface OwedQuestion {
  readonly task: string;
  /** Both included. Unix milliseconds. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Of the configuration: for what was due before the first row that declares the task. */
  readonly trigger: Trigger | null;
}

export interface Owed {
  /** The next row of the journal, in its order. */
  take(row: JournalRow): void;
  /** How many due times there are, before they are named. */
  count(): number;
  /** @param cursorMs what a leader has decided; `null` where the task has no cursor */
  times(cursorMs: number | null): OwedTime[];
}

/** Due times of a trigger in (afterMs, untilMs]. */
interface Era {
  readonly afterMs: number;
  untilMs: number;
  readonly trigger: Trigger;
}

export function owedOf(question: OwedQuestion): Owed {
  const { task, fromMs, toMs } = question;
  const eras: Era[] = [];
  const lives = new Map<number, Map<string, OwedState>>();
  const publishes = new Map<number, number>();
  const dropped: { fromMs: number; toMs: number }[] = [];
  let firstMs: number | null = null;
  let knownMs: number | null = null;

  function takeTask(row: JournalRow): void {
    if (row.type === "task.retired") return endEra(eras, recordedMs(row));
    if (row.type === "task.dropped") {
      const range = rowOf(row, "task.dropped")?.detail;
      if (range !== undefined) dropped.push(range);
      return;
    }
    const declared = rowOf(row, "task.known") ?? rowOf(row, "task.changed");
    const trigger = declared === null ? null : triggerIn(declared.detail.definition);
    if (declared === null || row.dueMs === null || trigger === null) return;
    knownMs ??= row.dueMs;
    // What is held stands at its own due time: that is no new beginning.
    endEra(eras, row.dueMs);
    eras.push({ afterMs: row.dueMs, untilMs: Infinity, trigger });
  }

  function takeFire(row: JournalRow, dueMs: number): void {
    const names = lives.get(dueMs) ?? new Map<string, OwedState>();
    lives.set(dueMs, names);
    if (row.type === "fire.published") publishes.set(dueMs, (publishes.get(dueMs) ?? 0) + 1);
    const state = stateAfter(row, names.get(row.task));
    if (state !== null) names.set(row.task, state);
  }

  function allEras(): Era[] {
    const { trigger } = question;
    const before = trigger === null
      ? []
      : [{ afterMs: -Infinity, untilMs: knownMs ?? Infinity, trigger }];
    return [...before, ...eras].flatMap((era) => {
      const afterMs = Math.max(era.afterMs, fromMs - 1);
      const untilMs = Math.min(era.untilMs, toMs);
      return afterMs < untilMs ? [{ ...era, afterMs, untilMs }] : [];
    });
  }

  function stateOf(dueMs: number, cursorMs: number | null): OwedState {
    const states = [...lives.get(dueMs)?.values() ?? []];
    const strongest = STRENGTH.find((state) => states.includes(state));
    if (strongest !== undefined) return strongest;
    if (dropped.some((range) => range.fromMs <= dueMs && dueMs <= range.toMs)) return "skipped";
    if (cursorMs !== null && dueMs > cursorMs) return "undecided";
    // Before the task was known, and before all that the journal tells.
    return firstMs === null || dueMs <= Math.max(firstMs, knownMs ?? firstMs)
      ? "unknown"
      : "missed";
  }

  return {
    take(row) {
      firstMs ??= recordedMs(row);
      if (entryOf(row.task) !== task) return;
      if (row.type.startsWith("task.")) takeTask(row);
      const { dueMs, type } = row;
      const isIn = dueMs !== null && dueMs >= fromMs && dueMs <= toMs;
      if (isIn && type.startsWith("fire.")) takeFire(row, dueMs);
    },
    count: () =>
      allEras().reduce(
        (sum, { trigger, afterMs, untilMs }) => sum + trigger.count(afterMs, untilMs),
        0,
      ),
    times(cursorMs) {
      const times: OwedTime[] = [];
      for (const { trigger, afterMs, untilMs } of allEras()) {
        for (
          let dueMs = trigger.next(afterMs);
          dueMs !== null && dueMs <= untilMs;
          dueMs = trigger.next(dueMs)
        ) {
          const state = stateOf(dueMs, cursorMs);
          times.push({ dueMs, state, publishes: publishes.get(dueMs) ?? 0 });
        }
      }
      return times;
    },
  };
}

/** Of several lives of one due time, the one that counts. */
const STRENGTH: readonly OwedState[] = [
  ...(["open", "acked", "held", "lost", "revoked", "expired", "skipped"] as const),
];

/** @returns `null` where the row changes nothing */
function stateAfter({ type, detail }: JournalRow, before: OwedState | undefined): OwedState | null {
  switch (type) {
    case "fire.published":
      return "open";
    case "fire.skipped":
      return "skipped";
    case "fire.due":
    case "fire.delayed":
      return "held";
    case "fire.expired":
      return "expired";
    case "fire.acked":
      return before === "revoked" || before === "lost" ? null : "acked";
    case "fire.finished":
      return detail.outcome === "revoked" || detail.outcome === "lost" ? detail.outcome : "acked";
    case "fire.late_ack":
      return "acked";
    default:
      return null;
  }
}

function endEra(eras: readonly Era[], atMs: number): void {
  const last = eras.at(-1);
  if (last?.untilMs === Infinity) last.untilMs = atMs;
}
