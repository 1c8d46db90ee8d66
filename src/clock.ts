/** Time: the machine's, and the server's as estimated. Alone in touching Date, performance and timers. */

import type { Clock } from "./ports.ts";

/** Above 2^31 - 1 ms a timer fires at once; and a sleeper looks at the clock once a second anyway. */
export const SLEEP_MAX_MS = 1_000;

/** The machine's clock. It cannot be stubbed: a test is given another clock. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep(durationMs, signal) {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, Math.min(durationMs, SLEEP_MAX_MS)));
      signal.addEventListener("abort", done);
    });
  },
};

/** Sleeps for all of `durationMs`, or until `signal` is aborted. */
export async function waitFor(
  clock: Clock,
  durationMs: number,
  signal: AbortSignal,
): Promise<void> {
  const untilMs = clock.monotonicMs() + durationMs;
  while (!signal.aborted && clock.monotonicMs() < untilMs) {
    await clock.sleep(untilMs - clock.monotonicMs(), signal);
  }
}

/** The server's clock, as far as it can be known from here. */
export interface ServerClock {
  /** Estimated server time. Unix milliseconds, whole. */
  nowMs(): number;
  /**
   * Takes in one reading of the server's time.
   * @param sentMs monotonic time before the question
   * @param serverMs the answer
   */
  observe(sentMs: number, serverMs: number): void;
  /** Wall clock minus server clock; `null` before the first reading. Milliseconds. */
  differenceMs(): number | null;
}

/** Readings taken over a slower way than this, compared with the best known, are not believed. */
const AGE_LOSS_PER_SECOND_MS = 0.05;

/**
 * Estimates the server's time from the monotonic clock, so that steps of the local wall clock do
 * not matter. The reading with the shortest way wins; an older one loses weight with time.
 */
export function serverClock(clock: Clock): ServerClock {
  let best: { offsetMs: number; errorMs: number; atMs: number } | null = null;
  return {
    nowMs() {
      return Math.floor(best === null ? clock.wallMs() : clock.monotonicMs() + best.offsetMs);
    },
    observe(sentMs, serverMs) {
      const receivedMs = clock.monotonicMs();
      const errorMs = (receivedMs - sentMs) / 2;
      // The server cuts its time to whole milliseconds: on average half of one is lost.
      const offsetMs = serverMs + 0.5 - (sentMs + receivedMs) / 2;
      const ageS = best === null ? 0 : (receivedMs - best.atMs) / 1000;
      const isBetter = best === null || errorMs <= best.errorMs + ageS * AGE_LOSS_PER_SECOND_MS;
      const isContradiction = best !== null &&
        Math.abs(offsetMs - best.offsetMs) > errorMs + best.errorMs + 1 + ageS;
      if (isBetter || isContradiction) best = { offsetMs, errorMs, atMs: receivedMs };
    },
    differenceMs() {
      return best === null ? null : clock.wallMs() - (clock.monotonicMs() + best.offsetMs);
    },
  };
}
