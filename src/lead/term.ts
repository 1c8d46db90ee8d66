/** One leader's time in office: from loading the world to handing over. */

import { openOf } from "../follow/open_fires.ts";
import type { ServerClock } from "../clock.ts";
import { waitFor } from "../clock.ts";
import { encodeCursor, LOG_CURSOR } from "../cursor.ts";
import type { Row } from "../event.ts";
import { millisecondsOf, NO_ID } from "../event.ts";
import type { Clock, Journal, Stage, Step } from "../ports.ts";
import { BATCH_MAX } from "../ports.ts";
import { digestOf } from "../task.ts";
import { agendaOf } from "../core/agenda.ts";
import type { Committer } from "../core/commit.ts";
import { committer } from "../core/commit.ts";
import type { Term } from "../core/chain.ts";
import { lookMsOr } from "../core/decide.ts";
import { flushStep } from "../core/skip_run.ts";
import type { History } from "./history.ts";
import { forget, forgetTold } from "./history.ts";
import { reconcile } from "../core/reconcile.ts";
import type { Roster } from "../core/roster.ts";
import type { Tick } from "../core/tick.ts";
import { PREPARE_MS } from "../core/tick.ts";
import type { World } from "../core/world.ts";
import { cursorText, skipRunOf, worldOf } from "../core/world.ts";

/** A schedule that does not settle in so many passes is being changed by somebody else. */
const RECONCILE_PASSES_MAX = 5;

export interface TermParts {
  readonly journal: Journal;
  readonly stage?: Stage;
  readonly clock: Clock;
  readonly server: ServerClock;
}

/** What a term starts with saying. */
export interface Opening {
  readonly owner: string;
  readonly epoch: string;
  readonly build: string;
  /** See `Seen`. */
  readonly lostAfter: number | null;
  /** Called with what the journal then says of it, unless it says so already. */
  readonly onHistoryLost?: (reason: string) => void;
  /** A cut in it is told, too, and forgotten then. */
  readonly history: History;
}

/**
 * Loads the world and brings the schedule in it up to date.
 *
 * @returns what a tick needs, or `null` when somebody newer leads
 * @throws {JournalUnavailableError}
 */
export async function openTerm(
  parts: TermParts,
  roster: Roster,
  term: Term,
  opening: Opening,
): Promise<Tick | null> {
  const { history } = opening;
  const loaded = await parts.journal.load("paged");
  // The load may be what shows it, after a leader of meanwhile has told of it.
  await forgetTold(parts.journal, history);
  const world = worldOf(loaded, await openOf(loaded, () => parts.clock.sleep(0, NEVER)));
  const sender = committer(parts, world);
  const told = history.cuts;
  const steps = openingSteps({ ...parts, world, opening, isEmpty: loaded.lastId === NO_ID }, term);
  const tally = await sender.commitAll([steps], term.fence);
  if (tally.isFenced) return null;
  // One that is noticed from here on is for the next term to tell: this world holds what it lost.
  forget(history, told);
  return await declare(parts, { roster, world, committer: sender }, term);
}

/**
 * Commits the difference between the roster and the world, and makes the agenda anew.
 *
 * @param rows `control.*` rows to record with it; emptied of what is known to be recorded
 * @returns `null` when somebody newer leads
 * @throws {JournalUnavailableError}
 */
export async function declare(
  parts: TermParts,
  { roster, world, committer: sender }: { roster: Roster; world: World; committer: Committer },
  term: Term,
  rows: Row[] = [],
): Promise<Tick | null> {
  dropRecorded(world, rows);
  const flushed = await sender.commitAll(inBatches(skipSteps(parts, world)), term.fence);
  if (flushed.isFenced) return null;
  const control = controlSteps(world, rows);
  if (control.length > 0 && (await sender.commitAll([control], term.fence)).isFenced) return null;
  dropRecorded(world, rows);
  for (let pass = 0; pass < RECONCILE_PASSES_MAX; pass++) {
    const steps = reconcile(roster, world, parts.server.nowMs());
    if (steps.length === 0) break;
    const tally = await sender.commitAll(inBatches(steps), term.fence);
    if (tally.isFenced) return null;
  }
  const nowMs = parts.server.nowMs();
  const agenda = agendaOf(roster, (ready) => lookMsOr(ready, world, nowMs));
  return { ...parts, roster, world, committer: sender, agenda };
}

/** Records the end of a term. @throws {JournalUnavailableError} */
export async function closeTerm(
  { world, committer: sender, server, clock }: Tick,
  term: Term,
  { owner, reason }: { owner: string; reason: string },
): Promise<void> {
  const row: Row = {
    type: "term.ended",
    task: "",
    dueMs: null,
    decidedMs: server.nowMs(),
    detail: { owner, reason },
  };
  const step = logStep(world, LOG_CURSOR.term, { dueMs: term.fence, revision: "ended" }, row);
  const skips = () => inBatches(skipSteps({ server }, world));
  const { earlyByMs } = await sender.commitAll(skips(), term.fence);
  // The last tick may have skipped ahead of its time what it prepared.
  if (earlyByMs > 0) await waitFor(clock, Math.min(earlyByMs, PREPARE_MS), NEVER);
  await sender.commitAll([...skips(), [step]], term.fence);
}

