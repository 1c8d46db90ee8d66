/**
 * What Beat remembers of a task: the values of `beat:cursors`, as text. The scripts compare these texts
 * whole, so each state has one spelling.
 */

import { invariant } from "./errors.ts";

/** The last due time of a task that was decided or is held, under the revision that decided it. */
export interface Cursor {
  readonly dueMs: number;
  readonly revision: string;
  /** Set while the fire of `dueMs` is held: its decision is yet to come. */
  readonly pending?: Pending;
}

/** Why a fire is held. */
export interface Pending {
  /** Not before this time; for one that waits for something else, since when. Unix milliseconds. */
  readonly notBeforeMs: number;
  /** The policy, and behind a colon what it waits for, if that is no time. Without spaces. */
  readonly by: string;
}

/** The name of the policy that holds it. */
export function policyOf({ by }: Pending): string {
  return by.split(":", 1)[0]!;
}

/**
 * Cursors that belong to no task: they number the rows that stand outside any schedule, so that
 * sending such a row again changes nothing. `@` cannot stand in a task's name.
 */
export const LOG_CURSOR = {
  term: "@term",
  /** Which epoch was told to be another than that of before, and under which fence. */
  history: "@history",
  control: "@control",
  late: "@late",
  /** When the newest snapshot was begun, and its checksum. */
  snapshot: "@snapshot",
  snapshotPart: "@snapshot_part",
} as const;

/** The cursor of a throttle: its time is since when, its revision the level. No cursor: normal. */
export function levelCursor(key: string): string {
  return `@level:${key}`;
}

/** The cursor of a standing pause: its time is since when, its revision {@link encodeNote}. */
export function pauseCursor(task: string): string {
  return `@pause:${task}`;
}

/** Stands for all tasks in {@link pauseCursor}. */
export const ALL_TASKS = "*";

/** Who ordered something, and why. */
export interface Note {
  readonly who: string;
  readonly note: string;
  /** When the order ended; `null` while it stands. Unix milliseconds. */
  readonly untilMs: number | null;
}

/** A note as the revision of a cursor: without spaces. */
export function encodeNote({ who, note, untilMs }: Note): string {
  const words = [who, note].map((text) => encodeURIComponent(text.toWellFormed()));
  return [...words, ...(untilMs === null ? [] : [untilMs])].join("/");
}

/** Loose: what another build wrote is shown as it is. */
export function decodeNote(revision: string): Note {
  const [who = "", note = "", until] = revision.split("/");
  const untilMs = until === undefined || !/^\d+$/.test(until) ? null : Number(until);
  return { who: textOf(who), note: textOf(note), untilMs };
}

function textOf(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

export function encodeCursor({ dueMs, revision, pending }: Cursor): string {
  if (pending === undefined) return `${dueMs} ${revision}`;
  return `${dueMs} ${revision} ${pending.notBeforeMs} ${pending.by}`;
}

export function decodeCursor(text: string): Cursor {
  const [due = "", revision = "", notBefore, by, ...rest] = text.split(" ");
  const dueMs = Number(due);
  // On the path of every fire: a sentence is made only when it is needed.
  const notBeforeMs = Number(notBefore ?? 0);
  const isCursor = due !== "" && Number.isSafeInteger(dueMs) && revision !== "" &&
    Number.isSafeInteger(notBeforeMs) && by !== "" && rest.length === 0;
  if (!isCursor || (notBefore === undefined) !== (by === undefined)) {
    invariant(false, `expected a cursor "dueMs revision [notBeforeMs by]", got "${text}"`);
  }
  return by === undefined ? { dueMs, revision } : { dueMs, revision, pending: { notBeforeMs, by } };
}
