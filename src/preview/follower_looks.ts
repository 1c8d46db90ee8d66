/** When a leader looks at open fires, where nothing takes any time. */

import { LOOKS, untilSample } from "../lead/looks.ts";

/**
 * When the leader looks at open fires (`lead/follow_open.ts`): once a second, and where it hears of
 * a result, at once, but not sooner than a moment after the look before.
 */
export function followerLooks(fromMs: number) {
  let sampleMs = fromMs;
  let freeMs = fromMs;

  /** Lets the looks pass by that come once a second and show nothing. */
  function passTo(ms: number): void {
    for (
      let nextMs = Math.max(sampleMs, freeMs);
      nextMs < ms;
      nextMs = Math.max(sampleMs, freeMs)
    ) {
      looked(nextMs);
    }
  }

  function looked(ms: number): void {
    freeMs = ms + LOOKS.glanceMs;
    if (ms >= sampleMs) sampleMs = ms + untilSample(LOOKS, ms);
  }

  return {
    looked,
    /** When a result of `endMs` is looked at; times asked about never go back. Unix milliseconds. */
    after(endMs: number): number {
      passTo(endMs);
      return Math.max(endMs, freeMs);
    },
    /** The next of the looks that come once a second, at `nowMs` or later. Unix milliseconds. */
    nextSampleMs(nowMs: number): number {
      passTo(nowMs);
      return Math.max(sampleMs, freeMs);
    },
  };
}
