/**
 * The figures of the document, from rows: how full queues got, what sessions saved, how fires ended, and how
 * critical tasks fared while something was throttled. Streaming; it keeps what is open and what it counts.
 */

import type { JournalRow } from "../event.ts";
import { recordedMs } from "../event.ts";
import { entryOf, isWantedName, openIdOf } from "../fire.ts";
import type { SnapshotState } from "./snapshot.ts";

export interface Figures {
  take(row: JournalRow): void;
  readonly queues: ReadonlyMap<string, QueuePeaks>;
  /** Due times that have a final decision: published, skipped, dropped. */
  readonly decided: number;
  readonly skippedBySession: number;
  readonly published: number;
  readonly expired: number;
  /** Fires of critical tasks, by how things stood when they were published. */
  readonly normal: Fared;
  readonly degraded: Fared;
}

/** The most fires in one second. */
export interface QueuePeaks {
  readonly withJitter: number;
  readonly without: number;
}

export interface Fared {
  readonly succeeded: number;
  readonly failed: number;
  /** From due to published. Milliseconds, in no order. */
  readonly delaysMs: readonly number[];
}

/** What holds a fire, and since when. Unix milliseconds. */
interface Held {
  readonly by: string;
  readonly sinceMs: number;
}

interface Seconds {
  readonly counts: Map<number, number>;
  most: number;
}

/** Seconds that are kept: a fire is not shifted further than that. */
const SECONDS_KEPT = 7_200;

/**
 * @param window rows recorded in [sinceMs, untilMs) count; those before tell what tasks are
 * @param seed what the rows before the first came to
 */
export function figuresOf(
  { sinceMs, untilMs }: { readonly sinceMs: number; readonly untilMs: number },
  seed: Pick<SnapshotState, "plans" | "levels"> | null = null,
): Figures {
  const tasks = new Map(seed?.plans.map(({ task, definition }) => [task, sharesOf(definition)]));
  const raised = new Set<unknown>(seed?.levels.map(([key]) => key));
  const held = new Map<string, Held>();
  const open = new Map<string, "normal" | "degraded">();
  const peaks = new Map<string, { withJitter: Seconds; without: Seconds }>();
  const fared = { normal: newFared(), degraded: newFared() };
  const counts = { decided: 0, skippedBySession: 0, published: 0, expired: 0 };

  function hold(openId: string, { decidedMs, detail }: JournalRow): void {
    const by = String(detail.by);
    if (held.get(openId)?.by !== by) held.set(openId, { by, sinceMs: decidedMs });
  }

  function noteState({ type, task, detail }: JournalRow): void {
    if (type === "level.changed") {
      if (detail.to === "normal") raised.delete(detail.key);
      else raised.add(detail.key);
    }
    const { definition } = detail;
    if (!type.startsWith("task.") || definition === null || typeof definition !== "object") return;
    tasks.set(task, sharesOf(definition as Record<string, unknown>));
  }

  function published({ task, dueMs, decidedMs }: JournalRow & { readonly dueMs: number }): void {
    counts.published++;
    const known = tasks.get(entryOf(task));
    const openId = openIdOf(task, dueMs, 0);
    const last = held.get(openId);
    held.delete(openId);
    if (known === undefined) return;
    const own = peaks.get(known.queue) ?? { withJitter: newSeconds(), without: newSeconds() };
    peaks.set(known.queue, own);
    count(own.withJitter, decidedMs);
    count(own.without, last?.by === "jitter" ? last.sinceMs : decidedMs);
    if (!known.isCritical || isWantedName(task)) return;
    const how = raised.size > 0 ? "degraded" : "normal";
    open.set(openId, how);
    fared[how].delaysMs.push(decidedMs - dueMs);
  }

  function takeFire(row: JournalRow & { readonly dueMs: number }): void {
    const { type, task, dueMs, detail } = row;
    const openId = openIdOf(task, dueMs, 0);
    const how = open.get(openId);
    if (type === "fire.delayed") hold(openId, row);
    else if (type === "fire.published") {
      if (!isWantedName(task)) counts.decided++;
      published(row);
    } else if (type === "fire.skipped") {
      counts.decided++;
      held.delete(openId);
      if (detail.by === "session") counts.skippedBySession++;
    } else if (type === "fire.expired") counts.expired++;
    if (type !== "fire.finished" && type !== "fire.expired") return;
    open.delete(openId);
    if (how === undefined) return;
    if (detail.outcome === "success") fared[how].succeeded++;
    else if (detail.outcome !== "unknown") fared[how].failed++;
  }

  return {
    take(row) {
      noteState(row);
      if (recordedMs(row) < sinceMs || recordedMs(row) >= untilMs) return;
      const { type, dueMs, detail } = row;
      if (type.startsWith("fire.") && dueMs !== null) takeFire({ ...row, dueMs });
      if (type !== "task.dropped") return;
      counts.decided += Number(detail.count);
      if (detail.by === "session") counts.skippedBySession += Number(detail.count);
    },
    get queues() {
      return new Map(
        [...peaks].map(([queue, { withJitter, without }]) =>
          [queue, { withJitter: withJitter.most, without: without.most }] as const
        ),
      );
    },
    get decided() {
      return counts.decided;
    },
    get skippedBySession() {
      return counts.skippedBySession;
    },
    get published() {
      return counts.published;
    },
    get expired() {
      return counts.expired;
    },
    ...fared,
  };
}

/** As much of a definition as the figures rest on. */
function sharesOf({ queue, importance }: Readonly<Record<string, unknown>>) {
  return { queue: String(queue), isCritical: importance === "critical" };
}

function newFared() {
  return { succeeded: 0, failed: 0, delaysMs: [] as number[] };
}

function newSeconds(): Seconds {
  return { counts: new Map(), most: 0 };
}

function count(seconds: Seconds, ms: number): void {
  const second = Math.floor(ms / 1_000);
  const fires = (seconds.counts.get(second) ?? 0) + 1;
  seconds.counts.set(second, fires);
  seconds.most = Math.max(seconds.most, fires);
  if (seconds.counts.size <= 2 * SECONDS_KEPT) return;
  for (const each of seconds.counts.keys()) {
    if (each < second - SECONDS_KEPT) seconds.counts.delete(each);
  }
}
