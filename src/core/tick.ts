/** One pass: plan, gate, decide, commit, fold. Every mode runs this; only the ports differ. */

import type { ServerClock } from "../clock.ts";
import { SLEEP_MAX_MS } from "../clock.ts";
import type { Clock, Step } from "../ports.ts";
import { BATCH_MAX } from "../ports.ts";
import type { Agenda } from "./agenda.ts";
import { agendaOf } from "./agenda.ts";
import type { Ahead, Committer, Tally } from "./commit.ts";
import type { Term } from "./chain.ts";
import { BATCH_TEXT_MAX, fitting } from "./chain.ts";
import { decide, lookMsOr } from "./decide.ts";
import type { Roster } from "./roster.ts";
import type { World } from "./world.ts";

/** A task whose list is of the wrong type, or that a defect is in, is tried again after this. Milliseconds. */
export const TASK_RETRY_MS = 5_000;

/**
 * The most steps of one pass, give or take a task. A task is looked at once in a pass, so one that is
 * due each second must not wait for an hour's backlog of the others.
 */
export const PASS_STEPS_MAX = 4_000;

/** The fewest fires that a task that is behind may send in its turn, however many are behind. */
const SHARE_MIN = 10;

/**
 * The most fires of one task in one pass. Its batch has room for what it may have to say beside them: of
 * what was held, skipped and let go.
 */
export const SHARE_MAX = BATCH_MAX - 4;

/** One batch in so many is for those that are behind, even where those on time could fill them all. */
const BEHIND_TURN = 4;

/** How long before something is due a tick may begin, to be ready then. Milliseconds. */
export const PREPARE_MS = 80;

/** The most batches that are staged: while they are carried out, the server does nothing else. */
export const STAGED_MAX = 5;

/** What a pass came to. */
export interface Ticked extends Tally {
  /** Tasks that could not be decided for a defect of ours, and what was thrown. */
  readonly broken: ReadonlyMap<string, unknown>;
}

export interface Tick {
  readonly roster: Roster;
  readonly world: World;
  readonly agenda: Agenda;
  readonly committer: Committer;
  readonly server: ServerClock;
  readonly clock: Clock;
}

/**
 * Publishes and records what is due, as much of it as one pass takes. Tasks go back to the agenda
 * whatever happens, so a failure loses nothing: the next tick plans a longer gap.
 *
 * @throws {JournalUnavailableError}
 */
export async function tick(parts: Tick, term: Term, signal: AbortSignal): Promise<Ticked> {
  const { roster, world, agenda, committer, server, clock } = parts;
  const taken: string[] = [];
  const broken = new Map<string, unknown>();
  let wrongType: ReadonlySet<string> = new Set();
  try {
    const asOfMs = soon(server.nowMs(), agenda.nextMs());
    const batches = planBatches(parts, term, { asOfMs, taken, broken });
    const { ahead, rest } = await prepare(batches, parts, { asOfMs, fence: term.fence, signal });
    const sent = await committer.commitAll(chained(rest, batches), term.fence, ahead);
    const tally = { ...sent, broken };
    wrongType = tally.wrongType;
    // Our estimate of the server's clock was ahead: sleep the difference, then the next tick sends it.
    // Where it had stepped back, the estimate has followed it, and the agenda waits.
    if (tally.earlyByMs > 0) await clock.sleep(Math.min(tally.earlyByMs, SLEEP_MAX_MS), signal);
    return tally;
  } finally {
    const retryMs = server.nowMs() + TASK_RETRY_MS;
    for (const name of taken) {
      const ready = roster.get(name);
      if (ready !== undefined) {
        const isLater = wrongType.has(name) || broken.has(name);
        agenda.put(name, isLater ? retryMs : lookMsOr(ready, world, retryMs));
      }
    }
  }
}

/**
 * For a clock of the server that was set back. What is asked about or tried again after a while, and is due
 * long since, would wait until the clock has made up for the step: it is looked at at once.
 */
export function lookAnew(now: Tick, nowMs: number): Tick {
  const { roster, world } = now;
  world.again.clear();
  return { ...now, agenda: agendaOf(roster, (ready) => lookMsOr(ready, world, nowMs)) };
}

interface Prepared {
  /** The first batches, sent ahead; `null`: they are among the rest. */
  readonly ahead: Ahead | null;
  readonly rest: readonly (readonly Step[])[];
}

