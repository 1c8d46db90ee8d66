/** Keeps the levels of queues and objectives up to date for as long as this replica leads, beside the ticks. */

import type { TermInput } from "../../machines/supervisor.ts";
import { waitFor } from "../clock.ts";
import { JournalUnavailableError } from "../errors.ts";
import type { Gauges } from "../level.ts";
import { NO_LEVELS } from "../level.ts";
import { levelWriter } from "./level_writer.ts";
import { objectiveWatch } from "./objective_watch.ts";
import type { Office } from "./office.ts";
import { alone, endUnsure, sayRefused } from "./office.ts";
import { queueWatch } from "./queue_watch.ts";

/** What is measured with. */
export interface Measuring {
  readonly gauges: Gauges;
  /** The lists of a queue, one for each step of priority. */
  listsOf(queue: string): readonly string[];
}

/** A new leader has more urgent things to do first. Milliseconds. */
const FIRST_MS = 1_000;
/** How often it is looked whether the time of an objective has come. Milliseconds. */
const LOOK_MS = 1_000;

/** Until `signal` is aborted, or somebody newer leads: then calls `onFenced`. */
export async function watchLevels(
  office: Office,
  input: TermInput,
  signal: AbortSignal,
  onFenced: () => void,
): Promise<void> {
  const { parts, outcomes } = office;
  const { measuring, clock, log, declared } = parts;
  if (measuring === undefined) return;
  const now = () => signal.aborted ? null : office.now;
  const writer = levelWriter({
    ...{ ...parts, fence: input.fence, now },
    alone: (work) => alone(office, work),
    unsure: () => endUnsure(office, onFenced),
  });
  const common = { ...parts, ...measuring, writer, outcomes, fence: input.fence };
  const settings = () => declared.levels ?? NO_LEVELS;
  const queues = queueWatch(common, () => settings().queues);
  const objectives = objectiveWatch(common, () => settings().objectives, signal);

  async function goOn(look: () => Promise<void>, periodMs: () => number): Promise<void> {
    let isTold = false;
    while (!signal.aborted) {
      try {
        await look();
        if (isTold) log.info("levels are measured again");
        isTold = false;
      } catch (error) {
        if (!(error instanceof JournalUnavailableError)) throw error;
        if (!isTold) log.warn("levels stay as they are: they cannot be measured", { err: error });
        isTold = true;
      }
      if (writer.isFenced) {
        sayRefused(office, input);
        return onFenced();
      }
      await waitFor(clock, periodMs(), signal);
    }
  }

  await waitFor(clock, FIRST_MS, signal);
  await Promise.all([
    goOn(queues.look, () => settings().everyMs),
    goOn(objectives.look, () => LOOK_MS),
  ]);
}
