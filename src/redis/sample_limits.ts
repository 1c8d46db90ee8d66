/**
 * How many texts of others may be read at once: as many as are wanted, unless they are long. Reading
 * megabytes a second would hold up Redis and all that is due; more than gets through in the time of a
 * call would never be read, and no fire followed.
 */

/** What is read at once of a list or of results, where it is more than one text. Characters. */
const SAMPLE_TEXT_MAX = 1_000_000;

/** Of texts that nobody has seen, and so many times as many the next time. */
const FIRST = 10;
const GROWTH = 10;

/** After a call that failed, one in so many. */
const SHRINK = 4;

export interface SampleLimits {
  /** After a call that failed, a result that is longer is not read as a whole. Bytes. */
  readonly textMax: number;
  /** @param name what is read: a list, or all results */
  of(name: string, wanted: number): number;
  learn(name: string, texts: readonly string[]): void;
  /** It could not be read. */
  shrink(name: string, wanted: number): void;
}

/** As many as are wanted. */
export const NO_LIMITS: SampleLimits = {
  textMax: Infinity,
  of: (_, wanted) => wanted,
  learn() {},
  shrink() {},
};

export function sampleLimits(): SampleLimits {
  const allowed = new Map<string, number>();
  const at = (name: string) => allowed.get(name) ?? FIRST;
  return {
    textMax: SAMPLE_TEXT_MAX,
    of: (name, wanted) => Math.min(wanted, at(name)),
    learn(name, texts) {
      if (texts.length === 0) return;
      const text = texts.reduce((sum, { length }) => sum + length, 0);
      const fitting = Math.floor(SAMPLE_TEXT_MAX * texts.length / Math.max(1, text));
      allowed.set(name, Math.max(1, Math.min(fitting, at(name) * GROWTH)));
    },
    shrink(name, wanted) {
      const asked = Math.min(wanted, at(name));
      allowed.set(name, Math.max(1, Math.floor(asked / SHRINK)));
    },
  };
}
