/**
 * Everything that was ever written to Redis, as the tap heard it, lost histories included; with what is
 * wrong in it. Shares no code with Beat: names and fields are read here as the README documents them.
 */

import type { Command, Group } from "./tap.ts";

/** A message and its record, as they were written in one step. Times are Unix milliseconds. */
export interface Published {
  readonly task: string;
  readonly dueMs: number;
  readonly celeryId: string;
  /** Of the row; its first part is Redis' time. */
  readonly rowId: string;
  readonly atMs: number;
  readonly fence: number;
  /** 0 for the first history, and one more after each server that was started or promoted. */
  readonly history: number;
  /** What took the row and the message back; `null` where they survive. */
  lostBy: Rollback | null;
}

/**
 * A server took over that did not know the newest writes: those after `keptMs`, and of the rows those
 * after `keptId`, up to `lostId`; there may be none.
 */
export interface Rollback {
  readonly atMs: number;
  readonly keptMs: number;
  readonly cause: string;
  readonly keptId: string;
  readonly lostId: string;
}

export interface TermEdge {
  readonly atMs: number;
  readonly fence: number;
}

/** What a server holds when it takes over. */
export interface Surviving {
  readonly lastId: string;
  readonly lastFence: number;
  /** When the last {@link BEACON} that it holds was written. Unix milliseconds. */
  readonly beaconMs: number;
  /** The file lost its end: what was there since the last beacon can be gone, though no row is. */
  readonly isTorn?: boolean;
}

export interface Ledger {
  take(group: Group): void;
  /** Another server, or the same one again, holds the data now. */
  takeOver(cause: string, found: Surviving): void;
  /** By fire id. */
  readonly published: ReadonlyMap<string, readonly Published[]>;
  readonly rollbacks: readonly Rollback[];
  /** How often workers gave the message of each fire back to its queue, by fire id. */
  readonly returned: ReadonlyMap<string, number>;
  /** The first publish under each new fence. */
  readonly firsts: readonly Published[];
  /** `task.known` rows: when each entry's time began. */
  readonly known: ReadonlyMap<string, number>;
  /** Rows by type. */
  readonly rows: ReadonlyMap<string, number>;
  /** Beginnings and ends of terms, as their rows say them. */
  readonly starts: readonly TermEdge[];
  readonly ends: readonly TermEdge[];
  readonly lastId: string;
  /** What is wrong, by the measure that it breaks. */
  readonly wrong: readonly Wrong[];
}

export interface Wrong {
  readonly measure: Measure;
  readonly what: string;
}

export type Measure =
  | "lost"
  | "doubled"
  | "unexplained"
  | "early"
  | "not on the list"
  | "out of order"
  | "message without record"
  | "record without message"
  | "old fence"
  | "vanished"
  | "started anew";

/** A row as it stands in the stream. */
export interface LedgerRow {
  readonly id: string;
  readonly atMs: number;
  readonly type: string;
  readonly task: string;
  readonly dueMs: number;
  readonly fence: number;
  readonly detail: string;
}

/** Holds the time, written again and again: what it says after a take-over is how far that knew. */
export const BEACON = "chaos:beacon";
export const JOURNAL = "beat:journal";
const CURSORS = "beat:cursors";

export function rowOf(id: string, fields: readonly string[]): LedgerRow {
  const value = (name: string) => {
    for (let index = 0; index < fields.length; index += 2) {
      if (fields[index] === name) return fields[index + 1]!;
    }
    return "";
  };
  return {
    id,
    atMs: Number(id.split("-")[0]),
    type: value("t"),
    task: value("k"),
    dueMs: Number(value("d")),
    fence: Number(value("f")),
    detail: value("p"),
  };
}

/** Whether the stream id `one` is above `other`. */
export function isAfter(one: string, other: string): boolean {
  const [ms = 0, seq = 0] = one.split("-").map(Number);
  const [otherMs = 0, otherSeq = 0] = other.split("-").map(Number);
  return ms > otherMs || (ms === otherMs && seq > otherSeq);
}

/** The fire of a queue's element, its Celery id, and whether a worker gave it back. */
export function messageOf(element: string) {
  const { headers, properties } = JSON.parse(element);
  return {
    fire: headers["x-beat-fire-id"] as string | undefined,
    celeryId: headers.id as string,
    isReturned: headers.redelivered === true ||
      properties?.delivery_info?.redelivered === true,
  };
}

