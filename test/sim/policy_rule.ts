/** What a task's policies say of a fire, worked out without Beat's. */

import type { JitterSpec } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import type { Level } from "../../src/event.ts";
import { hash } from "./draws.ts";
import type { Instants } from "./instants.ts";
import { throttled } from "./level_rule.ts";
import { openingAt } from "./openings.ts";
import type { PlannedTask } from "./schedule.ts";

/** A person's order that nothing be fired. Times are Unix milliseconds; `null`: it stands. */
export interface Pause {
  /** Time of the world. Milliseconds since the start. */
  readonly begunMs: number;
  /** When it was ordered. The server's time, Unix milliseconds. */
  readonly sinceMs: number;
  /** The server's time, Unix milliseconds; `null` while it stands. */
  readonly untilMs: number | null;
  /** The last due time that may have been skipped for it; as `untilMs`. */
  readonly skippedToMs: number | null;
}

export type Ruling =
  | { readonly kind: "pass" }
  | { readonly kind: "skip"; readonly by: "pause" | "window" | "overlap" | "pressure" }
  | { readonly kind: "hold"; readonly by: "window" | "jitter"; readonly untilMs: number }
  | { readonly kind: "wait"; readonly by: "overlap" | "pressure" };

export interface Case {
  readonly task: string;
  readonly instants: Instants;
  readonly dueMs: number;
  readonly decidedMs: number;
  /** Orders about this task or all tasks. */
  readonly pauses: readonly Pause[];
  /** Whether an earlier fire of the task is open. */
  readonly isRunning: boolean;
  /** Of its queue. */
  readonly level: Level;
}

/** @returns `null` where it cannot be told */
export function rulingOn(
  planned: PlannedTask,
  fire: Case,
): Ruling | null {
  const { policies: { window, jitter, overlap } = NO_POLICIES, catchUp } = planned;
  const { dueMs, decidedMs, pauses, isRunning, instants } = fire;
  if (pauses.some(({ untilMs }) => untilMs === null || dueMs <= untilMs)) {
    return { kind: "skip", by: "pause" };
  }
  if (window !== null) {
    const { fromMs } = openingAt(window, decidedMs);
    if (decidedMs < fromMs) {
      return isLastBefore(fromMs, { instants, dueMs, catchUp })
        ? { kind: "hold", by: "window", untilMs: fromMs }
        : { kind: "skip", by: "window" };
    }
  }
  if (jitter !== null) {
    const opening = window === null ? null : openingAt(window, decidedMs);
    const untilMs = placeOf(jitter, fire, {
      baseMs: Math.max(dueMs, opening?.fromMs ?? 0),
      endMs: opening?.endMs ?? Infinity,
    });
    if (decidedMs < untilMs) return { kind: "hold", by: "jitter", untilMs };
  }
  if (overlap !== "allow" && isRunning) return { kind: overlap, by: "overlap" };
  const kind = throttled(planned, fire);
  if (kind === null) return null;
  return kind === "pass" ? { kind } : { kind, by: "pressure" };
}

/** Of what came due while a window is closed, only the last one waits, except under `all`. */
export function isLastBefore(
  fromMs: number,
  { instants, dueMs, catchUp }: Pick<Case, "instants" | "dueMs"> & Pick<PlannedTask, "catchUp">,
): boolean {
  const nextMs = instants.next(dueMs);
  return catchUp.policy === "all" || nextMs === null || nextMs > fromMs;
}

/** Where jitter puts a fire: the same place whoever asks, and before the task is due again. */
function placeOf(
  { kind, maxMs, seed, place }: JitterSpec,
  { task, instants, dueMs }: Case,
  { baseMs, endMs }: { readonly baseMs: number; readonly endMs: number },
): number {
  const lastMs = Math.min(baseMs + maxMs, instants.next(baseMs) ?? Infinity, endMs);
  const room = lastMs - baseMs;
  switch (kind) {
    case "even":
      return baseMs + Math.floor(place!.index * room / place!.count);
    case "fixed":
      return baseMs + Math.floor(shareOf(`${seed}/${task}`) * room);
    case "per-fire":
      return baseMs + Math.floor(shareOf(`${seed}/${task}@${dueMs}`) * room);
  }
}

/** From 0 (inclusive) to 1 (exclusive), by the text alone. */
function shareOf(text: string): number {
  return (hash(text) >>> 0) / 2 ** 32;
}
