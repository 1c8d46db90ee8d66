/** What a plan takes to be true, each figure with where it is from: in words, and for programs. */

import { spanText } from "./time_text.ts";

export type How = "measured" | "assumed" | "not measured";

/** What is taken to be true of a queue. */
export interface QueueFact {
  readonly queue: string;
  /** Messages of others that wait at the start, and how long each runs. */
  readonly others: { readonly count: number; readonly how: How };
  readonly otherRun: { readonly ms: number; readonly how: How };
  readonly hands: HandsFact;
}

/** Who serves a queue. */
export interface HandsFact {
  /** Fires that run at a time, of all its workers; `null`: as many as come. */
  readonly count: number | null;
  readonly how: How;
  /** Those that were measured. */
  readonly workers: readonly string[];
  /** Queues that the same workers serve. */
  readonly sharedWith: readonly string[];
  /** Why nothing better is known; `null` where it is. */
  readonly why: string | null;
}

export interface TaskFact {
  readonly task: string;
  readonly queue: string;
  readonly runMs: number;
  readonly how: How;
}

export interface LevelFact {
  readonly key: string;
  readonly level: string;
  readonly how: How;
  /** It stays so; else it follows the queue of the model. */
  readonly isFixed: boolean;
}

export interface PlanFacts {
  readonly queues: readonly QueueFact[];
  readonly tasks: readonly TaskFact[];
  readonly levels: readonly LevelFact[];
}

/** Each a line. */
export function factWords({ queues, tasks, levels }: PlanFacts): string[] {
  const byQueue = Map.groupBy(tasks, ({ queue }) => queue);
  return [
    ...queues.map(({ queue, others, otherRun, hands }) => {
      const own = (byQueue.get(queue) ?? [])
        .toSorted((one, other) => Number(one.how === UNKNOWN) - Number(other.how === UNKNOWN))
        .map(({ task, runMs, how }) => `${task} ${spanText(runMs)} (${how})`);
      const each = others.count === 0 ? "" : `, ${spanText(otherRun.ms)} each (${otherRun.how})`;
      return `queue ${queue}: ${others.count} of others waiting (${others.how})${each}; ` +
        `${handsWords(hands)}; run times: ${someOf(own, RUNS_MAX)}`;
    }),
    ...levels.map(({ key, level, how, isFixed }) =>
      `${key} is ${level} ${isFixed ? "throughout" : "at the start"} (${how})`
    ),
  ];
}

/** Names in a line; of more there is the number. */
const NAMES_MAX = 3;
/** The same of tasks with their run times; those that say more than a default come first. */
const RUNS_MAX = 10;
const UNKNOWN: How = "not measured";

function handsWords({ count, how, workers, sharedWith, why }: HandsFact): string {
  if (count === null) return `workers for all that comes (${why})`;
  const who = how === "measured" ? `measured: ${someOf(workers)}` : how;
  const shared = sharedWith.length === 0 ? "" : `, shared with ${someOf(sharedWith)}`;
  return `${count} run at a time (${who}${shared})`;
}

function someOf(names: readonly string[], most = NAMES_MAX): string {
  const some = names.slice(0, most).join(", ");
  const more = names.length - most;
  return more > 0 ? `${some} and ${more.toLocaleString("en")} more` : some;
}

/** The same for programs. */
export function factsObject({ queues, tasks, levels }: PlanFacts): Record<string, unknown> {
  return {
    queues: Object.fromEntries(queues.map(({ queue, others, otherRun, hands }) => [queue, {
      others_waiting: { count: others.count, how: others.how },
      others_run: { ms: otherRun.ms, how: otherRun.how },
      run_at_a_time: {
        count: hands.count,
        how: hands.how,
        workers: hands.workers,
        shared_with: hands.sharedWith,
        ...(hands.why === null ? {} : { why: hands.why }),
      },
    }])),
    tasks: Object.fromEntries(
      tasks.map(({ task, runMs, how }) => [task, { run: { ms: runMs, how } }]),
    ),
    levels: Object.fromEntries(
      levels.map(({ key, level, how, isFixed }) => [key, { level, how, stays: isFixed }]),
    ),
  };
}