/**
 * Makes batches of what is due at `asOfMs`, sends a crowd of them ahead, and resolves when that time
 * has come: what is due at once would otherwise go out late by the time that all this takes. Nothing,
 * where the signal came first, or the server's clock was set back: an hour must not be waited for in a
 * tick, and the next one decides anew.
 */
async function prepare(
  batches: Iterator<readonly Step[], void>,
  { server, clock, committer }: Tick,
  { asOfMs, fence, signal }: { asOfMs: number; fence: number; signal: AbortSignal },
): Promise<Prepared> {
  const isEarly = () => {
    const earlyMs = asOfMs - server.nowMs();
    return 0 < earlyMs && earlyMs <= PREPARE_MS && !signal.aborted;
  };
  const first = takeWhile(batches, (count) => count < STAGED_MAX && isEarly());
  const ahead = isEarly() ? committer.stage(first, fence) : null;
  // While it goes out; what is not made now is made while others are sent.
  if (ahead !== null) await clock.sleep(0, signal);
  const more = takeWhile(batches, isEarly);
  while (isEarly()) await clock.sleep(asOfMs - server.nowMs(), signal);
  if (server.nowMs() >= asOfMs) return { ahead, rest: ahead === null ? [...first, ...more] : more };
  ahead?.staged.discard();
  return { ahead: null, rest: [] };
}

/** Goes on as long as `isWanted`, asked with how many there are, says so. */
function takeWhile<T>(from: Iterator<T, void>, isWanted: (count: number) => boolean): T[] {
  const taken: T[] = [];
  while (isWanted(taken.length)) {
    const next = from.next();
    if (next.done) break;
    taken.push(next.value);
  }
  return taken;
}

/** When what is due next is due, if that is now or soon; else now. */
function soon(nowMs: number, nextMs: number | null): number {
  return nextMs !== null && nextMs > nowMs && nextMs <= nowMs + PREPARE_MS ? nextMs : nowMs;
}

function* chained<T>(first: Iterable<T>, then: Iterable<T>): Generator<T> {
  yield* first;
  yield* then;
}

/**
 * Batches of whole tasks: the steps of one task never stand in two. Made while others are sent, so
 * what becomes due meanwhile gets into the next.
 *
 * @param plan.asOfMs decided as of then, if that is yet to come. The server's time, Unix milliseconds.
 * @param plan.taken gets the names of the tasks that were taken out of the agenda
 * @param plan.broken gets the tasks that could not be decided: a defect in one must not stop the others
 */
function* planBatches(
  { roster, world, server, agenda }: Tick,
  term: Term,
  { asOfMs, taken, broken }: { asOfMs: number; taken: string[]; broken: Map<string, unknown> },
): Generator<readonly Step[], void> {
  const timeMs = () => Math.max(server.nowMs(), asOfMs);
  const share = shareOf(agenda.lineUp(server.nowMs()));
  let batch: Step[] = [];
  let text = 0;
  let batches = 0;
  for (let planned = 0, nowMs = timeMs(); planned < PASS_STEPS_MAX;) {
    const lane = batches % BEHIND_TURN === BEHIND_TURN - 1 ? "behind" : "on time";
    const name = agenda.take(nowMs, lane);
    if (name === null) break;
    taken.push(name);
    const ready = roster.get(name);
    if (ready === undefined || !world.cursors.has(name)) continue;
    let steps: Step[];
    try {
      steps = decide(ready, world, term, { nowMs, limit: Math.min(share, fitting(ready)) });
    } catch (error) {
      broken.set(name, error);
      continue;
    }
    planned += steps.length;
    const added = textOf(steps);
    const isFull = batch.length + steps.length > BATCH_MAX || text + added > BATCH_TEXT_MAX;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
      text = 0;
      batches++;
      nowMs = timeMs();
    }
    batch.push(...steps);
    text += added;
  }
  if (batch.length > 0) yield batch;
}

function textOf(steps: readonly Step[]): number {
  let text = 0;
  for (const { publish } of steps) text += publish?.message.length ?? 0;
  return text;
}

/** How many fires a task may send in one pass: all that are behind get their turn soon. */
function shareOf(behindCount: number): number {
  const equal = Math.floor(PASS_STEPS_MAX / Math.max(1, behindCount));
  return Math.min(SHARE_MAX, Math.max(SHARE_MIN, equal));
}
