/** What can be known of a published fire: what a look finds, and what the leader noticed before. */

import type { OpenFire } from "../open_fire.ts";
import type { Hint, QueuedMessage, Reservation, TaskResult } from "../sensors.ts";

/**
 * How far the clocks of workers and of earlier leaders may be behind the server's: what is dated so
 * much before the publish still belongs to it. Milliseconds.
 */
export const CLOCK_MARGIN_MS = 1_000;

/** Two looks that found a message nowhere count as one fact when they are so far apart. Milliseconds. */
export const GONE_AFTER_MS = 1_000;

/** The first pause between two looks at a fire, and the longest. Milliseconds. */
export const PACE_MIN_MS = 1_000;
export const PACE_MAX_MS = 60_000;

/** Where the message of a fire is, as far as one sample of the queues tells. */
export type Position =
  /** In the sample, under the tag of this publish. */
  | {
    readonly kind: "queued";
    readonly list: string;
    /** How many messages of the list were seen, it among them. */
    readonly reach: number;
    readonly message: QueuedMessage;
  }
  /** In its list for sure, and deeper than the sample. */
  | { readonly kind: "behind" }
  /** Another message of the same id waits: a retry, or the copy of another leader. */
  | { readonly kind: "copy" }
  /** In no list. */
  | { readonly kind: "left" }
  /** The sample does not reach far enough, or none was taken. */
  | { readonly kind: "unknown" };

/** One look at one fire. */
export interface Evidence {
  readonly position: Position;
  /** `null` when it was not asked. */
  readonly reserved: Reservation | null;
  /** `unread` when it was not asked, or the result backend is away. */
  readonly result: TaskResult | null | "unread";
  /** The worker that had it has been silent, or has stopped, for long enough. */
  readonly isWorkerGone: boolean;
}

/** Nothing was looked at: only what the notes hold counts. */
export const UNREAD: Evidence = {
  position: { kind: "unknown" },
  reserved: null,
  result: "unread",
  isWorkerGone: false,
};

/** How a worker's event ended a fire. */
export interface EventEnd {
  readonly outcome: "success" | "failure" | "revoked";
  readonly isExpired: boolean;
  readonly runtimeMs: number | null;
}

/** One that is dated before the publish: of a copy, or of a worker whose clock is behind. */
export interface EarlyEnd extends EventEnd {
  /** By the worker's clock. Unix milliseconds. */
  readonly atMs: number;
}

/**
 * What a leader has noticed of an open fire beyond its text. Not kept over a change of leaders: the
 * next one finds it again. Times are the server's, Unix milliseconds.
 */
export interface Notes {
  /** Not looked at before, but for a hint. */
  lookMs: number;
  paceMs: number;
  /** Since when every look found it in no list, not reserved and without a result; `null`: not so. */
  goneMs: number | null;
  /** As `goneMs`, where the samples did not reach far enough to say that it left its list. */
  unseenMs: number | null;
  /** Since when its finish is awaited; `null` where it is not. */
  ackedMs: number | null;
  /** Too many of its task are awaited: the next look is the last. */
  isSurplus: boolean;
  /** The worker that its events came from. */
  worker: string | null;
  /** How often workers said that they received it, or must have, and that they will retry it. */
  receipts: number;
  retries: number;
  /** One of the receipts was not told: it started. Told later, it is the same. */
  isReceiptImplied: boolean;
  /** Since when there are receipts that neither a delivery nor a retry explains. */
  extraReceiptMs: number | null;
  isStarted: boolean;
  /** A worker rejected it: it may wait at the new end of its list. */
  isRejected: boolean;
  end: EventEnd | null;
  earlyEnd: EarlyEnd | null;
}

export function newNotes({ redeliveries }: Pick<OpenFire, "redeliveries">): Notes {
  return {
    lookMs: 0,
    paceMs: 0,
    goneMs: null,
    unseenMs: null,
    ackedMs: null,
    isSurplus: false,
    worker: null,
    // Those of the deliveries before may have been told to another leader.
    receipts: redeliveries,
    retries: 0,
    isReceiptImplied: false,
    extraReceiptMs: null,
    isStarted: false,
    isRejected: false,
    end: null,
    earlyEnd: null,
  };
}

/**
 * Takes a worker's event into the notes. Events come late, twice, out of order or not at all. One that
 * is dated before the publish may be of a copy, so that it counts for no delivery; its end waits.
 *
 * @returns whether it is of this very message for sure
 */
export function noteEvent(
  notes: Notes,
  open: OpenFire,
  hint: Extract<Hint, { kind: "event" }>,
  nowMs: number,
): boolean {
  const end = endOfEvent(hint);
  if (hint.atMs < open.publishedMs - CLOCK_MARGIN_MS) {
    notes.worker ??= hint.worker;
    if (end !== null) notes.earlyEnd = { ...end, atMs: hint.atMs };
    return false;
  }
  notes.worker = hint.worker;
  notes.end = end ?? notes.end;
  switch (hint.type) {
    case "received":
      if (notes.isReceiptImplied) notes.isReceiptImplied = false;
      else notes.receipts++;
      notes.isRejected = false;
      break;
    case "started":
      notes.isStarted = true;
      if (notes.receipts > 0) break;
      notes.receipts = 1;
      notes.isReceiptImplied = true;
      break;
    case "retried":
      notes.retries++;
      break;
    case "rejected":
      notes.isRejected = true;
      break;
  }
  notes.extraReceiptMs = hasExtraReceipt(notes, open) ? notes.extraReceiptMs ?? nowMs : null;
  return true;
}

/** `null` where it is no end. */
function endOfEvent(
  { type, isExpired, runtimeMs }: Extract<Hint, { kind: "event" }>,
): EventEnd | null {
  switch (type) {
    case "succeeded":
      return { outcome: "success", isExpired: false, runtimeMs };
    case "failed":
      return { outcome: "failure", isExpired: false, runtimeMs };
    case "revoked":
      return { outcome: "revoked", isExpired, runtimeMs: null };
    default:
      return null;
  }
}

/** The order of a retry and of the receipt that follows it is not sure: see whether it lasts. */
function hasExtraReceipt(notes: Notes, { redeliveries }: OpenFire): boolean {
  return deliveriesOf(notes) > redeliveries + 1;
}

/**
 * Takes a delivery that was recorded into the notes: what it explains is none of the receipts that are
 * left, which have a while of their own.
 *
 * @param next the fire after that
 */
export function noteDelivery(notes: Notes, next: OpenFire, nowMs: number): void {
  notes.extraReceiptMs = hasExtraReceipt(notes, next) ? nowMs : null;
  if (isReceived(notes, next)) return;
  // Nobody told of it: what was told is of those before.
  notes.receipts = next.redeliveries + notes.retries;
  notes.isReceiptImplied = false;
  notes.worker = null;
}

/** Whether a worker told that it received the message as it was delivered last. */
export function isReceived(notes: Notes, { redeliveries }: OpenFire): boolean {
  return deliveriesOf(notes) > redeliveries;
}

/** Deliveries of this very message that workers told of. */
export function deliveriesOf(notes: Notes): number {
  return notes.receipts - notes.retries;
}

/** A final result counts only when it is dated after the publish: copies of a fire share one id. */
export function isFinal(result: Evidence["result"], publishedMs: number): result is TaskResult {
  if (result === null || result === "unread" || result.doneMs === null) return false;
  const { status, doneMs } = result;
  return (status === "SUCCESS" || status === "FAILURE" || status === "REVOKED") &&
    doneMs >= publishedMs - CLOCK_MARGIN_MS;
}
