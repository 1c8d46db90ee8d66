/**
 * What the rows up to a cut came to, small enough for a row: cursors, plans, open fires, levels, terms.
 * Whoever goes on from it with the rows after the cut comes to the same as with all rows.
 */

import { createHash } from "node:crypto";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import type { JournalRow } from "../event.ts";
import { rowOf } from "../event.ts";
import { parseOpenId } from "../fire.ts";
import type { FoldedFire, LevelSince } from "./fold.ts";
import type { AuditOptions, Ledger, Note } from "./ledger.ts";
import { accountOf, openLedger } from "./ledger.ts";
import type { KeptPlan } from "./kept_plan.ts";
import { keptPlan, planFrom } from "./kept_plan.ts";
import type { KeptTerms } from "./terms.ts";

/** Raised when the same rows come to something else than in the builds before. */
export const FOLD_FORMAT = 1;

/** Plain JSON, each list in a fixed order, so that equal states have equal texts. */
export interface SnapshotState {
  readonly format: number;
  readonly terms: KeptTerms;
  readonly lateAcks: number;
  readonly undeclared: number;
  readonly isAfterLoss: boolean;
  /** When the term in office last decided; `null`: not yet. Unix milliseconds. */
  readonly decidedMs: number | null;
  readonly cursors: readonly (readonly [task: string, text: string])[];
  readonly plans: readonly KeptPlan[];
  readonly fires: readonly KeptFire[];
  readonly levels: readonly (readonly [key: string, level: LevelSince])[];
}

/** An open fire. Unix milliseconds; those of a publish are `null` while it is held. */
export interface KeptFire {
  readonly fireId: string;
  readonly openId: string;
  readonly state: string;
  readonly publish: {
    readonly publishedMs: number;
    readonly sinceMs: number;
    readonly deliveries: number;
  } | null;
}

/** A snapshot as its row says it. */
export interface Snapshot {
  /** The id of its row. */
  readonly id: string;
  /** The first row that is not in it. */
  readonly cutId: string;
  /** Entries before that, since the history began. */
  readonly rows: number;
  readonly checksum: string;
  readonly state: SnapshotState;
}

/** What is to be known of the rows that `ledger` has taken. */
export function snapshotOf(ledger: Ledger): SnapshotState {
  const { fence, told, controls, lastControl, loss, isWhole } = ledger.terms;
  const { fold, lateAcks, undeclared, isAfterLoss, decidedMs } = ledger;
  const plans = [...ledger.accounts.values()].flatMap(({ plan }) => plan ?? []);
  return {
    format: FOLD_FORMAT,
    terms: { fence, told, controls, lastControl, loss, isWhole },
    ...{ lateAcks, undeclared, isAfterLoss },
    decidedMs: Number.isFinite(decidedMs) ? decidedMs : null,
    cursors: [...fold.cursors].map(([task, cursor]) => [task, encodeCursor(cursor)] as const)
      .sort(byFirst),
    plans: plans.map(keptPlan).sort((one, other) => compareText(one.task, other.task)),
    fires: [...fold.fires].sort(byFirst).map(([fireId, fire]) => keptFire(fireId, fire)),
    levels: [...fold.levels].sort(byFirst),
  };
}

/** A ledger that has taken what `state` was made of. */
export function ledgerFrom(options: AuditOptions, state: SnapshotState): Ledger {
  const cursors = new Map(
    state.cursors.map(([task, text]) => [task, decodeCursor(text)] as const),
  );
  const fires = new Map(
    state.fires.map(({ fireId, openId, state }) =>
      [fireId, { openId, state, note: undefined }] as const
    ),
  );
  const fold = { cursors, fires, levels: new Map(state.levels) };
  const ledger = openLedger(options, { fold, terms: state.terms });
  ledger.lateAcks = state.lateAcks;
  ledger.undeclared = state.undeclared;
  ledger.isAfterLoss = state.isAfterLoss;
  ledger.decidedMs = state.decidedMs ?? -Infinity;
  for (const kept of state.plans) {
    const isAudited = options.tasks === null || options.tasks.has(kept.task);
    if (isAudited) accountOf(ledger, kept.task).plan = planFrom(kept);
  }
  for (const kept of state.fires) {
    const fire = ledger.fold.fires.get(kept.fireId);
    if (fire !== undefined) fire.note = noteOf(ledger, kept);
  }
  return ledger;
}

/** Sixteen hex digits that stand for a snapshot. */
export function checksumOf({ cutId, rows, state }: Pick<Snapshot, "cutId" | "rows" | "state">) {
  const text = `${cutId} ${rows} ${JSON.stringify(state)}`;
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/**
 * The snapshot that a row says, or a sentence on why it cannot be used; `null` where the row is none.
 */
export function readSnapshot(row: JournalRow): Snapshot | string | null {
  if (row.type !== "journal.snapshot") return null;
  if (rowOf(row, "journal.snapshot") === null) return "its fields cannot be read";
  const { cutId, rows, checksum, state } = row.detail as unknown as Snapshot;
  if (checksumOf({ cutId, rows, state }) !== checksum) {
    return "its checksum does not fit what it says";
  }
  if (state.format !== FOLD_FORMAT) return `it is of format ${state.format}, not ${FOLD_FORMAT}`;
  return { id: row.id, cutId, rows, checksum, state };
}

function keptFire(fireId: string, { openId, state, note }: FoldedFire<Note>): KeptFire {
  if (note === undefined) return { fireId, openId, state, publish: null };
  const { publishedMs, sinceMs, deliveries } = note;
  return { fireId, openId, state, publish: { publishedMs, sinceMs, deliveries } };
}

function noteOf(ledger: Ledger, { openId, publish }: KeptFire): Note | undefined {
  const id = parseOpenId(openId);
  if (publish === null || id === null) return undefined;
  const account = accountOf(ledger, id.task);
  const deadlines = account.plan?.deadlines ?? null;
  return { ...publish, account, fire: id.task, dueMs: id.dueMs, attempt: id.attempt, deadlines };
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function byFirst(one: readonly [string, ...unknown[]], other: readonly [string, ...unknown[]]) {
  return compareText(one[0], other[0]);
}
