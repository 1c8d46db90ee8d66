/**
 * Which requests were handled: a ring of log cursors, one a request. The newest says how far the
 * stream of requests was read; each says what became of its request, so that one that is asked again
 * under the same id is known. A request's rows move its own cursor, so each is written once.
 */

import type { Cursor } from "../cursor.ts";
import { encodeCursor } from "../cursor.ts";
import { compareIds, millisecondsOf, NO_ID } from "../event.ts";

/** Requests that are remembered; older ones are forgotten, and asked again they are new. */
export const RING_SIZE = 1_000;

/** `taken`: it has begun, and goes on. `repeated`: another of the same id was before it. */
export type SlotState = "taken" | "done" | "refused" | "repeated";

export interface Slot {
  /** Of the entry in the stream. */
  readonly entryId: string;
  /** The count of requests up to this one. */
  readonly number: number;
  readonly state: SlotState;
  /** How many of its fires are settled, and how many of these were published. */
  readonly settled: number;
  readonly published: number;
  readonly requestId: string;
  /** `null` where it is no backfill. */
  readonly backfill: SlotBackfill | null;
}

export interface SlotBackfill {
  readonly task: string;
  /** The newest row of the journal when it ended, at or after its last fire; `null` before. */
  readonly endedId: string | null;
}

export interface Ring {
  /** By the name of its cursor. */
  readonly slots: ReadonlyMap<string, Slot>;
  /** The newest entry that was taken up; `0-0` for none. */
  readonly lastId: string;
  /** The number of the next request, and the name of its cursor. */
  readonly next: { readonly number: number; readonly cursor: string };
}

/** @param cursors all of them, or those of the ring */
export function ringOf(cursors: ReadonlyMap<string, Cursor>): Ring {
  const slots = new Map<string, Slot>();
  let lastId = NO_ID;
  let number = 0;
  for (const cursor of slotCursorsOf(cursors)) {
    const slot = decodeSlot(cursors.get(cursor));
    if (slot === null) continue;
    slots.set(cursor, slot);
    number = Math.max(number, slot.number);
    if (compareIds(slot.entryId, lastId) > 0) lastId = slot.entryId;
  }
  do number++; while (slots.get(slotCursor(number))?.state === "taken");
  return { slots, lastId, next: { number, cursor: slotCursor(number) } };
}

/** In the order of the ring. Most schedules have fewer cursors than a ring has slots. */
function slotCursorsOf(cursors: ReadonlyMap<string, Cursor>): readonly string[] {
  if (cursors.size >= RING_SIZE) return SLOT_CURSORS;
  const present: string[] = [];
  for (const cursor of cursors.keys()) if (SLOT_PLACE.has(cursor)) present.push(cursor);
  return present.sort((one, other) => SLOT_PLACE.get(one)! - SLOT_PLACE.get(other)!);
}

/** The slot of a cursor as it stands; `null` where it has none. */
export function slotAt(cursors: ReadonlyMap<string, Cursor>, cursor: string): Slot | null {
  return decodeSlot(cursors.get(cursor));
}

/**
 * What became of the first request of this id that was not refused, or after some of its fires only;
 * `null` where it is new.
 */
export function slotOf({ slots }: Ring, requestId: string): Slot | null {
  let found: Slot | null = null;
  for (const slot of slots.values()) {
    const hasBegun = slot.state !== "refused" || slot.published > 0;
    const isIt = slot.requestId === requestId && hasBegun;
    if (isIt && slot.number < (found?.number ?? Infinity)) found = slot;
  }
  return found;
}

/** Requests that have begun and not ended, by their cursors. */
export function takenSlots({ slots }: Ring): [cursor: string, slot: Slot][] {
  return [...slots].filter(([, { state }]) => state === "taken");
}

/** The oldest entry that is needed still; what is older may be trimmed. */
export function neededId(ring: Ring): string {
  const taken = takenSlots(ring).map(([, { entryId }]) => entryId);
  return taken.reduce((one, other) => compareIds(other, one) < 0 ? other : one, ring.lastId);
}

const STATE_CODE: Record<SlotState, string> = {
  taken: "t",
  done: "d",
  refused: "r",
  repeated: "s",
};
const STATE_OF = new Map(
  (Object.entries(STATE_CODE) as [SlotState, string][]).map(([state, code]) => [code, state]),
);

/** The text of a slot's cursor: its time is that of the entry. */
export function encodeSlot(slot: Slot): string {
  const { entryId, number, state, settled, published, requestId, backfill } = slot;
  const sequence = entryId.slice(entryId.indexOf("-") + 1);
  const stand = `${STATE_CODE[state]}${settled}.${published}`;
  const end = backfill === null ? "" : `/${backfill.endedId ?? ""}/${backfill.task}`;
  const revision = `${sequence}/${number}/${stand}/${requestId}${end}`;
  return encodeCursor({ dueMs: millisecondsOf(entryId), revision });
}

/** A leader reads them four times a second, and a cursor is never changed. */
const decoded = new WeakMap<Cursor, Slot | null>();

function decodeSlot(cursor: Cursor | undefined): Slot | null {
  if (cursor === undefined) return null;
  let slot = decoded.get(cursor);
  if (slot === undefined) decoded.set(cursor, slot = readSlot(cursor));
  return slot;
}

const SLOT = /^(\d+)\/(\d+)\/([tdrs])(\d+)\.(\d+)\/([^/]+)(?:\/(\d+-\d+)?\/([^/]+))?$/;

/** Loose: a cursor that another build wrote is as good as none. */
function readSlot(cursor: Cursor): Slot | null {
  const match = SLOT.exec(cursor.revision);
  if (match === null) return null;
  const [, sequence, number, code, settled, published, requestId, ended, task] = match;
  return {
    entryId: `${cursor.dueMs}-${sequence}`,
    number: Number(number),
    state: STATE_OF.get(code!)!,
    settled: Number(settled),
    published: Number(published),
    requestId: requestId!,
    backfill: task === undefined ? null : { task, endedId: ended || null },
  };
}

function slotCursor(number: number): string {
  return `@request:${number % RING_SIZE}`;
}

/** The names of all cursors of the ring. */
const SLOT_CURSORS: readonly string[] = Array.from(
  { length: RING_SIZE },
  (_, number) => slotCursor(number),
);

const SLOT_PLACE = new Map(SLOT_CURSORS.map((cursor, place) => [cursor, place]));
