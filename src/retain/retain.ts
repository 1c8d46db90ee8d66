/**
 * Keeps the hot journal within its age and size. In this order, each step harmless to repeat: rows are
 * written to the archive, a snapshot row says what they came to, and only then they are cut off. What is
 * open is never cut off.
 */

import type { Snapshot } from "../audit/snapshot.ts";
import type { ServerClock } from "../clock.ts";
import { compareIds, millisecondsOf } from "../event.ts";
import type { Archive, Clock, Journal, JournalExtent } from "../ports.ts";
import { BREATH_MS, exportRows } from "./export_rows.ts";
import { newestSnapshot } from "./newest_snapshot.ts";
import { writeSnapshot } from "./write_snapshot.ts";

export interface Limits {
  /** Rows that are older go. Milliseconds. */
  readonly keepMs: number;
  /** Of the stream in Redis. */
  readonly maxBytes: number;
}

export interface RetainParts {
  readonly journal: Pick<Journal, "extent" | "read" | "reload" | "commit" | "trim">;
  readonly archive: Archive;
  readonly clock: Clock;
  readonly server: Pick<ServerClock, "nowMs">;
  readonly limits: Limits;
  /** Fires that are open or held, by their ids (`fireIdOf`). */
  readonly openFires: () => ReadonlySet<string>;
}

export type Retained =
  | { readonly kind: "fenced" }
  /** `heldBy`: the open fire whose rows, and those after them, could not go although they should. */
  | { readonly kind: "kept"; readonly rows: number; readonly heldBy: string | null };

const NOTHING = { kind: "kept", rows: 0, heldBy: null } as const satisfies Retained;

/** Of {@link Limits.maxBytes}: from here on rows go before their time, and so much is to stay. */
const FULL = 0.9;
const ROOM = 0.75;
/** Of {@link Limits.keepMs}: how much older rows may get, so that a snapshot stands for many. */
const SLACK = 1 / 24;
/** About what a row takes that is not of a snapshot. */
const ROW_BYTES = 100;

/** Which rows are to go: those recorded before a time, and at least what takes so many bytes. */
interface Target {
  readonly beforeMs: number;
  readonly bytes: number;
}

/**
 * One look; mostly there is nothing to do.
 *
 * @throws {ArchiveError} nothing was cut off
 * @throws {JournalUnavailableError} safe to repeat
 */
export async function retain(
  parts: RetainParts,
  fence: number,
  signal: AbortSignal,
): Promise<Retained> {
  const { journal, limits, server } = parts;
  const extent = await journal.extent();
  const nowMs = server.nowMs();
  const target = targetOf(extent, nowMs, limits);
  if (target === null || extent.firstId === null || extent.lastId === null) return NOTHING;
  const breathe = () => parts.clock.sleep(BREATH_MS, signal);
  const { snapshot, ...cursors } = await newestSnapshot(journal, breathe);
  const known = typeof snapshot === "string" ? null : snapshot;
  // A snapshot whose rows are still there: whoever wrote it did not come to cutting them off.
  if (known !== null && compareIds(known.cutId, extent.firstId) > 0) {
    return await cutBefore(parts, { firstId: extent.firstId, known }, fence, signal);
  }
  if (isTooSoon(extent, nowMs, limits, known)) return NOTHING;
  // The snapshot to come takes about what the last one does.
  const goingBytes = target.bytes === 0 ? 0 : target.bytes + (known?.length ?? 0);
  const cut = await exportRows(parts, {
    firstId: extent.firstId,
    lastId: extent.lastId,
    seed: known?.cutId === extent.firstId ? known.state : null,
    isBeginning: cursors.cursor === null,
    openFires: parts.openFires(),
    rowBytes: rowBytesOf(extent),
    goes: ({ id, bytes }) => millisecondsOf(id) < target.beforeMs || bytes < goingBytes,
  }, signal);
  if (cut === null || signal.aborted) return NOTHING;
  const { cutId, count, stops, state, heldBy } = cut;
  if (count === 0) return { ...NOTHING, heldBy };
  const next = { cutId, rows: (known?.rows ?? 0) + count, state };
  const written = await writeSnapshot({ ...parts, signal, breathe }, next, cursors, fence);
  if (written === "fenced") return { kind: "fenced" };
  // The next look begins with what another leader has left.
  if (written === "moved") return NOTHING;
  const rows = await trimTo(parts, extent.firstId, [...stops, cutId], fence);
  return rows === null ? { kind: "fenced" } : { kind: "kept", rows, heldBy };
}

