/** When to look at a fire again: soon where something is about to be known, else ever less often. */

import type { OpenFire } from "../open_fire.ts";
import { isWaiting } from "../open_fire.ts";
import type { Evidence } from "./evidence.ts";
import { GONE_AFTER_MS, newNotes, PACE_MAX_MS, PACE_MIN_MS, UNREAD } from "./evidence.ts";
import type { Tracked } from "./open_fires.ts";
import type { Verdict } from "./verdict.ts";
import { EXPIRED_BEHIND_MS, EXPIRY_MARGIN_MS, FINISH_WITHIN_MS } from "./verdict.ts";

/** Samples do not come to the millisecond. */
const PACE_SLACK_MS = 100;

/**
 * Takes what a look found into the notes.
 * @returns when to look again, Unix milliseconds; `null` to leave it as it was set
 */
export function afterLook(
  tracked: Tracked,
  evidence: Evidence,
  verdict: Verdict,
  nowMs: number,
): number | null {
  const { open } = tracked;
  const { goneMs, unseenMs, settlement } = verdict;
  const { kind } = evidence.position;
  // One that is out of reach ends at the second look.
  const isOver = open.expiresMs !== null && nowMs > open.expiresMs + EXPIRED_BEHIND_MS;
  const isCertain = (kind === "queued" || kind === "behind") && isWaiting(open) && !isOver;
  // What is sure to wait, and in its place, needs no notes: there may be very many of its kind.
  if (tracked.notes === null && settlement === null && isCertain) return deadlineAfter(open, nowMs);
  if (evidence === UNREAD && settlement === null) return null;
  const notes = tracked.notes ??= newNotes(open);
  notes.goneMs = goneMs;
  notes.unseenMs = unseenMs;
  // Were it counted from now, leaders that change every few hours would await its finish for ever.
  if (open.state === "acked") notes.ackedMs ??= Math.min(nowMs, open.takeByMs);
  const isSoon = settlement !== null || evidence.result === "unread";
  notes.paceMs = isSoon
    ? PACE_MIN_MS
    : Math.min(PACE_MAX_MS, Math.max(PACE_MIN_MS, notes.paceMs * 2));
  if (notes.ackedMs !== null) {
    notes.paceMs = Math.min(notes.paceMs, awaitedPace(nowMs - notes.ackedMs));
  }
  notes.lookMs = goneMs === null || open.state === "acked"
    ? nowMs + notes.paceMs - PACE_SLACK_MS
    : Math.max(nowMs, goneMs + GONE_AFTER_MS);
  return Math.min(notes.lookMs, deadlineAfter(open, nowMs));
}

/** The end of a long run is seen a tenth of its time late at most, where nobody tells of it. */
function awaitedPace(awaitedMs: number): number {
  return Math.min(PACE_MAX_MS, Math.max(PACE_MIN_MS, awaitedMs / 10));
}

/** Starts the pace anew after a step of a fire; when to look again. Unix milliseconds. */
export function afterStep(tracked: Tracked, next: OpenFire, nowMs: number): number {
  const notes = tracked.notes ??= newNotes(next);
  notes.paceMs = PACE_MIN_MS;
  notes.lookMs = nowMs + PACE_MIN_MS - PACE_SLACK_MS;
  if (next.state === "acked") notes.ackedMs ??= Math.min(nowMs, next.takeByMs);
  return Math.min(notes.lookMs, deadlineAfter(next, nowMs));
}

/** The first time after `nowMs` at which something may become true by itself. Unix milliseconds. */
export function deadlineAfter(open: OpenFire, nowMs: number): number {
  // On the path of every fire: no lists.
  const later = (deadlineMs: number) => deadlineMs > nowMs ? deadlineMs : Infinity;
  let firstMs = later(nowMs + FINISH_WITHIN_MS);
  if (open.state === "acked") return firstMs;
  firstMs = Math.min(firstMs, later(open.giveUpMs));
  if (open.expiresMs !== null) {
    firstMs = Math.min(
      firstMs,
      later(open.expiresMs + EXPIRY_MARGIN_MS + 1),
      later(open.expiresMs + EXPIRED_BEHIND_MS + 1),
    );
  }
  const isAwaited = open.state === "queued" && !open.isOverdue;
  return isAwaited ? Math.min(firstMs, later(open.takeByMs)) : firstMs;
}
