/** What the follower remembers between two looks: task ids, hints, notes, and when to look again. */

import { celeryTaskId } from "../celery/ids.ts";
import type { OpenFire } from "../cursor.ts";
import type { Hint, Settlement } from "../ports.ts";
import type { Evidence } from "./evidence.ts";
import {
  GONE_AFTER_MS,
  newNotes,
  noteEvent,
  PACE_MAX_MS,
  PACE_MIN_MS,
  UNREAD,
} from "./evidence.ts";
import type { LateAcks } from "./late.ts";
import type { OpenFires, Tracked } from "./open_fires.ts";
import type { Verdict } from "./verdict.ts";
import { EXPIRED_BEHIND_MS, EXPIRY_MARGIN_MS, FINISH_WITHIN_MS } from "./verdict.ts";
import { workers } from "./workers.ts";

/** Fires of one task whose finish is awaited; older ones finish `unknown`. */
const UNFINISHED_MAX = 100;

/** Task ids made at once: each costs a hash. */
const NAMED_MAX = 20_000;

/** Samples do not come to the millisecond. */
const PACE_SLACK_MS = 100;

export interface Watch {
  readonly open: OpenFires;
  taskIdOf(tracked: Tracked): string;
  byTaskId(taskId: string): Tracked | undefined;
  /** Makes the ids of fires that were added. */
  nameNew(): void;
  hint(hint: Hint, nowMs: number): void;
  readonly hasHints: boolean;
  /** Fires of which a worker told something, and fires to be looked at. */
  takeHints(limit: number): { told: Tracked[]; asked: Tracked[] };
  /** Looks at a fire as soon as possible. */
  ask(key: string): void;
  /** Fires of workers that are gone. */
  abandoned(nowMs: number): Tracked[];
  isWorkerGone(tracked: Tracked, nowMs: number): boolean;
  /** Keeps what a look found, and sets the next. */
  looked(tracked: Tracked, evidence: Evidence, verdict: Verdict, nowMs: number): void;
  settled(key: string, settlement: Settlement, nowMs: number): void;
  /** Looks again at fires whose look failed. */
  putBack(fires: readonly Tracked[], nowMs: number): void;
}

export function watchOver(open: OpenFires, namespace: string, late: LateAcks): Watch {
  const ids = new Map<string, Tracked>();
  const told = new Set<Tracked>();
  const asked = new Set<Tracked>();
  const crew = workers();

  function taskIdOf(tracked: Tracked): string {
    if (tracked.taskId === "") {
      tracked.taskId = celeryTaskId(namespace, tracked.key);
      ids.set(tracked.taskId, tracked);
    }
    return tracked.taskId;
  }

  function nameNew(): boolean {
    const fresh = open.tracked.takeNew(NAMED_MAX);
    for (const tracked of fresh) if (!tracked.isClosed) taskIdOf(tracked);
    return fresh.length > 0;
  }

  function byTaskId(taskId: string): Tracked | undefined {
    const tracked = ids.get(taskId);
    if (tracked?.isClosed) ids.delete(taskId);
    return tracked?.isClosed ? undefined : tracked;
  }

  function forget(tracked: Tracked): void {
    if (ids.get(tracked.taskId) === tracked) ids.delete(tracked.taskId);
    if (tracked.notes?.worker) crew.end(tracked.notes.worker, tracked.key);
    told.delete(tracked);
    asked.delete(tracked);
  }

  function hintOfEvent(hint: Extract<Hint, { kind: "event" }>, tracked: Tracked, nowMs: number) {
    const notes = tracked.notes ??= newNotes();
    const before = notes.worker;
    if (!noteEvent(notes, tracked.open, hint, nowMs)) return;
    if (before !== null && before !== hint.worker) crew.end(before, tracked.key);
    if (hint.type === "started") crew.begin(hint.worker, tracked.key, nowMs);
    if (notes.end !== null || hint.type === "retried") crew.end(hint.worker, tracked.key);
    if (notes.extraReceiptMs !== null) open.tracked.lookAt(tracked, nowMs + PACE_MIN_MS);
    told.add(tracked);
  }

  return {
    open,
    taskIdOf,
    byTaskId,
    nameNew,
    hint(hint, nowMs) {
      if (hint.kind === "line" || hint.kind === "worker") return crew.note(hint, nowMs);
      const tracked = byTaskId(hint.taskId) ?? (nameNew() ? byTaskId(hint.taskId) : undefined);
      if (tracked === undefined) late.hint(hint, nowMs);
      else if (hint.kind === "result") asked.add(tracked);
      else hintOfEvent(hint, tracked, nowMs);
    },
    get hasHints() {
      return told.size + asked.size > 0;
    },
    takeHints: (limit) => ({ told: takeSome(told, limit), asked: takeSome(asked, limit) }),
    ask(key) {
      const tracked = open.tracked.get(key);
      if (tracked !== undefined) asked.add(tracked);
    },
    abandoned: (nowMs) =>
      crew.abandoned(nowMs).flatMap(({ worker, key }) => {
        const tracked = open.tracked.get(key);
        if (tracked === undefined) crew.end(worker, key);
        return tracked === undefined ? [] : [tracked];
      }),
    isWorkerGone({ notes, key }, nowMs) {
      return notes !== null && notes.worker !== null && crew.isGone(notes.worker, key, nowMs);
    },
    looked(tracked, evidence, verdict, nowMs) {
      if (tracked.open.state === "acked") markSurplus(tracked);
      const lookMs = nextLookMs(tracked, evidence, verdict, nowMs);
      if (lookMs !== null) open.tracked.lookAt(tracked, lookMs);
    },
    settled(key, { next, rows, remove }, nowMs) {
      const tracked = open.tracked.get(key);
      if (tracked === undefined) return;
      if (next === null) {
        if (remove === null && isOpenEnded(rows)) late.remember(taskIdOf(tracked), tracked.open);
        forget(tracked);
        open.tracked.remove(tracked);
        return;
      }
      open.tracked.replace(tracked, next);
      const notes = tracked.notes ??= newNotes();
      notes.paceMs = PACE_MIN_MS;
      notes.lookMs = nowMs + PACE_MIN_MS - PACE_SLACK_MS;
      if (next.state === "acked") notes.ackedMs ??= nowMs;
      open.tracked.lookAt(tracked, Math.min(notes.lookMs, deadlineAfter(next, nowMs)));
      if (next.state === "acked") markSurplus(tracked);
    },
    putBack(fires, nowMs) {
      for (const tracked of fires) {
        if (!tracked.isClosed) open.tracked.lookAt(tracked, nowMs + PACE_MIN_MS);
      }
    },
  };

  /** Of too many, the one that is awaited the longest is given up. */
  function markSurplus({ open: { task } }: Tracked): void {
    const unfinished = open.tracked.unfinishedOf(task);
    if (unfinished.size <= UNFINISHED_MAX) return;
    let surplus = unfinished.size - UNFINISHED_MAX;
    for (const oldest of unfinished) {
      if (surplus-- <= 0) return;
      const notes = oldest.notes ??= newNotes();
      if (notes.isSurplus) continue;
      notes.isSurplus = true;
      asked.add(oldest);
    }
  }
}

