/** A clock that a test moves. */

import { setImmediate } from "node:timers";
import type { Clock } from "../../src/ports.ts";

export interface SimClock extends Clock {
  /**
   * Moves time on, waking sleepers in the order of their times. What is under way goes as far as it
   * can without time before each step, so that nobody begins to sleep later than they would.
   */
  advance(durationMs: number): Promise<void>;
}

/** @param startMs Unix milliseconds */
export function simClock(startMs: number): SimClock {
  let nowMs = startMs;
  const sleepers = new Set<Sleeper>();
  return {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs - startMs,
    sleep(durationMs, signal) {
      if (signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const wake = () => {
          sleepers.delete(sleeper);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        const sleeper = { wakeMs: nowMs + Math.max(0, durationMs), wake };
        sleepers.add(sleeper);
        signal.addEventListener("abort", wake);
      });
    },
    async advance(durationMs) {
      const endMs = nowMs + durationMs;
      for (;;) {
        await allElse();
        const first = firstOf(sleepers);
        if (first === null || first.wakeMs > endMs) break;
        nowMs = first.wakeMs;
        first.wake();
      }
      nowMs = endMs;
    },
  };
}

interface Sleeper {
  readonly wakeMs: number;
  readonly wake: () => void;
}

/** Of those that wake at the same time, the one that lay down first. */
function firstOf(sleepers: Iterable<Sleeper>): Sleeper | null {
  let first: Sleeper | null = null;
  for (const each of sleepers) if (first === null || each.wakeMs < first.wakeMs) first = each;
  return first;
}

/** Resolves when nothing is left to run that waits for neither time nor the world. */
function allElse(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}
