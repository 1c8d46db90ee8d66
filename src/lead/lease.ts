/**
 * Taking the lease and keeping it.
 *
 * The lease is trusted from when the attempt *started*, minus a margin, on the monotonic clock. Trust
 * only decides when to stop trying: what keeps two leaders apart is the fence, which every script
 * checks. So a leader that was paused and does not know it yet publishes nothing.
 */

import type { ServerClock } from "../clock.ts";
import { JournalUnavailableError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Clock, Lease, Taken } from "../ports.ts";
import type { Looks } from "./looks.ts";
import { LOOKS } from "./looks.ts";

const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 2_000;
/** Of the lease's time: standing still for more is worth a word, and the naps that notice it. */
const STALL_SHARE = 1 / 3;
const NAP_SHARE = 1 / 12;
/** A standing trouble is logged again after this. Milliseconds. */
const REMIND_MS = 30_000;
/** A difference of the clocks that deserves a warning. Milliseconds. */
const CLOCK_DIFFERENCE_MS = 1_000;

export interface LeaseParts {
  readonly lease: Lease;
  readonly clock: Clock;
  readonly server: ServerClock;
  readonly log: Log;
  /** Unique to this process. */
  readonly owner: string;
  readonly ttlMs: number;
  /** What the epoch of a namespace that has none begins with. */
  readonly newEpoch: string;
  /** Whether to wait for a Redis that is away at start; else the first failure is thrown. */
  readonly isPatient: boolean;
  /** @default LOOKS */
  readonly looks?: Looks;
}

/** What this replica remembers over its terms. A lower fence than it has seen is never accepted. */
export interface Seen {
  fence: number;
  /** `null` before the first term. */
  epoch: string | null;
  /** That of this replica's last term. */
  epochFence: number;
  /**
   * The history that was seen is gone: another epoch, new or of before, stands where one was known. The
   * last fence that was seen of the one that is gone; `null` where none is. Stays until a term of this
   * replica has begun, and the journal says so.
   */
  lostAfter: number | null;
  /** Monotonic time at which the attempt that took the lease started. */
  takenMs: number;
}

export function newSeen(): Seen {
  return { fence: 0, epoch: null, epochFence: 0, lostAfter: null, takenMs: 0 };
}

/**
 * Waits until this replica leads; resolves with its fence.
 *
 * @throws {JournalUnavailableError} `fatal`, or any kind where `isPatient` is false and Redis has not
 *   answered yet
 * @throws the signal's reason once it is aborted
 */
export async function acquire(parts: LeaseParts, seen: Seen, signal: AbortSignal): Promise<number> {
  const { lease, clock, server, owner, ttlMs, newEpoch, looks = LOOKS } = parts;
  const trouble = reminder(parts);
  let failures = 0;
  for (;;) {
    // Another id for each term: where Redis is emptied, this replica too must see that it was.
    const epoch = `${newEpoch}.${seen.fence}`;
    const sentMs = clock.monotonicMs();
    let waitMs: number;
    try {
      const reply = await lease.take({ owner, ttlMs, minFence: seen.fence, epoch });
      failures = 0;
      if (reply.kind === "taken") {
        server.observe(sentMs, reply.serverMs);
        note(seen, reply, sentMs);
        return reply.fence;
      }
      seen.fence = Math.max(seen.fence, reply.fence);
      trouble.say("info", `standing by: ${reply.owner} leads`, { fence: reply.fence });
      waitMs = Math.min(Math.max(reply.leftMs, 1), looks.standbyMs);
    } catch (error) {
      if (!(error instanceof JournalUnavailableError)) throw error;
      if (error.retry === "fatal" || (!parts.isPatient && seen.fence === 0)) throw error;
      trouble.say("warn", "waiting for Redis", { err: error });
      waitMs = backOffMs(failures++);
    }
    await clock.sleep(waitMs, signal);
    signal.throwIfAborted();
  }
}

/** Doubles from 200 ms to 2 s. */
export function backOffMs(failures: number): number {
  return Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 10));
}

/**
 * Renews the lease every third of its time until `signal` is aborted or the lease is lost; then, in
 * the latter case, calls `onLost` with the reason.
 */