/** `null` while the journal is within its limits. */
function targetOf(
  extent: JournalExtent,
  nowMs: number,
  { keepMs, maxBytes }: Limits,
): Target | null {
  const { firstId } = extent;
  if (firstId === null) return null;
  const isOld = millisecondsOf(firstId) < nowMs - keepMs * (1 + SLACK);
  const size = sizeOf(extent);
  const isFull = size > FULL * maxBytes;
  if (!isOld && !isFull) return null;
  return {
    beforeMs: isOld ? nowMs - keepMs : -Infinity,
    bytes: isFull ? size - ROOM * maxBytes : 0,
  };
}

function sizeOf({ rows, bytes }: JournalExtent): number {
  return bytes ?? rows * ROW_BYTES;
}

/** What a row takes that is not of a snapshot: less than the average, where there are snapshots. */
function rowBytesOf(extent: JournalExtent): number {
  return extent.rows === 0 ? ROW_BYTES : Math.min(ROW_BYTES, sizeOf(extent) / extent.rows);
}

/**
 * A snapshot of many tasks that are seldom due may be larger than what it lets go: rows, that is, for
 * one that only takes the place of another could be written at every look.
 */
function isTooSoon(
  extent: JournalExtent,
  nowMs: number,
  { keepMs, maxBytes }: Limits,
  known: Snapshot | null,
): boolean {
  const [firstMs, lastMs] = [millisecondsOf(extent.firstId!), millisecondsOf(extent.lastId!)];
  if (known === null || firstMs < nowMs - 2 * keepMs) return false;
  const size = sizeOf(extent);
  if (size > FULL * maxBytes) return size < 2 * known.length;
  const share = (nowMs - keepMs - firstMs) / Math.max(1, lastMs - firstMs);
  return extent.rows * rowBytesOf(extent) * share < known.length;
}

/** Brings to its end what a leader of before has begun. */
async function cutBefore(
  parts: RetainParts,
  { firstId, known }: { firstId: string; known: Snapshot },
  fence: number,
  signal: AbortSignal,
): Promise<Retained> {
  const cut = await exportRows(parts, {
    firstId,
    lastId: known.cutId,
    seed: null,
    isBeginning: false,
    openFires: new Set(),
    rowBytes: ROW_BYTES,
    goes: () => true,
  }, signal);
  if (cut === null || cut.cutId !== known.cutId) return NOTHING;
  const rows = await trimTo(parts, firstId, [...cut.stops, known.cutId], fence);
  return rows === null ? { kind: "fenced" } : { kind: "kept", rows, heldBy: null };
}

/**
 * Some rows at a time: the server does nothing else meanwhile.
 * @param stops ids up to which to cut, in order
 * @returns how many went; `null` when somebody newer leads
 */
async function trimTo(
  { journal }: RetainParts,
  firstId: string,
  stops: readonly string[],
  fence: number,
): Promise<number | null> {
  let rows = 0;
  let beginsAt = firstId;
  for (const cutId of stops) {
    if (cutId === beginsAt) continue;
    const reply = await journal.trim({ firstId: beginsAt, cutId }, fence);
    if (reply.kind === "fenced") return null;
    if (reply.kind === "moved") return rows;
    rows += reply.rows;
    beginsAt = cutId;
  }
  return rows;
}
