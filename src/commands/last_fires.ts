/** What became of each task's last due time, from a bounded look at the journal. */

import { rangeState } from "../audit/recent.ts";
import type { Cursor } from "../cursor.ts";
import type { JournalRow } from "../event.ts";
import { recordedMs } from "../event.ts";
import type { Journal, Loaded } from "../ports.ts";

/**
 * The last due time that was decided. `state` is the newest thing known of it: `published`, `taken`,
 * `overdue`, `redelivered`, `acked`, an outcome (`success`, `failure` …), `expired`, `skipped`,
 * `due` or `delayed` (held), `dropped`; or `none` (known, and not due since), or `older` (decided, and
 * its rows are further back than was looked).
 */
export interface LastFire {
  readonly dueMs: number;
  readonly state: string;
  /** From due time to publish; null where nothing was published or its row was not found. */
  readonly latenessMs: number | null;
}

/** Rows read from the end of the journal. */
const BACK_MAX = 10_000;

/** Rows read from the due time of a task that the first look did not reach. */
const AROUND_MAX = 2_000;

/** Keyed by task; tasks of which nothing is known are absent. */
export async function lastFires(
  journal: Pick<Journal, "read" | "readBack">,
  tasks: readonly string[],
  loaded: Pick<Loaded, "cursors" | "open">,
): Promise<Map<string, LastFire>> {
  const found = await lookBack(journal, tasks);
  for (const task of tasks) {
    const cursor = loaded.cursors.get(task);
    if (found.has(task) || cursor === undefined) continue;
    found.set(task, openFire(task, cursor, loaded) ?? await lookAround(journal, task, cursor));
  }
  return found;
}

/** Newest rows first: what is met first is what a fire came to. */
async function lookBack(
  journal: Pick<Journal, "readBack">,
  tasks: readonly string[],
): Promise<Map<string, LastFire>> {
  const wanted = new Set(tasks);
  const found = new Map<string, LastFire>();
  const states = new Map<string, string>();
  let count = 0;
  for await (const row of journal.readBack({ from: "-", to: "+" })) {
    if (wanted.size === 0 || ++count > BACK_MAX) break;
    if (!wanted.has(row.task) || row.dueMs === null) continue;
    const fire = `${row.task}@${row.dueMs}`;
    const state = newerState(row, states.get(fire));
    if (state !== null) states.set(fire, state);
    if (!isDecision(row)) continue;
    found.set(row.task, { dueMs: row.dueMs, state: state ?? "none", latenessMs: lateness(row) });
    wanted.delete(row.task);
  }
  return found;
}

/** Of a due time long ago, the rows from then on: those of the decision, and mostly of the end. */
async function lookAround(
  journal: Pick<Journal, "read">,
  task: string,
  { dueMs }: Cursor,
): Promise<LastFire> {
  const rows: JournalRow[] = [];
  let count = 0;
  for await (const row of journal.read({ from: String(dueMs), to: "+" })) {
    if (++count > AROUND_MAX) break;
    if (row.task === task && row.dueMs === dueMs) rows.push(row);
  }
  let state: string | null = null;
  let latenessMs: number | null = null;
  for (const row of rows.reverse()) {
    state = newerState(row, state ?? undefined);
    latenessMs ??= lateness(row);
  }
  // Rows of another kind set the cursor: nothing was due since.
  return { dueMs, state: state ?? (rows.length > 0 ? "none" : "older"), latenessMs };
}

function openFire(task: string, { dueMs }: Cursor, loaded: Pick<Loaded, "open">): LastFire | null {
  const open = loaded.open.findLast((each) => each.task === task && each.dueMs === dueMs);
  if (open === undefined) return null;
  const waiting = open.isOverdue ? "overdue" : "published";
  return {
    dueMs,
    state: open.state === "queued" ? waiting : open.state,
    latenessMs: open.publishedMs - dueMs,
  };
}

/** @param newer the state that later rows of the same fire have given it */
function newerState(row: JournalRow, newer: string | undefined): string | null {
  const { outcome } = row.detail;
  const isOutcome = row.type === "fire.finished" && typeof outcome === "string";
  // An ack may be recorded with or after the outcome, which says more.
  if (isOutcome && (newer === undefined || newer === "acked")) return outcome;
  if (newer !== undefined) return newer;
  if (row.type === "task.dropped") return rangeState(row);
  if (!row.type.startsWith("fire.") || row.type === "fire.late_ack") return null;
  return row.type.slice("fire.".length);
}

/** Rows that decide a due time, or begin the time in which there are any. */
function isDecision({ type }: JournalRow): boolean {
  return [
    "fire.published",
    "fire.skipped",
    "fire.delayed",
    "fire.due",
    "task.dropped",
    "task.known",
  ].includes(type);
}

function lateness(row: JournalRow): number | null {
  return row.type === "fire.published" && row.dueMs !== null ? recordedMs(row) - row.dueMs : null;
}
