/** Reads what the journal has around one due time: bounded, by the ids of its rows, which are times. */

import { isSignOfWorker } from "../audit/cause.ts";
import { DECLARES } from "../audit/schedule_then.ts";
import type { JournalRow } from "../event.ts";
import { entryOf, wantedName } from "../fire.ts";
import type { Journal } from "../ports.ts";
import { firstRow, termStart } from "./term_start.ts";

/** Rows read from the due time on, and back from it, where what is sought does not come earlier. */
export const AROUND_MAX = 20_000;

/** Rows read back before the beginnings of terms are searched, which costs less. */
const BACK_FIRST = 300;

/** Rows read after the end of a fire: what comes for it later mostly comes soon. */
const AFTER_END = 300;

/** Terms before the due time whose first rows are searched for the declaration of the task. */
const TERMS_MAX = 8;

/** Rows read from the start of a term: first of all it declares its tasks. */
const TERM_ROWS_MAX = 2_000;

/** Rows read from the time that a result is dated. */
const RESULT_ROWS_MAX = 2_000;

type Reading = Pick<Journal, "read" | "readBack">;

export interface Around {
  readonly rows: JournalRow[];
  readonly first: JournalRow | null;
  readonly isComplete: boolean;
  /** Of an undecided one, the row by which the cursor stands before it. */
  readonly before: JournalRow | null;
}

export interface AroundOptions {
  readonly task: string;
  readonly dueMs: number;
  /** The fire has begun and not ended: its last rows may be anywhere. */
  readonly isOpen: boolean;
  /** Nobody has decided about it: its rows are not there yet. */
  readonly isUndecided: boolean;
  /** Read on to the end where it is not found sooner. */
  readonly isDeep: boolean;
  /** Of the task's cursor: what was declared under it is in force still. `null` for none. */
  readonly revision: string | null;
  /** The due time at which the cursor stands; `null` for none. */
  readonly cursorMs: number | null;
  /** Tasks of the same queue: that theirs are taken shows that a worker serves it. */
  readonly neighbours: ReadonlySet<string>;
}

/**
 * @param peek a journal that is good at few rows, as these mostly are
 * @throws {JournalUnavailableError}
 */
export async function readAround(
  peek: Reading,
  options: AroundOptions,
): Promise<Around> {
  const { task, cursorMs, isUndecided } = options;
  const [back, forward, first, before] = await Promise.all([
    readBackwards(peek, options),
    readForwards(peek, options),
    firstRow(peek.read({ from: "-", to: "+" })),
    isUndecided && cursorMs !== null
      ? readNear(peek, { task, dueMs: cursorMs, atMs: cursorMs })
      : [],
  ]);
  return {
    rows: [...back, ...forward.rows],
    ...{ first, isComplete: forward.isComplete, before: before.at(-1) ?? null },
  };
}

/** The nearest row before the due time, and back to the one that declared the task. */
async function readBackwards(
  peek: Reading,
  { task, dueMs, isDeep, revision }: AroundOptions,
): Promise<JournalRow[]> {
  const rows: JournalRow[] = []; // Newest first.
  let declared: JournalRow | null = null;
  let limit = isDeep ? Infinity : BACK_FIRST;
  let count = 0;
  for await (const row of peek.readBack({ from: "-", to: String(dueMs) })) {
    if (count++ === 0 || isAbout(row, { task, dueMs })) rows.push(row);
    if (row.task === entryOf(task) && declares(row)) return rows.reverse();
    if (count < limit) continue;
    if (count > BACK_FIRST) break;
    declared = await searchTerms(peek, entryOf(task), row.fence);
    // Under another revision, it was declared anew in the middle of a term, before or after.
    if (declared !== null && declared.detail.revision === revision) break;
    limit = AROUND_MAX;
  }
  return [...(declared === null ? [] : [declared]), ...rows.reverse()];
}

/**
 * A leader declares what is new to it or has changed before it fires anything. Term by term back.
 * @param newest the fence of the term to begin with
 */
async function searchTerms(
  peek: Reading,
  task: string,
  newest: number,
): Promise<JournalRow | null> {
  let fence: number | null = newest;
  for (let terms = 0; fence !== null && terms < TERMS_MAX; terms++) {
    const start = await termStart(peek, fence);
    if (start === null) return null;
    const declared = await declaredIn(peek, task, { fence, fromMs: start.atMs });
    if (declared !== null) return declared;
    fence = await fenceBefore(peek, { fence, atMs: start.atMs });
  }
  return null;
}

