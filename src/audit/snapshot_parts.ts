/**
 * A snapshot of many tasks is written as several rows, one by one, so that the
 * leader and Redis can do other things in between. One checksum is over all of them; what is not whole is not used.
 */

import { createHash } from "node:crypto";
import type { Cursor } from "../cursor.ts";
import type { Detail, JournalRow } from "../event.ts";
import { rowOf } from "../event.ts";
import type { Snapshot, SnapshotState } from "./snapshot.ts";
import { FOLD_FORMAT } from "./snapshot.ts";

/** A row ends once its state is so long, in characters of JSON. */
const PART_LENGTH = 200_000;

/** A share of a state: each list in slices, the rest in the first of them. */
export type StatePart = Partial<SnapshotState>;

/** In the order in which they are cut. */
const LISTS = ["cursors", "plans", "fires", "levels", "pauses", "runs"] as const;

/**
 * One, if it is small.
 * @param sum takes what goes into each, before it is handed out
 */
export function* partsOf(
  state: SnapshotState,
  sum: Pick<Checksum, "addText"> = { addText() {} },
): Generator<StatePart> {
  let part: Record<string, unknown> = headOf(state);
  let length = 0;
  for (const [name, value] of sorted(part)) sum.addText(name, JSON.stringify(value));
  for (const name of LISTS) {
    for (const item of state[name]) {
      if (length > PART_LENGTH) {
        yield part as StatePart;
        [part, length] = [{}, 0];
      }
      const slice = (part[name] ??= []) as unknown[];
      const text = JSON.stringify(item);
      slice.push(item);
      sum.addText(name, text);
      length += text.length;
    }
  }
  yield part as StatePart;
}

function headOf(state: StatePart): Record<string, unknown> {
  const lists: ReadonlySet<string> = new Set(LISTS);
  return Object.fromEntries(Object.entries(state).filter(([name]) => !lists.has(name)));
}

function sorted(head: Record<string, unknown>): [name: string, value: unknown][] {
  return Object.entries(head).sort(([one], [other]) => one < other ? -1 : 1);
}

/** Of what is read. */
export interface PartsChecksum {
  /** The next part; or all of it as one. */
  add(part: StatePart): void;
  /** Sixteen hex digits that stand for a snapshot, however it is cut. */
  text(): string;
  /** Characters so far. */
  readonly length: number;
}

export interface Checksum extends PartsChecksum {
  /** The next entry of a head or item of a list, as JSON. */
  addText(name: string, text: string): void;
}

export function checksumFor({ cutId, rows }: Pick<Snapshot, "cutId" | "rows">): Checksum {
  const hash = createHash("sha256").update(`${cutId} ${rows}`);
  let length = 0;
  const addText = (name: string, text: string) => {
    length += text.length;
    hash.update(`\n${name} ${text}`);
  };
  return {
    addText,
    add(part) {
      for (const [name, value] of sorted(headOf(part))) addText(name, JSON.stringify(value));
      for (const name of LISTS) {
        for (const item of part[name] ?? []) addText(name, JSON.stringify(item));
      }
    },
    text: () => hash.digest("hex").slice(0, 16),
    get length() {
      return length;
    },
  };
}

export function checksumOf(
  { state, ...head }: Pick<Snapshot, "cutId" | "rows"> & { readonly state: StatePart },
): string {
  const sum = checksumOfFormat(state, head);
  sum.add(state);
  return sum.text();
}

/** @param part the first, which tells the format */
function checksumOfFormat(
  { format }: StatePart,
  head: Pick<Snapshot, "cutId" | "rows">,
): PartsChecksum {
  return format === 1 ? firstChecksum(head) : checksumFor(head);
}

/** That of format 1, which was one row. */
function firstChecksum({ cutId, rows }: Pick<Snapshot, "cutId" | "rows">): PartsChecksum {
  let json = "";
  return {
    add: (state) => void (json = JSON.stringify(state)),
    text: () => createHash("sha256").update(`${cutId} ${rows} ${json}`).digest("hex").slice(0, 16),
    get length() {
      return json.length;
    },
  };
}

export interface SnapshotReader {
  /**
   * The next row of the journal.
   * @returns the snapshot with its last row, or a sentence on why it cannot be used; else `null`
   */
  take(row: JournalRow): Snapshot | string | null;
}

/** Finds the rows of one snapshot. @param cursor says which: since when it was written, and its checksum */
export function snapshotReader(
  { revision, dueMs }: Pick<Cursor, "revision" | "dueMs">,
): SnapshotReader {
  let sum: PartsChecksum | null = null;
  let state: Record<string, unknown> = {};
  let count = 0;

  function addPart(part: StatePart): void {
    sum!.add(part);
    Object.assign(state, headOf(part));
    for (const name of LISTS) {
      (state[name] as unknown[]).push(...part[name] ?? []);
    }
  }

  function take(row: JournalRow): Snapshot | string | null {
    const { checksum, part } = row.detail as Partial<Detail<"journal.snapshot">>;
    if (row.type !== "journal.snapshot" || checksum !== revision) return null;
    // Another leader may have begun with the same.
    if (part !== undefined && part.sinceMs !== dueMs) return null;
    const known = rowOf(row, "journal.snapshot");
    if (known === null) return "its fields cannot be read";
    const { cutId, rows, state: own } = known.detail;
    const at = part ?? { index: 0, count: 1 };
    if (at.index === 0) {
      sum = checksumOfFormat(own as StatePart, { cutId, rows });
      [state, count] = [{ isStandingKnown: false, term: null, ...emptyLists() }, 0];
    }
    if (at.index !== count) return "a row of it is missing";
    count++;
    addPart(own as StatePart);
    if (count < at.count) return null;
    if (sum!.text() !== revision) return "its checksum does not fit what it says";
    const whole = state as unknown as SnapshotState;
    if (!READABLE.has(whole.format)) {
      return `it is of format ${whole.format}, not ${FOLD_FORMAT}`;
    }
    return { id: row.id, cutId, rows, checksum: revision, length: sum!.length, state: whole };
  }

  return { take };
}

/** Those before keep more: notes of held fires, and plans, of tasks that were retired. */
const READABLE: ReadonlySet<number> = new Set([1, 2, FOLD_FORMAT]);

/** Those of format 1 lack some. */
function emptyLists(): Record<string, unknown[]> {
  return Object.fromEntries(LISTS.map((name) => [name, []]));
}
