/** When somebody led in the past, when they looked at tasks, and how long fires ran: for other schedules to share. */

import type { OpenFire } from "../open_fire.ts";
import { openKey } from "../open_fire.ts";
import type { JournalRow } from "../event.ts";
import { attemptOf } from "../event.ts";
import { openIdOf } from "../fire.ts";
import { isDecision } from "./decisions.ts";

export interface Presence {
  /** A row from before the period. */
  before(row: JournalRow): void;
  take(row: JournalRow): void;
  /**
   * When the row taken last was true for those who decide. A decision that stands before it was made
   * without it, in the same millisecond at the latest. Unix milliseconds.
   */
  readonly trueMs: number;
  /** When a leader looked, or would have, at what is due at `dueMs`; Infinity for never. */
  lookMs(dueMs: number): number;
  /** A fire was on its way at the start. */
  begin(open: OpenFire): void;
  /**
   * How long after its publish a fire ends: when it did, or after the time that others of its task
   * mostly took; Infinity where it had not ended yet. Milliseconds.
   */
  runMs(open: OpenFire): number;
}

interface Term {
  readonly fence: number;
  readonly fromMs: number;
  /** Of its last row. Unix milliseconds. */
  toMs: number;
}

/** Looks that are late at the same time are fewer than that. */
const LATE_AT_ONCE_MAX = 200;
/** After what is decided in a millisecond, and before the next. Milliseconds. */
const JUST_AFTER_MS = 0.5;
/** Of a task of which no fire was seen to end. Milliseconds. */
const RUN_MS = 1_000;

/** A due time that was looked at late: nobody looked at anything in between. Unix milliseconds. */
interface Late {
  readonly fromMs: number;
  readonly lookMs: number;
}
const ENDS: ReadonlySet<string> = new Set(["fire.finished", "fire.expired"]);

export function presence(): Presence {
  const terms: Term[] = [];
  const late: Late[] = [];
  /** When each task was last decided about, and which due time. */
  const decided = new Map<string, { readonly atMs: number; readonly dueMs: number }>();
  const begun = new Map<string, number>();
  const ends = new Map<string, number>();
  const byTask = new Map<string, number[]>();
  const medians = new Map<string, number>();
  let decidedMs = -Infinity;
  let trueMs = -Infinity;

  function noteTerm({ fence, decidedMs: atMs }: JournalRow): void {
    const last = terms.at(-1);
    if (last === undefined || fence > last.fence) terms.push({ fence, fromMs: atMs, toMs: atMs });
    else if (fence === last.fence) last.toMs = Math.max(last.toMs, atMs);
  }

  function noteFire(row: JournalRow): void {
    const { type, task, dueMs, decidedMs: atMs } = row;
    if (dueMs === null) return;
    const openId = openIdOf(task, dueMs, 0);
    if (type === "fire.published" && attemptOf(row) === 0) begun.set(openId, atMs);
    const fromMs = begun.get(openId);
    if (!ENDS.has(type) || fromMs === undefined) return;
    begun.delete(openId);
    ends.set(openId, trueMs);
    const own = byTask.get(task);
    if (own === undefined) byTask.set(task, [atMs - fromMs]);
    else own.push(atMs - fromMs);
  }

  /** What waits behind a fire that is held is not late, nor is that fire itself. */
  function noteLook({ type, task, dueMs, decidedMs: atMs, detail }: JournalRow): void {
    const before = decided.get(task);
    if (dueMs === null) return;
    const isLetGo = type === "task.dropped" && detail.by === "catchup";
    // What is decided with what was let go is as late as that.
    if (!isLetGo) decided.set(task, { atMs, dueMs });
    const isFirst = detail.notBeforeMs === undefined && (isLetGo || type !== "task.dropped");
    const fromMs = isLetGo ? Number(detail.fromMs) : dueMs;
    const isFree = before !== undefined && before.dueMs < fromMs && before.atMs <= fromMs;
    if (isFirst && isFree && atMs > fromMs) late.push({ fromMs, lookMs: atMs });
  }

  function medianOf(task: string): number {
    let median = medians.get(task);
    if (median === undefined) {
      const own = (byTask.get(task) ?? []).sort((one, other) => one - other);
      medians.set(task, median = own[Math.floor(own.length / 2)] ?? RUN_MS);
    }
    return median;
  }

  return {
    before: noteTerm,
    take(row) {
      noteTerm(row);
      trueMs = row.decidedMs <= decidedMs ? decidedMs + JUST_AFTER_MS : row.decidedMs;
      if (isDecision(row)) {
        decidedMs = Math.max(decidedMs, row.decidedMs);
        noteLook(row);
      }
      noteFire(row);
    },
    lookMs(dueMs) {
      if (dueMs === Infinity) return Infinity;
      const term = terms.find(({ toMs }) => toMs >= dueMs);
      if (term === undefined) return Infinity;
      if (dueMs < term.fromMs) return term.fromMs;
      const place = firstFrom(late, dueMs);
      const own = late.slice(place, place + LATE_AT_ONCE_MAX).filter(({ fromMs }) =>
        fromMs <= dueMs
      );
      return own.reduce((latest, { lookMs }) => Math.max(latest, lookMs), dueMs);
    },
    get trueMs() {
      return trueMs;
    },
    begin: (open) => void begun.set(openKey(open), open.publishedMs),
    runMs(open) {
      const key = openKey(open);
      if (begun.has(key)) return Infinity;
      const endMs = ends.get(key) ?? -Infinity;
      return endMs > open.publishedMs ? endMs - open.publishedMs : medianOf(open.task);
    },
  };
}

/** The place of the first whose look was not before `leastMs`; they are in the order of their looks. */
function firstFrom(late: readonly Late[], leastMs: number): number {
  let [from, to] = [0, late.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (late[middle]!.lookMs < leastMs) from = middle + 1;
    else to = middle;
  }
  return from;
}
