/**
 * What the rows up to a cut came to, small enough for a row: plans, open fires, terms, and what stands
 * beside them (`standing.ts`). Whoever goes on from it with the rows after the cut comes to the same as
 * with all rows.
 */

import type { Cursor } from "../cursor.ts";
import { decodeCursor, encodeCursor, levelCursor, pauseCursor } from "../cursor.ts";
import { entryOf, parseFireId, parseOpenId } from "../fire.ts";
import type { Fold, FoldedFire } from "./fold.ts";
import type { AuditOptions, Ledger, Note } from "./ledger.ts";
import { accountOf, openLedger } from "./ledger.ts";
import type { KeptPlan } from "./kept_plan.ts";
import type { Plan } from "./schedule.ts";
import { isOver, keptPlan, planFrom } from "./kept_plan.ts";
import type { GoingRun, Standing, StandingTerm } from "./standing.ts";
import type { KeptTerms } from "./terms.ts";

/** Raised when the same rows come to something else than in the builds before. */
export const FOLD_FORMAT = 3;

/** Plain JSON, each list in a fixed order, so that equal states have equal texts. */
export interface SnapshotState {
  readonly format: number;
  /** The history began with what told of levels and pauses, or with nothing. */
  readonly isStandingKnown: boolean;
  readonly terms: KeptTerms;
  readonly lateAcks: number;
  readonly undeclared: number;
  readonly isAfterLoss: boolean;
  /** When the term in office last decided; `null`: not yet. Unix milliseconds. */
  readonly decidedMs: number | null;
  /** Those that do not follow from the plan of their task: a fire is held there. */
  readonly cursors: readonly (readonly [task: string, text: string])[];
  /** Without those of which nothing can come any more, {@link isOver}. */
  readonly plans: readonly KeptPlan[];
  readonly fires: readonly KeptFire[];
  /** Those that are not normal. */
  readonly levels: readonly (readonly [key: string, level: LevelSince])[];
  /** The last order about each task, or `*`; one that is over keeps back what came due before. */
  readonly pauses: readonly (readonly [task: string, text: string])[];
  readonly runs: readonly (readonly [task: string, run: GoingRun])[];
  readonly term: StandingTerm | null;
}