export function newLedger(): Ledger {
  const published = new Map<string, Published[]>();
  const known = new Map<string, number>();
  const rows = new Map<string, number>();
  const rollbacks: Rollback[] = [];
  const returned = new Map<string, number>();
  const firsts: Published[] = [];
  const starts: TermEdge[] = [];
  const ends: TermEdge[] = [];
  const wrong: Wrong[] = [];
  let history = 0;
  let lastId = "0-0";
  let maxFence = 0;
  let publishedFence = 0;
  let beaconMs = 0;
  const lastDue = new Map<string, number>();
  const find = (measure: Measure, what: string) => wrong.push({ measure, what });

  function takeRow(row: LedgerRow): void {
    rows.set(row.type, (rows.get(row.type) ?? 0) + 1);
    lastId = row.id;
    if (row.fence < maxFence) {
      find("old fence", `row ${row.id} ${row.type} ${row.task} of ${row.fence} after ${maxFence}`);
    }
    maxFence = Math.max(maxFence, row.fence);
    if (row.type === "term.started") starts.push({ atMs: row.atMs, fence: row.fence });
    if (row.type === "term.ended") ends.push({ atMs: row.atMs, fence: row.fence });
    if (row.type === "task.known") {
      if (known.has(row.task)) find("started anew", `${row.task} at ${row.id}: ${row.dueMs}`);
      else known.set(row.task, row.dueMs);
    }
  }

  function takePublished(row: LedgerRow, celeryId: string): void {
    const { task, dueMs, id: rowId, atMs, fence } = row;
    const fire = `${task}@${dueMs}`;
    const one: Published = { task, dueMs, celeryId, rowId, atMs, fence, history, lostBy: null };
    const before = published.get(fire);
    if (before === undefined) published.set(fire, [one]);
    else before.push(one);
    if (fence !== publishedFence) firsts.push(one);
    publishedFence = fence;
    if (atMs < dueMs) find("early", `${fire} by ${dueMs - atMs} ms, row ${rowId}`);
    const last = lastDue.get(task) ?? 0;
    if (dueMs <= last) find("out of order", `${fire} after ${task}@${last}, row ${rowId}`);
    lastDue.set(task, dueMs);
  }

  return {
    take(group) {
      const [first] = group;
      if (first?.[1] === BEACON) beaconMs = Number(first[2]);
      const rowsOfIt = group.flatMap(rowIn);
      const messages = new Map(group.flatMap(messagesIn));
      for (const row of rowsOfIt) takeRow(row);
      for (const row of rowsOfIt.filter(({ type }) => type === "p")) {
        const fire = `${row.task}@${row.dueMs}`;
        const celeryId = messages.get(fire);
        messages.delete(fire);
        if (celeryId === undefined) find("record without message", `${fire}, row ${row.id}`);
        takePublished(row, celeryId ?? "");
        const cursor = cursorIn(group, row.task);
        if (cursor < row.dueMs) find("record without message", `${fire}, cursor at ${cursor}`);
      }
      for (const fire of messages.keys()) find("message without record", fire);
      for (const fire of group.flatMap(returnedIn)) {
        returned.set(fire, (returned.get(fire) ?? 0) + 1);
      }
    },
    takeOver(cause, found) {
      if (found.isTorn || isAfter(lastId, found.lastId) || found.beaconMs < beaconMs) {
        const range = { keptId: found.lastId, lostId: lastId };
        const rollback = { atMs: Date.now(), keptMs: found.beaconMs, cause, ...range };
        rollbacks.push(rollback);
        for (const each of [...published.values()].flat()) {
          if (isAfter(each.rowId, found.lastId)) each.lostBy ??= rollback;
        }
      }
      history++;
      beaconMs = found.beaconMs;
      lastId = found.lastId;
      maxFence = found.lastFence;
      lastDue.clear();
    },
    ...{ published, rollbacks, returned, firsts, known, rows, starts, ends, wrong },
    get lastId() {
      return lastId;
    },
  };
}

function rowIn([name, key, ...rest]: Command): LedgerRow[] {
  if (name?.toUpperCase() !== "XADD" || key !== JOURNAL) return [];
  return [rowOf(rest[0]!, rest.slice(1))];
}

/** Messages of Beat that were pushed for the first time: workers give some back. */
function messagesIn(command: Command): [string, string][] {
  return pushedIn(command).flatMap(({ fire, celeryId, isReturned }) =>
    fire === undefined || isReturned ? [] : [[fire, celeryId] as [string, string]]
  );
}

/** Fires whose messages workers gave back. */
function returnedIn(command: Command): string[] {
  return pushedIn(command).flatMap(({ fire, isReturned }) =>
    fire !== undefined && isReturned ? [fire] : []
  );
}

function pushedIn([name, , ...elements]: Command) {
  if (!/^[LR]PUSH$/i.test(name ?? "")) return [];
  return elements.filter((element) => element.includes('"x-beat-fire-id"')).map(messageOf);
}

/** The due time that the group leaves in the cursor of `task`; -1 where it leaves none. */
function cursorIn(group: Group, task: string): number {
  for (const [name, key, ...pairs] of group) {
    if (name?.toUpperCase() !== "HSET" || key !== CURSORS) continue;
    for (let index = 0; index < pairs.length; index += 2) {
      if (pairs[index] === task) return Number(pairs[index + 1]!.split(" ")[0]);
    }
  }
  return -1;
}
