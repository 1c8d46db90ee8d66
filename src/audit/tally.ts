/** What the fires of a window came to, for a task or for all. */

import type { Spans } from "./spans.ts";
import { spansOf } from "./spans.ts";

export interface Tally {
  /** Due times of the schedule as it was. */
  planned: number;
  /** Of them, published; attempts after the first, and what somebody asked for, are `anew`. */
  published: number;
  /** Published within the tolerance. */
  onTime: number;
  anew: number;
  acked: number;
  taken: number;
  overdue: number;
  redelivered: number;
  /** Evidence that came after the end. */
  lateAcks: number;
  /** By outcome. */
  readonly finished: Map<string, number>;
  /** By reason. */
  readonly expired: Map<string, number>;
  /** By `who: reason`; what a policy dropped, skipped, and what a change of the schedule let go. */
  readonly skipped: Map<string, number>;
  /** Of the skipped, those that catch-up let go: nobody meant them to be left out. */
  droppedLate: number;
  missed: number;
  /** Due just now, or held by a policy. */
  waiting: number;
  duplicate: number;
  late: number;
  early: number;
  orphan: number;
  stuck: number;
  refused: number;
  /** Published again because history was cut; neither late nor a duplicate. */
  redone: number;
  /** From due time to publish, of first attempts. */
  readonly lateness: Spans;
  /** From publish to ack. */
  readonly toAck: Spans;
}

export function newTally(): Tally {
  const counts = Object.fromEntries(COUNTS.map((name) => [name, 0])) as Record<Count, number>;
  return {
    ...counts,
    finished: new Map(),
    expired: new Map(),
    skipped: new Map(),
    lateness: spansOf(),
    toAck: spansOf(),
  };
}

/** Adds all of `other` to `tally`. */
export function addTally(tally: Tally, other: Tally): void {
  for (const name of COUNTS) tally[name] += other[name];
  for (const name of ["finished", "expired", "skipped"] as const) {
    for (const [key, count] of other[name]) addTo(tally[name], key, count);
  }
  tally.lateness.addAll(other.lateness);
  tally.toAck.addAll(other.toAck);
}

/** By what skips are counted. Each by `overlap` names the fire that it came after: these are one. */
export function whySkipped({ by, reason }: { by?: unknown; reason?: unknown }): string {
  return by === "overlap" ? "overlap: an earlier fire has not ended" : `${by}: ${reason}`;
}

export function addTo(counts: Map<string, number>, key: string, count: number): void {
  if (count > 0) counts.set(key, (counts.get(key) ?? 0) + count);
}

export function sumOf(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

/** Shares, each `null` where there is nothing to share. */
export interface Rates {
  /**
   * Planned-trigger accuracy: of the due times that were meant to be published (all but those that a
   * policy or a change of the schedule took out), the share published within the tolerance. What
   * catch-up dropped was meant, and is not.
   */
  readonly accuracy: number | null;
  /** Missed, of the planned. */
  readonly missed: number | null;
  /** Duplicates, of the published. */
  readonly duplicate: number | null;
}

export function ratesOf(tally: Tally): Rates {
  const meant = tally.published + tally.droppedLate + tally.missed;
  const share = (part: number, whole: number) => whole === 0 ? null : part / whole;
  return {
    accuracy: share(tally.onTime, meant),
    missed: share(tally.missed, tally.planned),
    duplicate: share(tally.duplicate, tally.published),
  };
}

const COUNTS = [
  ...["planned", "published", "onTime", "anew", "acked", "taken", "overdue"] as const,
  ...["redelivered", "lateAcks", "droppedLate", "missed", "waiting", "duplicate"] as const,
  ...["late", "early", "orphan", "stuck", "refused", "redone"] as const,
];
type Count = typeof COUNTS[number];