/** Beat ended it without a worker's word, so that the word may still come. */
function isOpenEnded(rows: Settlement["rows"]): boolean {
  return rows.some((row) =>
    (row.type === "fire.expired" && row.detail.by === "beat") ||
    (row.type === "fire.finished" && row.detail.outcome === "lost")
  );
}

/** `null` to leave it as it was set. */
function nextLookMs(
  tracked: Tracked,
  evidence: Evidence,
  verdict: Verdict,
  nowMs: number,
): number | null {
  const { open } = tracked;
  const { goneMs, unseenMs, settlement } = verdict;
  const { kind } = evidence.position;
  const isCertain = (kind === "queued" || kind === "behind") && open.state === "queued";
  // What is sure to wait needs no notes: there may be very many of its kind.
  if (tracked.notes === null && settlement === null && isCertain) return deadlineAfter(open, nowMs);
  if (evidence === UNREAD && settlement === null) return null;
  const notes = tracked.notes ??= newNotes();
  notes.goneMs = goneMs;
  notes.unseenMs = unseenMs;
  if (open.state === "acked") notes.ackedMs ??= nowMs;
  const isSoon = settlement !== null || evidence.result === "unread";
  notes.paceMs = isSoon
    ? PACE_MIN_MS
    : Math.min(PACE_MAX_MS, Math.max(PACE_MIN_MS, notes.paceMs * 2));
  notes.lookMs = goneMs === null
    ? nowMs + notes.paceMs - PACE_SLACK_MS
    : Math.max(nowMs, goneMs + GONE_AFTER_MS);
  return Math.min(notes.lookMs, deadlineAfter(open, nowMs));
}

/** The next time at which something may become true by itself. Unix milliseconds. */
function deadlineAfter(open: OpenFire, nowMs: number): number {
  const deadlines = [nowMs + FINISH_WITHIN_MS];
  if (open.state !== "acked") {
    deadlines.push(open.giveUpMs);
    if (open.expiresMs !== null) {
      deadlines.push(open.expiresMs + EXPIRY_MARGIN_MS + 1, open.expiresMs + EXPIRED_BEHIND_MS + 1);
    }
    if (open.state === "queued" && !open.isOverdue) deadlines.push(open.takeByMs);
  }
  return Math.min(...deadlines.filter((deadlineMs) => deadlineMs > nowMs));
}

function takeSome<T>(set: Set<T>, limit: number): T[] {
  const some: T[] = [];
  for (const item of set) {
    if (some.length >= limit) break;
    set.delete(item);
    some.push(item);
  }
  return some;
}
