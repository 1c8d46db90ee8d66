/** A clock that a preview sets: who sleeps on it wakes at once, later. */

import type { Clock } from "../ports.ts";

export interface SteppedClock extends Clock {
  /** Never goes back. Unix milliseconds. */
  moveTo(ms: number): void;
}

/** @param startMs Unix milliseconds */
export function steppedClock(startMs: number): SteppedClock {
  let nowMs = startMs;
  return {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs - startMs,
    sleep(durationMs) {
      nowMs += Math.max(0, durationMs);
      return Promise.resolve();
    },
    moveTo(ms) {
      nowMs = Math.max(nowMs, ms);
    },
  };
}
