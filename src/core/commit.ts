/**
 * Commits steps and keeps the world in step with what became of them. Two batches are in flight at
 * most, but for those that were staged: these go together. A call whose reply is lost may have been
 * carried out, or may be yet: nothing is guessed of it and nothing sent again. The term ends, the next
 * fence shuts the door on it, and the world is loaded.
 */

import type { OpenFire } from "../open_fire.ts";
import { openKey } from "../open_fire.ts";
import { JournalUnavailableError } from "../errors.ts";
import { millisecondsOf } from "../event.ts";
import type { Clock, Committed, Journal, Stage, Staged, Step } from "../ports.ts";
import type { ServerClock } from "../clock.ts";
import type { World } from "./world.ts";
import { applyReload, applyStep } from "./world.ts";

const IN_FLIGHT_MAX = 2;
const SPOKEN_MAX = 8;

/** What the steps of some commits came to. */
export interface Tally {
  isFenced: boolean;
  committed: number;
  /** Committed steps that carried a message. */
  published: number;
  /** The first few of the published ones, to be spoken of. */
  readonly spoken: Spoken[];
  /** How far the furthest step was before its time by the server's clock. Milliseconds. */
  earlyByMs: number;
  /** How long ago the oldest step was decided that was refused for it. Milliseconds. */
  staleByMs: number;
  /** Tasks whose list is of another type; their steps were refused. */
  readonly wrongType: Set<string>;
  /** Tasks under another revision than ours, read again: the schedule must be reconciled. */
  readonly otherRevision: Set<string>;
  /** Tasks whose cursor was another than expected; it has been read again. */
  readonly reread: Set<string>;
}

export interface Spoken {
  readonly open: OpenFire;
  /** From when it was to go out, by its trigger and its policies, to its record. Milliseconds. */
  readonly latenessMs: number;
}

/** Batches that were sent ahead of their time. */
export interface Ahead {
  readonly batches: readonly (readonly Step[])[];
  readonly staged: Staged;
}

export interface Committer {
  /** Sends batches ahead; `null` where it is not worth it, or cannot be done now. */
  stage(batches: readonly (readonly Step[])[], fence: number): Ahead | null;
  /**
   * Sends each batch as it comes; `batches` is asked for the next while one is under way.
   *
   * @param ahead what was staged: carried out first
   * @throws {JournalUnavailableError} `alarm`: nothing of the refused batch was written. Any other
   * kind: its outcome is not known, and the term must end before anything is planned anew.
   */
  commitAll(
    batches: Iterable<readonly Step[]>,
    fence: number,
    ahead?: Ahead | null,
  ): Promise<Tally>;
}

/** A batch that is under way. */
interface Sent {
  readonly steps: readonly Step[];
  /** Monotonic milliseconds before it was sent. */
  readonly sentMs: number;
  readonly replied: Promise<Committed>;
}

export function committer(
  ports: { journal: Journal; stage?: Stage; clock: Clock; server: ServerClock },
  world: World,
): Committer {
  async function take({ steps, sentMs, replied }: Sent, tally: Tally): Promise<void> {
    const reply = await replied;
    if (reply.kind === "fenced") {
      tally.isFenced = true;
      return;
    }
    ports.server.observe(sentMs, reply.serverMs);
    world.recordedMs = Math.max(world.recordedMs, millisecondsOf(reply.lastId.after));
    const lost: Step[] = [];
    const held = new Set<string>();
    reply.outcomes.forEach((outcome, index) => {
      const step = steps[index]!;
      switch (outcome.kind) {
        case "committed":
          applyStep(world, step);
          tally.committed++;
          if (step.publish !== null) {
            const latenessMs = reply.serverMs - step.notBeforeMs;
            notePublished({ open: step.publish.open, latenessMs }, tally);
          }
          return;
        case "duplicate":
          lost.push(step);
          return;
        case "gap":
          // Where the step before it was held back, this one could not fit.
          if (!held.has(step.task)) lost.push(step);
          return;
        case "early":
          held.add(step.task);
          tally.earlyByMs = Math.max(tally.earlyByMs, step.notBeforeMs - reply.serverMs);
          return;
        case "stale":
          held.add(step.task);
          tally.staleByMs = Math.max(tally.staleByMs, reply.serverMs - step.row.decidedMs);
          return;
        case "revision":
          lost.push(step);
          tally.otherRevision.add(step.task);
          return;
        case "wrongtype":
          held.add(step.task);
          tally.wrongType.add(step.task);
          return;
      }
    });
    if (lost.length > 0) await reread(lost, tally);
  }

  /** Nothing lost can look like a duplicate: what Redis holds is read, not guessed. */
  async function reread(steps: readonly Step[], tally: Tally): Promise<void> {
    const tasks = [...new Set(steps.map((step) => step.task))];
    const openIds = steps.flatMap(({ publish }) => publish === null ? [] : [openKey(publish.open)]);
    applyReload(world, { tasks, openIds }, await ports.journal.reload(tasks, openIds));
    for (const task of tasks) tally.reread.add(task);
  }

  /** All of `ahead` at once. */
  function carryOut({ batches, staged }: Ahead): Sent[] {
    const sentMs = ports.clock.monotonicMs();
    return staged.commit().map((replied, index) => ({ steps: batches[index]!, sentMs, replied }));
  }

  function send(steps: readonly Step[], fence: number): Sent {
    const sentMs = ports.clock.monotonicMs();
    return { steps, sentMs, replied: ports.journal.commit(steps, fence) };
  }

  return {
    stage(batches, fence) {
      const { stage } = ports;
      const count = batches.reduce((sum, { length }) => sum + length, 0);
      const staged = stage !== undefined && count >= stage.stepsMin
        ? stage.stage(batches, fence)
        : null;
      return staged === null ? null : { batches, staged };
    },
    async commitAll(batches, fence, ahead = null) {
      const tally = emptyTally();
      const inFlight: Promise<void>[] = [];
      const failures: unknown[] = [];
      const follow = (sent: Sent) =>
        inFlight.push(take(sent, tally).catch((error) => void failures.push(error)));
      const hasRoom = async () => {
        while (inFlight.length >= IN_FLIGHT_MAX) await inFlight.shift();
        return !tally.isFenced && failures.length === 0;
      };
      try {
        if (ahead !== null) carryOut(ahead).forEach(follow);
        if (await hasRoom()) {
          for (const steps of batches) {
            follow(send(steps, fence));
            if (!await hasRoom()) break;
          }
        }
      } finally {
        // Also where planning the next batch threw, nothing is under way any more afterwards.
        await Promise.all(inFlight);
      }
      if (failures.length > 0) throw failures.find((error) => !isRefusal(error)) ?? failures[0];
      return tally;
    },
  };
}

/** Nothing was written, and the same term may go on. Any other failure is the graver one. */
export function isRefusal(error: unknown): boolean {
  return error instanceof JournalUnavailableError && error.retry === "alarm";
}

function notePublished(spoken: Spoken, tally: Tally): void {
  tally.published++;
  if (tally.spoken.length < SPOKEN_MAX) tally.spoken.push(spoken);
}

function emptyTally(): Tally {
  return {
    isFenced: false,
    committed: 0,
    published: 0,
    spoken: [],
    earlyByMs: 0,
    staleByMs: 0,
    wrongType: new Set(),
    otherRevision: new Set(),
    reread: new Set(),
  };
}
