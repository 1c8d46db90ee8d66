/** Terms as the journal tells them, for tests of failover. Shares no code with Beat. */

import type { OracleRow } from "./oracle.ts";

/** One leader's time in office. Times are Redis', Unix milliseconds. */
export interface TermStory {
  readonly fence: number;
  readonly owner: string;
  readonly startedMs: number;
  /** When it handed over; `null` where it did not. */
  readonly endedMs: number | null;
  /** `null` where it published nothing. */
  readonly firstPublishedMs: number | null;
  readonly lastPublishedMs: number | null;
}

export function termsOf(rows: readonly OracleRow[]): TermStory[] {
  return rows.filter(({ type }) => type === "term.started").map((started) => {
    const own = rows.filter(({ fence }) => fence === started.fence);
    const published = own.filter(({ type }) => type === "fire.published");
    return {
      fence: started.fence,
      owner: String(started.detail.owner),
      startedMs: started.atMs,
      endedMs: own.find(({ type }) => type === "term.ended")?.atMs ?? null,
      firstPublishedMs: published[0]?.atMs ?? null,
      lastPublishedMs: published.at(-1)?.atMs ?? null,
    };
  });
}

/** The process that an owner names. */
export function pidOf(owner: string): number {
  return Number(owner.split(":")[1]);
}

/**
 * What is wrong with the order of terms, a line each: a fence that was given out twice, or a row under
 * an old fence after a newer term had begun.
 */
export function disorder(rows: readonly OracleRow[]): string[] {
  const found: string[] = [];
  const owners = new Map<number, string>();
  let newest = 0;
  for (const { id, type, fence, detail } of rows) {
    if (fence < newest) found.push(`${id}: ${type} under fence ${fence} after ${newest}`);
    newest = Math.max(newest, fence);
    if (type !== "term.started") continue;
    const before = owners.get(fence);
    if (before !== undefined) found.push(`${id}: fence ${fence} of ${before} and ${detail.owner}`);
    owners.set(fence, String(detail.owner));
  }
  return found;
}

/** `p50 12 max 40 ms of 10`. */
export function spreadOf(valuesMs: readonly number[]): string {
  const sorted = valuesMs.toSorted((one, other) => one - other);
  const middle = sorted[Math.floor(sorted.length / 2)];
  return `p50 ${middle} max ${sorted.at(-1)} ms of ${sorted.length}`;
}