export async function holdLease(
  parts: LeaseParts,
  seen: Seen,
  signal: AbortSignal,
  onLost: (reason: string) => void,
): Promise<void> {
  const { lease, clock, server, owner, ttlMs } = parts;
  const marginMs = Math.max(100, ttlMs / 10);
  const watch = clockWatch(parts);
  const fence = seen.fence;
  let trustedUntilMs = seen.takenMs + ttlMs - marginMs;
  // What came before, the answer to the first attempt among it, took some of it already.
  let pauseMs = seen.takenMs + ttlMs / 3 - clock.monotonicMs();
  for (;;) {
    await sleepWatched(parts, pauseMs, signal);
    if (signal.aborted) return;
    const sentMs = clock.monotonicMs();
    try {
      const serverMs = await lease.renew({ owner, fence, ttlMs });
      if (signal.aborted) return;
      if (serverMs === null) return onLost("it ran out or was deleted, or another replica has it");
      server.observe(sentMs, serverMs);
      trustedUntilMs = sentMs + ttlMs - marginMs;
      pauseMs = ttlMs / 3;
      watch();
    } catch (error) {
      if (!(error instanceof JournalUnavailableError)) throw error;
      if (signal.aborted) return;
      pauseMs = Math.min(500, ttlMs / 10);
    }
    if (clock.monotonicMs() >= trustedUntilMs) {
      return onLost("it could not be renewed in time");
    }
  }
}

/**
 * Sleeps in short naps, and says where one was longer by so much that this process must have stood
 * still: stopped, starved, or busy with one long piece of work. What is sent next carries the fence
 * of before, so that nothing can come of it.
 */
async function sleepWatched(
  { clock, log, ttlMs }: LeaseParts,
  durationMs: number,
  signal: AbortSignal,
): Promise<void> {
  const napMs = ttlMs * NAP_SHARE;
  const untilMs = clock.monotonicMs() + durationMs;
  for (let leftMs = durationMs; leftMs > 0 && !signal.aborted;) {
    const laidDownMs = clock.monotonicMs();
    const wantedMs = Math.min(leftMs, napMs);
    await clock.sleep(wantedMs, signal);
    const stalledMs = Math.round(clock.monotonicMs() - laidDownMs - wantedMs);
    if (stalledMs > ttlMs * (STALL_SHARE - NAP_SHARE)) {
      log.warn("this process stood still for a while", { stalledMs, leaseMs: ttlMs });
    }
    leftMs = untilMs - clock.monotonicMs();
  }
}

function note(seen: Seen, taken: Extract<Taken, { kind: "taken" }>, sentMs: number): void {
  // A standby knows no epoch, but where it has seen a leader there was one.
  const isOther = seen.epoch === null
    ? taken.isNewEpoch && seen.fence > 0
    : seen.epoch !== taken.epoch;
  if (isOther) seen.lostAfter ??= seen.epoch === null ? seen.fence : seen.epochFence;
  seen.fence = seen.epochFence = taken.fence;
  seen.epoch = taken.epoch;
  seen.takenMs = sentMs;
}

/** Says a thing when it changes, and again after a while as long as it lasts. */
function reminder({ clock, log }: LeaseParts) {
  let last = "";
  let lastMs = 0;
  return {
    say(level: "info" | "warn", message: string, fields: Record<string, unknown>): void {
      const nowMs = clock.monotonicMs();
      if (message === last && nowMs - lastMs < REMIND_MS) return;
      last = message;
      lastMs = nowMs;
      log[level](message, fields);
    },
  };
}

/** Warns when the machine's clock jumps against the monotonic one, or differs from the server's. */
function clockWatch({ clock, server, log }: LeaseParts): () => void {
  let baseMs = clock.wallMs() - clock.monotonicMs();
  let isWarned = false;
  return () => {
    const nowBaseMs = clock.wallMs() - clock.monotonicMs();
    const stepMs = Math.round(nowBaseMs - baseMs);
    baseMs = nowBaseMs;
    if (Math.abs(stepMs) > CLOCK_DIFFERENCE_MS) {
      log.warn("the machine's clock stepped, or the machine slept; Redis' clock decides", {
        stepMs,
      });
    }
    const differenceMs = Math.round(server.differenceMs() ?? 0);
    const isFar = Math.abs(differenceMs) > CLOCK_DIFFERENCE_MS;
    if (isFar && !isWarned) {
      log.warn("the machine's clock differs from Redis' clock; Redis' clock decides", {
        differenceMs,
      });
    }
    isWarned = isFar;
  };
}
