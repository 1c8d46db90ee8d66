/**
 * Spans of time, counted: their quantiles without keeping each of them. Exact to the millisecond below
 * a second, to one part in a hundred above.
 */

export interface Spans {
  /** @param ms whole milliseconds */
  add(ms: number): void;
  /** Takes in all of another. */
  addAll(other: Spans): void;
  readonly size: number;
  /** `null` where there is none. */
  readonly maxMs: number | null;
  /** The span that a share of all does not exceed; `null` where there is none. */
  quantile(share: number): number | null;
  /** Each span, rounded, and how often it came. */
  readonly counts: ReadonlyMap<number, number>;
}

export function spansOf(): Spans {
  const counts = new Map<number, number>();
  let size = 0;
  let maxMs: number | null = null;

  function put(ms: number, count: number): void {
    counts.set(ms, (counts.get(ms) ?? 0) + count);
    size += count;
  }

  return {
    counts,
    get size() {
      return size;
    },
    get maxMs() {
      return maxMs;
    },
    add(ms) {
      put(rounded(ms), 1);
      if (maxMs === null || ms > maxMs) maxMs = ms;
    },
    addAll(other) {
      for (const [ms, count] of other.counts) put(ms, count);
      if (other.maxMs !== null) maxMs = Math.max(maxMs ?? other.maxMs, other.maxMs);
    },
    quantile(share) {
      let left = Math.max(1, Math.ceil(size * share));
      for (const [ms, count] of [...counts].sort(([one], [other]) => one - other)) {
        left -= count;
        if (left <= 0) return Math.min(ms, maxMs ?? ms);
      }
      return null;
    },
  };
}

const EXACT_BELOW_MS = 1_000;

/** Three digits are kept, so that years of lateness need no more places than minutes. */
function rounded(ms: number): number {
  if (ms < EXACT_BELOW_MS && ms > -EXACT_BELOW_MS) return ms;
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(ms))) - 2);
  return Math.floor(ms / unit) * unit;
}
