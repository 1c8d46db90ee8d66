/**
 * How many messages of a list may be read at once: as many as are wanted, unless they are long. Reading
 * megabytes a second would hold up Redis and all that is due; more than gets through in the time of a
 * call would never be read, and no fire followed.
 */

import type { QueueSample } from "../sensors.ts";

/** What is read of one list at once, where it has more than one message. Characters. */
const SAMPLE_TEXT_MAX = 1_000_000;

/** Of a list whose messages nobody has seen, and so many times as many of one in the next sample. */
const FIRST = 10;
const GROWTH = 10;

/** After a sample that failed, one in so many. */
const SHRINK = 4;

export interface SampleLimits {
  of(list: string, wanted: number): number;
  learn(list: string, sample: QueueSample): void;
  /** It could not be read. */
  shrink(list: string): void;
}

/** As many as are wanted. */
export const NO_LIMITS: SampleLimits = { of: (_, wanted) => wanted, learn() {}, shrink() {} };

export function sampleLimits(): SampleLimits {
  const allowed = new Map<string, number>();
  const at = (list: string) => allowed.get(list) ?? FIRST;
  return {
    of: (list, wanted) => Math.min(wanted, at(list)),
    learn(list, { oldest }) {
      if (oldest.length === 0) return;
      const text = oldest.reduce((sum, { bytes }) => sum + bytes.length, 0);
      const fitting = Math.floor(SAMPLE_TEXT_MAX * oldest.length / Math.max(1, text));
      allowed.set(list, Math.max(1, Math.min(fitting, at(list) * GROWTH)));
    },
    shrink: (list) => void allowed.set(list, Math.max(1, Math.floor(at(list) / SHRINK))),
  };
}
