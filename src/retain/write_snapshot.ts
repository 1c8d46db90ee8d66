/**
 * Writes a snapshot, row by row. Only the last one makes it the newest snapshot: what was not brought to
 * its end is passed over by whoever reads.
 */

import type { Snapshot } from "../audit/snapshot.ts";
import type { StatePart } from "../audit/snapshot_parts.ts";
import { checksumFor, partsOf } from "../audit/snapshot_parts.ts";
import type { ServerClock } from "../clock.ts";
import type { Cursor } from "../cursor.ts";
import { encodeCursor, LOG_CURSOR } from "../cursor.ts";
import type { Journal, Step } from "../ports.ts";
import type { Newest } from "./newest_snapshot.ts";

export interface WriteParts {
  readonly journal: Pick<Journal, "commit">;
  readonly server: Pick<ServerClock, "nowMs">;
  readonly signal: AbortSignal;
  /** Lets others have their turn. */
  breathe(): Promise<void>;
}

/**
 * @returns whether it is written; `moved`: another leader has written one meanwhile, or it was aborted
 * @throws {JournalUnavailableError} safe to repeat
 */
export async function writeSnapshot(
  { journal, server, signal, breathe }: WriteParts,
  next: Pick<Snapshot, "cutId" | "rows" | "state">,
  { cursor, partCursor }: Omit<Newest, "snapshot">,
  fence: number,
): Promise<"written" | "moved" | "fenced"> {
  const sum = checksumFor(next);
  const states: StatePart[] = [];
  for (const state of partsOf(next.state, sum)) {
    states.push(state);
    await breathe();
  }
  const snapshot = { ...next, checksum: sum.text(), states };
  for (const step of stepsOf(snapshot, { cursor, partCursor }, server)) {
    if (signal.aborted) return "moved";
    const reply = await journal.commit([step], fence);
    if (reply.kind === "fenced") return "fenced";
    if (reply.outcomes[0]?.kind !== "committed") return "moved";
    await breathe();
  }
  return "written";
}

interface Cut extends Pick<Snapshot, "cutId" | "rows" | "checksum"> {
  readonly states: readonly StatePart[];
}

function* stepsOf(
  { cutId, rows, checksum, states }: Cut,
  { cursor, partCursor }: Omit<Newest, "snapshot">,
  server: WriteParts["server"],
): Generator<Step> {
  const sinceMs = Math.max(server.nowMs(), (cursor?.dueMs ?? 0) + 1);
  const partMs = Math.max(sinceMs, (partCursor?.dueMs ?? 0) + 1);
  const count = states.length;
  let expect = partCursor;
  for (const [index, state] of states.entries()) {
    const part = count === 1 ? {} : { part: { index, count, sinceMs } };
    const detail = { cutId, rows, checksum, state: { ...state }, ...part };
    if (index === count - 1) {
      const next = { dueMs: sinceMs, revision: checksum };
      yield stepOf(LOG_CURSOR.snapshot, { expect: cursor, next }, detail, server.nowMs());
    } else {
      const next = { dueMs: partMs + index, revision: checksum };
      yield stepOf(LOG_CURSOR.snapshotPart, { expect, next }, detail, server.nowMs());
      expect = next;
    }
  }
}

function stepOf(
  task: string,
  { expect, next }: { expect: Cursor | null; next: Cursor },
  detail: Extract<Step["row"], { type: "journal.snapshot" }>["detail"],
  decidedMs: number,
): Step {
  return {
    task,
    expect: expect === null ? "" : encodeCursor(expect),
    next: encodeCursor(next),
    notBeforeMs: 0,
    row: { type: "journal.snapshot", task: "", dueMs: null, decidedMs, detail },
    publish: null,
  };
}