const NEVER = new AbortController().signal;

/** Rows for what policies have skipped and not written yet. */
function skipSteps({ server }: Pick<TermParts, "server">, world: World): Step[] {
  const nowMs = server.nowMs();
  return [...world.runs.keys()].flatMap((task) => {
    const run = skipRunOf(world, task);
    const step = run === null ? null : flushStep(task, run, nowMs);
    return step === null ? [] : [step];
  });
}

interface OpeningParts extends Pick<TermParts, "server"> {
  readonly world: World;
  readonly opening: Opening;
  /** The journal has no row. */
  readonly isEmpty: boolean;
}

function openingSteps({ server, world, opening, isEmpty }: OpeningParts, { fence }: Term): Step[] {
  const { owner, epoch, build, lostAfter, history } = opening;
  const head = { task: "", dueMs: null, decidedMs: server.nowMs() };
  const inTerm = (rows: readonly Row[]) =>
    inChain(
      rows.map((row, index) =>
        logStep(world, LOG_CURSOR.term, { dueMs: fence, revision: `started${index}` }, row)
      ),
    );
  const started: Row = { ...head, type: "term.started", detail: { owner, epoch, build } };
  const toldUnder = lostAfter === null ? 0 : toldSince(world, { epoch, lostAfter });
  if (toldUnder !== null) {
    // Rows from before what was told went with it.
    const cuts = history.cuts.filter(({ toId }) => millisecondsOf(toId) >= toldUnder);
    const shortened = cuts.map((cut): Row => (
      { ...head, type: "term.history_shortened", detail: { owner, ...cut } }
    ));
    return inTerm([started, ...shortened]);
  }
  const reason = isEmpty ? EMPTIED : EXCHANGED;
  opening.onHistoryLost?.(reason);
  const lost: Row = { ...head, type: "term.history_lost", detail: { owner, reason } };
  const next = { dueMs: fence, revision: encodeURIComponent(epoch) };
  return [...inTerm([started]), logStep(world, LOG_CURSOR.history, next, lost)];
}

/**
 * Under which fence the journal says of this epoch that what was before it is lost: a leader of meanwhile
 * told it, or a term of ours of which only the reply was lost. `null` where it does not.
 */
function toldSince(
  { cursors }: World,
  { epoch, lostAfter }: { epoch: string; lostAfter: number },
): number | null {
  const told = cursors.get(LOG_CURSOR.history);
  const isOfIt = told?.revision === encodeURIComponent(epoch) && told.dueMs > lostAfter;
  return isOfIt ? told.dueMs : null;
}

const EMPTIED = "Beat's keys were gone: firing starts from now, the past is not fired";
/** An older epoch came back, or a leader of meanwhile has begun a new one. */
const EXCHANGED =
  "Beat's keys are of another history than those seen before: Redis was emptied, or " +
  "a copy of another time took its place; firing goes on from what stands there";

/** The cursor carries a digest of the row, which tells a later term that the row was recorded. */
function controlSteps(world: World, rows: readonly Row[]): Step[] {
  const last = world.cursors.get(LOG_CURSOR.control)?.dueMs ?? 0;
  return inChain(
    rows.slice(0, BATCH_MAX).map((row, index) => {
      const next = { dueMs: last + index + 1, revision: digestOf(row) };
      return logStep(world, LOG_CURSOR.control, next, row);
    }),
  );
}

/** Of rows that are the same to the millisecond, up to the last: none says anything new. */
function dropRecorded(world: World, rows: Row[]): void {
  const newest = world.cursors.get(LOG_CURSOR.control)?.revision;
  rows.splice(0, rows.findLastIndex((row) => digestOf(row) === newest) + 1);
}

function logStep(
  world: World,
  cursor: string,
  next: { dueMs: number; revision: string },
  row: Row,
): Step {
  const expect = cursorText(world, cursor);
  return { task: cursor, expect, next: encodeCursor(next), notBeforeMs: 0, row, publish: null };
}

/** Each step expects what the one before it left. */
function inChain(steps: readonly Step[]): Step[] {
  return steps.map((step, index) =>
    index === 0 ? step : { ...step, expect: steps[index - 1]!.next }
  );
}

function* inBatches(steps: readonly Step[]): Generator<readonly Step[]> {
  for (let start = 0; start < steps.length; start += BATCH_MAX) {
    yield steps.slice(start, start + BATCH_MAX);
  }
}
