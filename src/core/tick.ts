/** One pass: plan, gate, decide, commit, fold. Every mode runs this; only the ports differ. */

import type { ServerClock } from "../clock.ts";
import { SLEEP_MAX_MS } from "../clock.ts";
import { catchUp } from "../policies/catchup.ts";
import type { Clock, Step } from "../ports.ts";
import { BATCH_MAX } from "../ports.ts";
import type { Agenda } from "./agenda.ts";
import type { Committer, Tally } from "./commit.ts";
import type { Term } from "./decide.ts";
import { decide } from "./decide.ts";
import type { Roster } from "./roster.ts";
import type { World } from "./world.ts";
import { cursorText } from "./world.ts";

/** How long a task whose list is of the wrong type is left alone. Milliseconds. */
export const WRONG_TYPE_PAUSE_MS = 5_000;

export interface Tick {
  readonly roster: Roster;
  readonly world: World;
  readonly agenda: Agenda;
  readonly committer: Committer;
  readonly server: ServerClock;
  readonly clock: Clock;
}

/**
 * Publishes and records everything that is due. Tasks go back to the agenda whatever happens, so a
 * failure loses nothing: the next tick plans a longer gap.
 *
 * @throws {JournalUnavailableError}
 */
export async function tick(parts: Tick, term: Term, signal: AbortSignal): Promise<Tally> {
  const { roster, world, agenda, committer, server, clock } = parts;
  const due = agenda.takeDue(server.nowMs());
  let wrongType: ReadonlySet<string> = new Set();
  try {
    const tally = await committer.commitAll(planBatches(parts, due, term), term.fence);
    wrongType = tally.wrongType;
    // Our estimate of the server's clock was ahead: sleep the difference, then the next tick sends it.
    // Where it had stepped back, the estimate has followed it, and the agenda waits.
    if (tally.earlyByMs > 0) await clock.sleep(Math.min(tally.earlyByMs, SLEEP_MAX_MS), signal);
    return tally;
  } finally {
    const retryMs = server.nowMs() + WRONG_TYPE_PAUSE_MS;
    for (const name of due) {
      const ready = roster.get(name);
      const cursor = world.cursors.get(name);
      if (ready === undefined || cursor === undefined) continue;
      agenda.put(name, wrongType.has(name) ? retryMs : ready.trigger.next(cursor.dueMs));
    }
  }
}

/** Batches of whole tasks: the steps of one task never stand in two. Made while others are sent. */
function* planBatches(
  { roster, world, server }: Tick,
  due: readonly string[],
  term: Term,
): Generator<readonly Step[]> {
  let batch: Step[] = [];
  let nowMs = server.nowMs();
  for (const name of due) {
    const ready = roster.get(name);
    const cursor = world.cursors.get(name);
    if (ready === undefined || cursor === undefined) continue;
    const gap = catchUp(ready.trigger, ready.task.catchUp, {
      cursorMs: cursor.dueMs,
      nowMs,
      limit: BATCH_MAX - 1,
    });
    const steps = decide(ready, cursorText(world, name), gap, term, nowMs);
    if (batch.length + steps.length > BATCH_MAX) {
      yield batch;
      batch = [];
      nowMs = server.nowMs();
    }
    batch.push(...steps);
  }
  if (batch.length > 0) yield batch;
}
