/** A clock that a preview sets: who sleeps on it lets what comes meanwhile pass, and wakes. */

import type { Clock } from "../ports.ts";

export interface SteppedClock extends Clock {
  /** Never goes back. Unix milliseconds. */
  moveTo(ms: number): void;
}

/**
 * @param startMs Unix milliseconds
 * @param onSleep what happens while somebody sleeps until a time
 */
export function steppedClock(
  startMs: number,
  onSleep: (untilMs: number) => Promise<void>,
): SteppedClock {
  let nowMs = startMs;
  const moveTo = (ms: number) => void (nowMs = Math.max(nowMs, ms));
  return {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs - startMs,
    async sleep(durationMs) {
      const untilMs = nowMs + Math.max(0, durationMs);
      await onSleep(untilMs);
      moveTo(untilMs);
    },
    moveTo,
  };
}
