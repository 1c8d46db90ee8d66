/** What an audit keeps while it reads: plans and counts of each task, the open fires, the findings. */

import type { JournalRow } from "../event.ts";
import { entryOf } from "../fire.ts";
import type { FindingKind, Findings } from "./findings.ts";
import { findingsOf } from "./findings.ts";
import type { Fold } from "./fold.ts";
import { foldOf } from "./fold.ts";
import type { Deadlines, Plan } from "./schedule.ts";
import type { Standing } from "./standing.ts";
import { standingOf } from "./standing.ts";
import type { Tally } from "./tally.ts";
import { newTally } from "./tally.ts";
import type { KeptTerms, Terms } from "./terms.ts";
import { termsOf } from "./terms.ts";

export interface AuditOptions {
  /** Due times from here on are audited; `-Infinity` for all. Unix milliseconds. */
  readonly sinceMs: number;
  /** Due times before this. */
  readonly untilMs: number;
  /** A fire is on time that is published so long after it was due. Milliseconds. */
  readonly toleranceMs: number;
  /** Rows before the first are known to be gone. */
  readonly isTrimmed: boolean;
  /** Entries to audit; `null` for all. */
  readonly tasks: ReadonlySet<string> | null;
  /** Rows that are wrong are shown whenever they were recorded. */
  readonly isShowingAll: boolean;
  /** Publishes whose messages were seen in the queues, by their keys (`openIdOf`). */
  readonly sights: ReadonlyMap<string, Sight>;
}

/** What the journal says of a message that was seen. */
export interface Sight {
  hasRow: boolean;
  /** When it was recorded as acked; `null` while it was not. Unix milliseconds. */
  ackedMs: number | null;
}

/** One task: an entry of the schedule, or what somebody asked for by its name. */
export interface Account {
  readonly task: string;
  /** `null` before a row declares it. */
  plan: Plan | null;
  readonly tally: Tally;
}

/** Kept with an open fire that was published: what its next rows are measured by. Unix milliseconds. */
export interface Note {
  readonly account: Account;
  /** The name that its rows carry. */
  readonly fire: string;
  readonly dueMs: number;
  readonly attempt: number;
  readonly publishedMs: number;
  readonly deadlines: Deadlines | null;
  /** When it was published, delivered again or acked: its deadline counts from there. */
  sinceMs: number;
  deliveries: number;
}

export interface Ledger extends AuditOptions {
  /** It began with a snapshot: what the rows before came to is known, and not which there were. */
  readonly isSeeded: boolean;
  /** It did not begin with a snapshot that told of no levels and pauses. */
  readonly isStandingKnown: boolean;
  readonly fold: Fold<Note>;
  readonly standing: Standing;
  readonly terms: Terms;
  readonly findings: Findings;
  readonly accounts: Map<string, Account>;
  rows: number;
  /** Ids of the first and the newest row; `null` before the first. */
  firstId: string | null;
  lastId: string | null;
  lastMs: number;
  /** The newest row was decided long before the time of its id. */
  wasBehind: boolean;
  /** When the present term last decided a due time; `-Infinity` where it has not yet. */
  decidedMs: number;
  /** `fire.late_ack` rows. */
  lateAcks: number;
  /** Rows of tasks whose declaration is older than the journal. */
  undeclared: number;
  /** History was lost: the next declaration of a task that was known before begins anew. */
  isAfterLoss: boolean;
  /** Those tasks, as long as none did. */
  lost: Set<string>;
}

/** What rows before the first came to. */
export interface LedgerSeed extends Pick<Fold<Note>, "fires"> {
  readonly standing: Omit<Standing, "take">;
  readonly terms: KeptTerms;
  readonly isStandingKnown: boolean;
}

/** @param seed `null` where it is not known, or nothing */
export function openLedger(options: AuditOptions, seed: LedgerSeed | null = null): Ledger {
  return {
    ...options,
    isSeeded: seed !== null,
    isStandingKnown: seed?.isStandingKnown ?? true,
    fold: foldOf(seed?.fires),
    standing: standingOf(seed?.standing),
    terms: termsOf(options.isTrimmed, seed?.terms),
    findings: findingsOf(),
    accounts: new Map(),
    rows: 0,
    firstId: null,
    lastId: null,
    lastMs: 0,
    wasBehind: false,
    decidedMs: -Infinity,
    lateAcks: 0,
    undeclared: 0,
    isAfterLoss: false,
    lost: new Set(),
  };
}

/** @param name an entry, or `entry+request` for what somebody asked for */
export function accountOf({ accounts }: Ledger, name: string): Account {
  const known = accounts.get(name);
  if (known !== undefined) return known;
  const task = entryOf(name);
  let account = accounts.get(task);
  if (account === undefined) {
    account = { task, plan: null, tally: newTally() };
    accounts.set(task, account);
  }
  return account;
}

export function isInWindow({ sinceMs, untilMs }: AuditOptions, ms: number): boolean {
  return ms >= sinceMs && ms < untilMs;
}

/** Notes what a row shows, where its due time or the row itself is in the window. */
export function noteRow(
  ledger: Ledger,
  kind: FindingKind,
  row: Pick<JournalRow, "id" | "task" | "dueMs">,
  { atMs, text, account }: { atMs: number; text: string; account?: Account },
): void {
  const { task, dueMs, id } = row;
  const isShown = ledger.isShowingAll || isInWindow(ledger, atMs) ||
    (dueMs !== null && isInWindow(ledger, dueMs));
  if (!isShown) return;
  if (account !== undefined && kind in account.tally) {
    account.tally[kind as Exclude<FindingKind, "history" | "differs">]++;
  }
  const times = dueMs === null ? [] : [dueMs];
  ledger.findings.add({
    ...{ kind, task, fromMs: dueMs, toMs: dueMs, count: 1, times, rowId: id, text },
  });
}

/** A span in words that a program can take apart, too: `3.2 s`. */
export function secondsText(ms: number): string {
  return `${Number((ms / 1_000).toFixed(3))} s`;
}
