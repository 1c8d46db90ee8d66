/**
 * Rows that Redis forgot are told in the journal, where somebody who had seen them could look the whole
 * time; and a history that is another is told once.
 */

import type { LedgerRow } from "./ledger.ts";
import { compareStreamIds } from "./ledger.ts";
import type { Fault, Kind, Plan } from "./plan.ts";

/** Rows that were lost at once. Times are milliseconds of the world. */
export interface Loss {
  readonly atMs: number;
  /** When the oldest of them was written. */
  readonly sinceMs: number;
}

/** All replicas that can look have seen a row within this. */
const SEEN_WITHIN_MS = 5_000;
/** A leader tells of it so soon after Redis is there again. */
const TOLD_WITHIN_MS = 30_000;

/** Who is to die of a commit dies of the next one. */
const LURKS_MS = 60_000;

/** With any other about, nobody may have seen the rows, or who had seen them may not lead. */
const HARMLESS: ReadonlySet<Kind> = new Set<Kind>([
  ...["clock", "script_flush", "wrong_type", "hints_lost", "cursor_deleted", "edit", "remove"],
  ...["poison", "herd", "worker", "order", "trigger"],
] as Kind[]);

export function untold(
  losses: readonly Loss[],
  rows: readonly LedgerRow[],
  plan: Plan,
): string[] {
  return losses.filter((loss) =>
    loss.sinceMs < loss.atMs - SEEN_WITHIN_MS && isQuiet(plan, loss) && !isTold(loss, rows)
  ).map(({ atMs, sinceMs }) => `nobody told that rows from ${sinceMs} on were lost at ${atMs}`);
}

/** One history that is another than that of before is told once, by whoever leads first. */
export function toldAgain(rows: readonly LedgerRow[], { faults }: Plan): string[] {
  const stayed = rows.filter(({ isLost }) => !isLost);
  const epochs = new Map(
    stayed.filter(({ type }) => type === "term.started")
      .map(({ fence, detail }) => [fence, detail.epoch]),
  );
  const told = new Map<unknown, LedgerRow>();
  return stayed.filter(({ type }) => type === "term.history_lost").flatMap((row) => {
    const epoch = epochs.get(row.fence);
    const before = told.get(epoch);
    told.set(epoch, row);
    // A copy that knows nothing of an emptied Redis brings the history of before back.
    const isBack = before !== undefined &&
      faults.some(({ kind, atMs }) =>
        kind === "failover" && atMs > before.atMs && atMs <= row.atMs
      );
    return before === undefined || isBack
      ? []
      : [`"${epoch}" was told to be another history at ${before.atMs} and again at ${row.atMs}`];
  });
}

/** Without any of these, no row is ever gone. */
const LOSING: ReadonlySet<Kind> = new Set<Kind>(["redis_restart", "failover", "flushall"]);

/** What is told to be lost, and is not. */
export function falselyTold(rows: readonly LedgerRow[], { faults }: Plan): string[] {
  const told = rows.filter(({ type, isLost }) => type.startsWith("term.history_") && !isLost);
  if (!faults.some(({ kind }) => LOSING.has(kind))) {
    return told.map(({ type, id }) => `${type} as ${id}, and nothing was lost`);
  }
  // A server that was the master may have taken rows that nobody else has seen.
  if (faults.some(({ kind }) => kind === "failover" || kind === "flushall")) return [];
  const lost = new Set(rows.filter(({ isLost }) => isLost).map(({ id }) => id));
  const shortened = told.filter(({ type }) => type === "term.history_shortened");
  return shortened.filter(({ detail: { fromId, toId } }) =>
    !lost.has(String(toId)) || compareStreamIds(String(fromId), String(toId)) >= 0
  ).map(({ detail: { fromId, toId } }) =>
    `rows after ${fromId} up to ${toId} are told to be lost, and ${toId} is not`
  );
}

function isQuiet({ faults }: Plan, { atMs, sinceMs }: Loss): boolean {
  return !faults.some((fault) =>
    !HARMLESS.has(fault.kind) && fault.atMs !== atMs &&
    fault.atMs < atMs + TOLD_WITHIN_MS && endOf(fault) > sinceMs
  );
}

function endOf(fault: Fault): number {
  const { atMs, forMs = 0, backMs = 0, downMs = 0, loadingMs = 0 } = fault as
    & Fault
    & {
      readonly [each in "forMs" | "backMs" | "downMs" | "loadingMs"]?: number;
    };
  const lurksMs = fault.kind === "kill" && fault.point !== "now" ? LURKS_MS : 0;
  return atMs + lurksMs + forMs + backMs + downMs + loadingMs + SEEN_WITHIN_MS;
}

function isTold({ atMs }: Loss, rows: readonly LedgerRow[]): boolean {
  return rows.some((row) =>
    row.type.startsWith("term.history") && row.atMs > atMs && row.atMs < atMs + TOLD_WITHIN_MS
  );
}