export interface LevelSince {
  readonly level: string;
  /** Unix milliseconds. */
  readonly sinceMs: number;
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

/** A snapshot as its rows say it; see `snapshot_parts.ts`. */
export interface Snapshot {
  /** The id of its last row. */
  readonly id: string;
  /** The first row that is not in it. */
  readonly cutId: string;
  /** Entries before that, since the history began. */
  readonly rows: number;
  readonly checksum: string;
  /** Characters that it takes. */
  readonly length: number;
  readonly state: SnapshotState;
}

/** What is to be known of the rows that `ledger` has taken. */
export function snapshotOf(ledger: Ledger): SnapshotState {
  const { fence, told, controls, lastControl, loss, isWhole } = ledger.terms;
  const { isStandingKnown, fold, standing, lateAcks, undeclared, isAfterLoss, decidedMs } = ledger;
  return {
    format: FOLD_FORMAT,
    isStandingKnown,
    terms: { fence, told, controls, lastControl, loss, isWhole },
    ...{ lateAcks, undeclared, isAfterLoss },
    decidedMs: Number.isFinite(decidedMs) ? decidedMs : null,
    cursors: textsOf(unplanned(ledger)),
    plans: keptPlans(ledger),
    fires: [...fold.fires].sort(byFirst).map(([fireId, fire]) => keptFire(fireId, fire)),
    levels: notesBelow(standing, levelCursor("")).filter(([, { revision }]) =>
      revision !== "normal"
    ).map(([key, { dueMs, revision }]) => [key, { level: revision, sinceMs: dueMs }]),
    pauses: textsOf(notesBelow(standing, pauseCursor(""))),
    runs: [...standing.runs].sort(byFirst),
    term: standing.term,
  };
}

function keptPlans({ accounts, fold, lastMs }: Ledger): KeptPlan[] {
  const open = new Set([...fold.fires.keys()].map((id) => entryOf(parseFireId(id)?.task ?? id)));
  return [...accounts.values()].flatMap(({ plan }) => plan ?? [])
    .filter((plan) => open.has(plan.task) || !isOver(plan, lastMs)).map(keptPlan)
    .sort((one, other) => compareText(one.task, other.task));
}

function textsOf(cursors: Iterable<readonly [string, Cursor]>): [name: string, text: string][] {
  return [...cursors].map(([name, cursor]): [string, string] => [name, encodeCursor(cursor)])
    .sort(byFirst);
}

/** By what follows `prefix` in their names. */
function notesBelow({ notes }: Standing, prefix: string): [name: string, cursor: Cursor][] {
  return [...notes].filter(([name]) => name.startsWith(prefix))
    .map(([name, cursor]): [string, Cursor] => [name.slice(prefix.length), cursor])
    .sort(byFirst);
}

/** The cursor that follows from a plan. */
function planned({ cursorMs, heldMs, revision }: KeptPlan | Plan): Cursor {
  return { dueMs: heldMs ?? cursorMs, revision };
}

/** Cursors that follow from no plan. */
function unplanned({ standing, accounts }: Ledger): [task: string, cursor: Cursor][] {
  return [...standing.cursors].filter(([task, { dueMs, revision, pending }]) => {
    const plan = accounts.get(task)?.plan ?? null;
    if (plan === null || plan.isRetired || pending !== undefined) return true;
    const own = planned(plan);
    return own.dueMs !== dueMs || own.revision !== revision;
  });
}

/** What stood beside the fires. */
export function standingIn(state: SnapshotState): Omit<Standing, "take"> {
  const { plans, cursors, levels, pauses, runs, term } = state;
  const notes = [
    ...levels.map(([key, { level, sinceMs }]) =>
      [levelCursor(key), { dueMs: sinceMs, revision: level }] as const
    ),
    ...pauses.map(([task, text]) => [pauseCursor(task), decodeCursor(text)] as const),
  ];
  return {
    cursors: new Map([
      ...plans.filter(({ isRetired }) => !isRetired).map((each) =>
        [each.task, planned(each)] as const
      ),
      ...cursors.map(([task, text]) => [task, decodeCursor(text)] as const),
    ]),
    notes: new Map(notes),
    runs: new Map(runs),
    term,
  };
}

/** Fires that had begun and not ended, without their notes. */
export function firesIn<Note = undefined>({ fires }: SnapshotState): Fold<Note>["fires"] {
  return new Map(
    fires.map(({ fireId, openId, state }) => [fireId, { openId, state, note: undefined }]),
  );
}

/** A ledger that has taken what `state` was made of. */
export function ledgerFrom(options: AuditOptions, state: SnapshotState): Ledger {
  const { ledger, plans } = seedLedger(options, state);
  while (!plans.next().done);
  return ledger;
}

/** Plans that are taken in one go: each has a trigger to make. */
const PLANS_AT_ONCE = 250;

/** As {@link ledgerFrom}, for who has other things to do. @returns a ledger, ready once `plans` is done */
export function seedLedger(
  options: AuditOptions,
  state: SnapshotState,
): { readonly ledger: Ledger; readonly plans: Iterator<void> } {
  const ledger = openLedger(options, {
    ...{ fires: firesIn(state), standing: standingIn(state), terms: state.terms },
    isStandingKnown: state.isStandingKnown,
  });
  ledger.lateAcks = state.lateAcks;
  ledger.undeclared = state.undeclared;
  ledger.isAfterLoss = state.isAfterLoss;
  if (state.isAfterLoss) ledger.lost = new Set(state.plans.map(({ task }) => task));
  ledger.decidedMs = state.decidedMs ?? -Infinity;
  return { ledger, plans: seedPlans(ledger, state) };
}

function* seedPlans(ledger: Ledger, { plans, fires }: SnapshotState): Generator<void> {
  const isAudited = (task: string) => ledger.tasks === null || ledger.tasks.has(task);
  for (const [index, kept] of plans.entries()) {
    if (isAudited(kept.task)) accountOf(ledger, kept.task).plan = planFrom(kept);
    if ((index + 1) % PLANS_AT_ONCE === 0) yield;
  }
  for (const kept of fires) {
    const fire = ledger.fold.fires.get(kept.fireId);
    const id = parseFireId(kept.fireId);
    if (fire !== undefined && id !== null && isAudited(entryOf(id.task))) {
      fire.note = noteOf(ledger, kept);
    }
  }
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
