/**
 * Virtual time: one queue of events, ordered by time and, at the same time, by a draw from the seed.
 * After each event everything runs that waits for neither time nor another event.
 */

import { mix } from "./draws.ts";
import type { Scheduler } from "./redis_words.ts";

export interface Timeline extends Scheduler {
  /** Events that have run. */
  readonly step: number;
  /** Events that wait. */
  readonly waiting: number;
  /** As `at`, without a draw for the order: what is left out does not move the order of the others. */
  plan(ms: number, run: () => void): void;
  /** Runs everything up to and including `untilMs`, or until `isOver`. */
  run(untilMs: number, isOver?: () => boolean): void;
}

interface Event {
  atMs: number;
  tie: number;
  run: (() => void) | null;
}

/** Runs what promises have made ready. Without it, a turn of the real event loop for each event would cost more than all else. */
const core = (Deno as unknown as Record<symbol, { core: { runMicrotasks(): void } }>)[
  (Deno as unknown as { internal: symbol }).internal
]!.core;

/**
 * Runs `work` in a task of the event loop. From within a promise's continuation nothing that promises
 * made ready would run.
 */
export function inTask<T>(work: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setTimeout(() => {
      try {
        resolve(work());
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** @throws {Error} where the world would stand still, and every invariant hold */
function checkTask(): void {
  let isSettled = false;
  Promise.resolve().then(() => isSettled = true);
  core.runMicrotasks();
  if (!isSettled) {
    throw new Error("expected a run to be called in a task of the event loop; wrap it in inTask()");
  }
}

export function timelineOf(seed: number): Timeline {
  const heap: Event[] = [];
  let nowMs = 0;
  let made = 0;
  let step = 0;

  return {
    now: () => nowMs,
    get step() {
      return step;
    },
    get waiting() {
      return heap.reduce((count, { run }) => run === null ? count : count + 1, 0);
    },
    at(ms, run) {
      const event: Event = {
        atMs: ms > nowMs ? ms : nowMs,
        tie: mix(seed + Math.imul(++made, 0x9e3779b9)) >>> 0,
        run,
      };
      push(heap, event);
      return () => event.run = null;
    },
    plan: (ms, run) => push(heap, { atMs: ms, tie: -1, run }),
    run(untilMs, isOver) {
      checkTask();
      while (heap.length > 0 && heap[0]!.atMs <= untilMs) {
        const { atMs, run } = pop(heap);
        if (run === null) continue;
        nowMs = atMs;
        step++;
        run();
        core.runMicrotasks();
        if (isOver?.()) return;
      }
      nowMs = untilMs;
    },
  };
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.tie < other.tie);
}

function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const above = (at - 1) >> 1;
    if (!isBefore(event, heap[above]!)) break;
    heap[at] = heap[above]!;
    at = above;
  }
  heap[at] = event;
}

function pop(heap: Event[]): Event {
  const first = heap[0]!;
  const last = heap.pop()!;
  const size = heap.length;
  if (size === 0) return first;
  let at = 0;
  for (let below = 1; below < size; below = 2 * at + 1) {
    if (below + 1 < size && isBefore(heap[below + 1]!, heap[below]!)) below++;
    if (!isBefore(heap[below]!, last)) break;
    heap[at] = heap[below]!;
    at = below;
  }
  heap[at] = last;
  return first;
}
