/** What the follower remembers between two looks: hints, notes, and when to look again. */

import type { Settlement } from "../ports.ts";
import type { Hint } from "../sensors.ts";
import type { Evidence } from "./evidence.ts";
import { newNotes, noteDelivery, noteEvent, PACE_MIN_MS } from "./evidence.ts";
import type { LateAcks } from "./late.ts";
import type { TaskNames } from "./names.ts";
import { taskNames } from "./names.ts";
import type { OpenFire } from "../open_fire.ts";
import { encodeOpen } from "../open_fire.ts";
import type { OpenFires, Tracked } from "./open_fires.ts";
import { afterLook, afterStep } from "./pace.ts";
import type { Verdict } from "./verdict.ts";
import type { Workers } from "./workers.ts";
import { workers } from "./workers.ts";

/** Fires of one task whose finish is awaited; older ones finish `unknown`. */
const UNFINISHED_MAX = 100;

export interface Watch {
  readonly open: OpenFires;
  readonly names: TaskNames;
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
  /**
   * As `settled`, where nobody knows whether it was recorded: what Redis holds, `open`, counts, and what
   * was noticed still does.
   */
  reread(key: string, settlement: Settlement, open: OpenFire | null, nowMs: number): void;
  /** Looks again at fires whose look failed. */
  putBack(fires: readonly Tracked[], nowMs: number): void;
}

export function watchOver(open: OpenFires, namespace: string, late: LateAcks): Watch {
  const names = taskNames(open, namespace);
  const told = new Set<Tracked>();
  const asked = new Set<Tracked>();
  const crew = workers();
  const { tracked: fires } = open;

  function close(tracked: Tracked): void {
    names.forget(tracked);
    if (tracked.notes?.worker) crew.end(tracked.notes.worker, tracked.key);
    told.delete(tracked);
    asked.delete(tracked);
    fires.remove(tracked);
  }

  /** Celery tells of a result before its worker does, and the fire may have ended by then. */
  function takeResult(tracked: Tracked): void {
    if (tracked.notes?.worker) crew.ran(tracked.notes.worker, tracked.key);
    asked.add(tracked);
  }

  function remember(tracked: Tracked, settlement: Settlement): void {
    if (isOpenEnded(settlement)) late.remember(names.taskIdOf(tracked), tracked.open);
  }

  function step(tracked: Tracked, next: OpenFire, nowMs: number): void {
    const { notes } = tracked;
    if (notes !== null && next.redeliveries > tracked.open.redeliveries) {
      const { worker } = notes;
      noteDelivery(notes, next, nowMs);
      if (worker !== null && notes.worker === null) crew.end(worker, tracked.key);
    }
    fires.replace(tracked, next);
    fires.lookAt(tracked, afterStep(tracked, next, nowMs));
    if (next.state === "acked") markSurplus(fires.unfinishedOf(next.task), asked);
  }

  return {
    open,
    names,
    hint(hint, nowMs) {
      if (hint.kind === "line" || hint.kind === "worker") return crew.note(hint, nowMs);
      const tracked = names.find(hint.taskId);
      if (tracked === undefined) late.hint(hint, nowMs);
      else if (hint.kind === "result") takeResult(tracked);
      else {
        takeEvent(tracked, hint, crew, nowMs);
        told.add(tracked);
      }
      // Whether it was delivered twice shows when no retry explains it in a while.
      if (tracked?.notes?.extraReceiptMs) fires.lookAt(tracked, nowMs + PACE_MIN_MS);
    },
    get hasHints() {
      return told.size + asked.size > 0;
    },
    takeHints: (limit) => ({ told: takeSome(told, limit), asked: takeSome(asked, limit) }),
    ask(key) {
      const tracked = fires.get(key);
      if (tracked !== undefined) asked.add(tracked);
    },
    abandoned: (nowMs) =>
      crew.abandoned(nowMs).flatMap(({ worker, key }) => {
        const tracked = fires.get(key);
        if (tracked === undefined) crew.end(worker, key);
        return tracked === undefined ? [] : [tracked];
      }),
    isWorkerGone({ notes, key }, nowMs) {
      return notes !== null && notes.worker !== null && crew.isGone(notes.worker, key, nowMs);
    },
    looked(tracked, evidence, verdict, nowMs) {
      if (tracked.open.state === "acked") markSurplus(fires.unfinishedOf(tracked.open.task), asked);
      const lookMs = afterLook(tracked, evidence, verdict, nowMs);
      if (lookMs !== null) fires.lookAt(tracked, lookMs);
    },
    settled(key, settlement, nowMs) {
      const tracked = fires.get(key);
      if (tracked === undefined) return;
      const { next } = settlement;
      if (next === null) {
        remember(tracked, settlement);
        return close(tracked);
      }
      step(tracked, next, nowMs);
    },
    reread(key, settlement, open, nowMs) {
      const tracked = fires.get(key);
      if (tracked === undefined) return;
      if (open === null) {
        remember(tracked, settlement);
        close(tracked);
      } else if (encodeOpen(open) !== encodeOpen(tracked.open)) {
        // As a step, the same again would stand behind others that are awaited for less long.
        step(tracked, open, nowMs);
      }
    },
    putBack(some, nowMs) {
      for (const tracked of some) {
        if (!tracked.isClosed) fires.lookAt(tracked, nowMs + PACE_MIN_MS);
      }
    },
  };
}

function takeEvent(
  tracked: Tracked,
  hint: Extract<Hint, { kind: "event" }>,
  crew: Workers,
  nowMs: number,
): void {
  const notes = tracked.notes ??= newNotes(tracked.open);
  const before = notes.worker;
  const isOwn = noteEvent(notes, tracked.open, hint, nowMs);
  if (before !== null && before !== hint.worker) crew.end(before, tracked.key);
  // A run of a copy says nothing of whether this one is lost.
  if (isOwn && hint.type === "started") crew.begin(hint.worker, tracked.key, nowMs);
  if (notes.end === null && notes.earlyEnd === null && hint.type !== "retried") return;
  crew.ran(hint.worker, tracked.key);
  crew.end(hint.worker, tracked.key);
}

/** Of too many that are awaited, those that are awaited the longest are asked for a last time. */
function markSurplus(unfinished: ReadonlySet<Tracked>, asked: Set<Tracked>): void {
  let surplus = unfinished.size - UNFINISHED_MAX;
  if (surplus <= 0) return;
  for (const oldest of unfinished) {
    if (surplus-- <= 0) return;
    const notes = oldest.notes ??= newNotes(oldest.open);
    if (!notes.isSurplus) asked.add(oldest);
    notes.isSurplus = true;
  }
}

/**
 * Beat ended it without a worker's word, and the word may still come: the message was left, or a worker
 * has had it, who may run it still although it was given back.
 */
function isOpenEnded({ open, rows, remove }: Settlement): boolean {
  return (remove === null || open.state === "taken" || open.redeliveries > 0) &&
    rows.some((row) =>
      (row.type === "fire.expired" && row.detail.by === "beat") ||
      (row.type === "fire.finished" && row.detail.outcome === "lost")
    );
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