async function declaredIn(
  peek: Reading,
  task: string,
  { fence, fromMs }: { fence: number; fromMs: number },
): Promise<JournalRow | null> {
  let declared: JournalRow | null = null;
  let count = 0;
  for await (const row of peek.read({ from: String(fromMs), to: "+" })) {
    if (++count > TERM_ROWS_MAX || row.fence > fence) break;
    if (row.fence < fence || row.task !== task) continue;
    if (declares(row)) declared = row;
    // It fires, so this term has declared what it had to.
    else if (row.type === "fire.published") break;
  }
  return declared;
}

/** Fences grow, and not by one. */
async function fenceBefore(
  peek: Reading,
  { fence, atMs }: { fence: number; atMs: number },
): Promise<number | null> {
  for await (const row of peek.readBack({ from: "-", to: String(atMs) })) {
    if (row.fence < fence) return row.fence;
  }
  return null;
}

function declares({ type }: JournalRow): boolean {
  return DECLARES.has(type) || type === "task.retired";
}

function isAbout(row: JournalRow, { task, dueMs }: { task: string; dueMs: number }): boolean {
  if (row.task !== task) {
    // What somebody asked for, of the same due time, goes by a name of its own.
    const isWanted = row.dueMs === dueMs && row.task !== "" && entryOf(row.task) === task;
    return isWanted || row.type.startsWith("term.") || isBehindWanted(row, task);
  }
  return row.dueMs === dueMs || row.type.startsWith("task.");
}

/** Of a fire that somebody asked for: the request, and what its entry was declared to be. */
function isBehindWanted({ type, task: name, detail }: JournalRow, task: string): boolean {
  if (name === "" || entryOf(task) !== name) return false;
  return type.startsWith("task.") ||
    (type === "control.requested" && wantedName(name, String(detail.request)) === task);
}

const ENDS: ReadonlySet<string> = new Set(["fire.finished", "fire.expired", "fire.skipped"]);

async function readForwards(
  peek: Reading,
  { task, dueMs, isOpen, isUndecided, isDeep, neighbours }: AroundOptions,
): Promise<{ rows: JournalRow[]; isComplete: boolean }> {
  const rows: JournalRow[] = [];
  /** The last sign that its queue was served while it waited: of many, one is as good as all. */
  let served: JournalRow | null = null;
  // The end of one that is open has not been written.
  let limit = isUndecided ? AFTER_END : isDeep ? Infinity : AROUND_MAX;
  let hasEnded = isUndecided || isOpen;
  let isOver = false;
  let count = 0;
  for await (const row of peek.read({ from: String(dueMs + 1), to: "+" })) {
    if (count++ === 0 || isAbout(row, { task, dueMs })) rows.push(row);
    else if (!isOver && isSignOfWorker(row) && neighbours.has(row.task)) {
      if (served !== null) rows.splice(rows.lastIndexOf(served), 1);
      rows.push(served = row);
    }
    isOver ||= isEnd(row, task, dueMs);
    if (!hasEnded && isOver) {
      hasEnded = true;
      limit = count + AFTER_END;
    }
    if (count >= limit) return { rows, isComplete: hasEnded };
  }
  return { rows, isComplete: true };
}

function isEnd(row: JournalRow, task: string, dueMs: number): boolean {
  if (row.task !== task) return false;
  if (row.type === "task.dropped") return Number(row.detail.fromMs) <= dueMs && row.dueMs! >= dueMs;
  return row.dueMs === dueMs && ENDS.has(row.type);
}

/** Rows of a fire near the time that its result is dated: the end of a run is recorded soon after. */
export async function readNear(
  peek: Reading,
  { task, dueMs, atMs }: { task: string; dueMs: number; atMs: number },
): Promise<JournalRow[]> {
  const rows: JournalRow[] = [];
  let count = 0;
  for await (const row of peek.read({ from: String(atMs), to: "+" })) {
    if (row.task === task && row.dueMs === dueMs) rows.push(row);
    if (++count >= RESULT_ROWS_MAX || isEnd(row, task, dueMs)) break;
  }
  return rows;
}
