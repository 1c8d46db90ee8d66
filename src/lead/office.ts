/**
 * What one replica does in office: recover, tick, hand over. The supervisor says when; this
 * says what. One piece of work at a time: a tick that was overtaken by the loss of its lease ends
 * before the next term begins.
 */

import type { Passed, TermInput } from "../../machines/supervisor.ts";
import { SLEEP_MAX_MS, waitFor } from "../clock.ts";
import type { Row } from "../event.ts";
import { JournalUnavailableError } from "../errors.ts";
import type { Journal, Stage } from "../ports.ts";
import type { Requests } from "../request.ts";
import type { Sensors } from "../sensors.ts";
import type { AheadWatch } from "./ahead.ts";
import { aheadWatch } from "./ahead.ts";
import type { Term } from "../core/chain.ts";
import { standingPauses } from "../core/pauses.ts";
import type { History } from "./history.ts";
import { newHistory, watchHistory, watchStage } from "./history.ts";
import type { Retention } from "./keep.ts";
import type { LeaseParts, Seen } from "./lease.ts";
import { acquire, backOffMs, newSeen } from "./lease.ts";
import type { Outcomes } from "../levels/outcomes.ts";
import { outcomes } from "../levels/outcomes.ts";
import type { Measuring } from "./levels.ts";
import type { Roster } from "../core/roster.ts";
import { speakOf } from "./speak.ts";
import { watchWhileWaiting } from "./standby.ts";
import { closeTerm, declare, openTerm } from "./term.ts";
import type { LevelSettings } from "../level.ts";
import type { Tick } from "../core/tick.ts";
import { lookAnew, PREPARE_MS, tick } from "../core/tick.ts";
import type { Awake } from "./wake.ts";
import { awake } from "./wake.ts";

/** How long an orderly stop may wait for Redis. Milliseconds. */
const DRAIN_MAX_MS = 2_000;

/** The schedule as loaded last. The host replaces the roster and adds rows; the next tick takes both. */
export interface Declared {
  roster: Roster;
  /** `control.*` rows to record. */
  readonly rows: Row[];
  /** What is measured beside it; absent: nothing. */
  levels?: LevelSettings;
}

export interface OfficeParts extends LeaseParts {
  readonly journal: Journal;
  /** Absent where everything is sent when it is due. */
  readonly stage?: Stage;
  readonly sensors: Sensors;
  readonly namespace: string;
  readonly build: string;
  readonly declared: Declared;
  /** What the levels of queues and objectives are measured with; absent: they are not. */
  readonly measuring?: Measuring;
  /** Absent where the journal is to grow without end. */
  readonly retention?: Retention;
  /** What people ask for, and what messages of theirs name as origin; absent: nobody is heard. */
  readonly asking?: { readonly requests: Requests; readonly origin: string };
}

export interface Office {
  readonly parts: OfficeParts;
  /** How fires ended while this replica led. */
  readonly outcomes: Outcomes;
  /** That of `parts` without the watch over its history. */
  readonly journal: Journal;
  readonly seen: Seen;
  /** What was seen of the journal; a cut in it ends the term, so that the world is loaded anew. */
  readonly history: History;
  readonly ahead: AheadWatch;
  readonly awake: Awake;
  /** What the present term ticks with; `null` outside of one. */
  now: Tick | null;
  /** The work under way. */
  underWay: Promise<unknown>;
  /** Aborted when this replica stops. */
  readonly stopped: AbortController;
}

export function openOffice(parts: OfficeParts): Office {
  const history = newHistory((cut) =>
    parts.log.error("rows of the journal are gone: what they decided is decided anew", { ...cut })
  );
  const { journal, stage } = parts;
  return {
    parts: {
      ...parts,
      journal: watchHistory(journal, history),
      ...(stage === undefined ? {} : { stage: watchStage(stage, history) }),
    },
    journal,
    history,
    ahead: aheadWatch(parts.log),
    awake: awake(parts),
    outcomes: outcomes(),
    seen: newSeen(),
    now: null,
    underWay: Promise.resolve(),
    stopped: new AbortController(),
  };
}

/**
 * Waits until this replica leads; resolves with its fence. The work of the term before ends first:
 * a lease that waits for it would run out unused.
 *
 * @throws {JournalUnavailableError} see `acquire`
 */
export function standBy(office: Office, input: TermInput, signal: AbortSignal): Promise<number> {
  const { parts, seen } = office;
  return alone(office, async () => {
    office.now = null;
    // Our lease is taken at once: without a pause, a recovery that fails would be tried without end.
    if (input.failures > 0) await waitFor(parts.clock, backOffMs(input.failures - 1), signal);
    signal.throwIfAborted();
    const led = new AbortController();
    const waiting = { ...parts, journal: office.journal, history: office.history };
    watchWhileWaiting(waiting, AbortSignal.any([signal, led.signal]));
    return await acquire(parts, seen, signal).finally(() => led.abort());
  });
}

/** Loads the world and brings the schedule up to date. @throws {JournalUnavailableError} */
export async function recover(
  office: Office,
  input: TermInput,
  signal: AbortSignal,
): Promise<Passed> {
  try {
    return await alone(office, () => beginTerm(office, input, signal));
  } catch (error) {
    if (error instanceof JournalUnavailableError && error.retry !== "fatal") {
      office.parts.log.error("a term could not begin; trying on", { err: error });
    }
    throw error;
  }
}

async function beginTerm(office: Office, input: TermInput, signal: AbortSignal): Promise<Passed> {
  const { parts, seen, history } = office;
  office.now = await openTerm(parts, parts.declared.roster, termOf(office, input), {
    owner: parts.owner,
    epoch: seen.epoch ?? parts.newEpoch,
    build: parts.build,
    lostAfter: seen.lostAfter,
    onHistoryLost: (reason) => parts.log.error(reason),
    history,
  });
  if (office.now === null || history.cuts.length > 0) return { isFenced: true };
  seen.lostAfter = null;
  if (signal.aborted) return { isFenced: true };
  forgetOld(parts.declared.rows, parts.server.nowMs());
  parts.log.info("leading", { fence: input.fence, openFires: office.now.world.open.size });
  const standing = standingPauses(office.now.world.cursors, parts.server.nowMs());
  for (const [task, { who, note }] of standing) {
    parts.log.warn("paused: nothing of it is fired", { task, who, note });
  }
  return { isFenced: false };
}

/** What is younger may be of a term of ours that ended a moment ago. Milliseconds. */
const RELOADED_MS = 60_000;

/**
 * What was loaded while another replica led is for its journal rows to tell, which it read as well; but
 * for the last refusal, where the files are still as they were then.
 */
function forgetOld(rows: Row[], nowMs: number): void {
  const kept = rows.filter((row) =>
    row.decidedMs > nowMs - RELOADED_MS ||
    (row === rows.at(-1) && row.type === "control.reload_refused")
  );
  rows.splice(0, rows.length, ...kept);
}

/** Publishes what is due, on the schedule as loaded last. @throws {JournalUnavailableError} */
export async function passTick(office: Office, input: TermInput): Promise<Passed> {
  try {
    const passed = await alone(office, () => publishDue(office, input));
    if (input.failures > 0) office.parts.log.info("Redis takes what is due again");
    return passed;
  } catch (error) {
    // One line for a refusal that lasts; the end of a term is worth one each time.
    const isTold = error instanceof JournalUnavailableError &&
      (input.failures === 0 || error.retry !== "alarm");
    if (isTold) {
      office.parts.log.error("Redis does not take what is due; trying on", { err: error });
    }
    throw error;
  }
}

async function publishDue(office: Office, input: TermInput): Promise<Passed> {
  const term = termOf(office, input);
  await office.awake();
  await takeUpDeclared(office, term);
  if (office.now === null) return { isFenced: true };
  const tally = await tick(office.now, term, office.stopped.signal);
  speakOf(office, tally);
  if (tally.isFenced) sayRefused(office, term);
  if (tally.isFenced || office.history.cuts.length > 0) return { isFenced: true };
  const isBehind = tally.otherRevision.size + tally.reread.size > 0;
  if (isBehind) office.now = await declare(office.parts, office.now, term);
  return { isFenced: office.now === null };
}

/** Resolves shortly before something is due, or when the schedule was loaded anew. */
export async function untilDue(office: Office, signal: AbortSignal): Promise<void> {
  const { clock, server } = office.parts;
  while (!signal.aborted && office.now !== null && !hasNewSchedule(office)) {
    const nowMs = server.nowMs();
    if (office.ahead.look(office.now.world, nowMs)) office.now = lookAnew(office.now, nowMs);
    const waitMs = (office.now.agenda.nextMs() ?? Infinity) - nowMs - PREPARE_MS;
    if (waitMs <= 0) return;
    await clock.sleep(Math.min(waitMs, SLEEP_MAX_MS), signal);
  }
}

/** Lets what is under way end, records the end of the term and gives the lease up. Never rejects. */
export async function handOver(office: Office, input: TermInput): Promise<void> {
  const { parts } = office;
  office.stopped.abort();
  const handing = async () => {
    await office.underWay;
    const end = { owner: parts.owner, reason: "stopped" };
    if (office.now !== null) await closeTerm(office.now, termOf(office, input), end);
    await parts.lease.release(parts.owner);
  };
  const late = new AbortController();
  await Promise.race([
    handing().catch((error) => parts.log.warn("stopped without a word to Redis", { err: error })),
    waitFor(parts.clock, DRAIN_MAX_MS, late.signal),
  ]);
  late.abort();
}

/** Does a piece of work while no other is under way. */
export function alone<T>(office: Office, work: () => Promise<T>): Promise<T> {
  const mine = office.underWay.then(work);
  office.underWay = mine.catch(() => {});
  return mine;
}

export function termOf({ parts }: Office, { fence }: TermInput): Term {
  return { namespace: parts.namespace, fence };
}

function hasNewSchedule({ parts, now }: Office): boolean {
  return now?.roster !== parts.declared.roster || parts.declared.rows.length > 0;
}

async function takeUpDeclared(office: Office, term: Term): Promise<void> {
  if (office.now === null || !hasNewSchedule(office)) return;
  const { declared } = office.parts;
  const next = { ...office.now, roster: declared.roster };
  office.now = await declare(office.parts, next, term, declared.rows);
}

/** Something may stand that the world of this term does not know: it is loaded anew before another tick. */
export function endUnsure(office: Office, onFenced: () => void): void {
  office.now = null;
  onFenced();
}

/** A leader of before has tried to write: nothing came of it, and it goes back to stand by. */
export function sayRefused({ parts }: Office, { fence }: Pick<Term, "fence">): void {
  parts.log.warn("refused by Redis: a newer term has begun", { fence });
}
