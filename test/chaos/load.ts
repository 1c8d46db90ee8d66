/** What the Beats under test are to do: entries drawn from the seed, and when each of them is due. */

import type { Draws } from "../sim/draws.ts";
import type { Entry } from "../support/oracle.ts";
import { dueTimes } from "../support/oracle.ts";
import { yamlOf } from "../support/stage.ts";

export type Profile = "fast" | "herd";

/** An entry, and its due times by plain arithmetic. */
export interface ChaosEntry {
  readonly name: string;
  readonly queue: string;
  /** Lines of `beat.yaml`. */
  readonly yaml: string;
  /** Fires a second. */
  readonly rate: number;
  /** Due times in (afterMs, untilMs], ascending. */
  dueTimes(afterMs: number, untilMs: number): number[];
}

/** Queues of the workers' app. */
export const QUEUES = ["market_data", "paper_trading", "notifications", "maintenance"] as const;
/** One task in so many stores no result and does not say so: its fires stay open for long. */
const UNDECLARED = 25;

const FAST_COUNT = 500;
/** Shares of entries that are due every so many seconds: about 60 fires a second of 500 entries. */
const PERIODS_S = [
  ...["1", "2.5", "3", "5", "7.3", "10", "10", "15", "15", "20"],
  ...["20", "30", "30", "30", "45", "45", "50", "60", "60", "60"],
];
const HERD_COUNT = 10_000;

export function entriesOf(profile: Profile, draws: Draws): ChaosEntry[] {
  if (profile === "herd") {
    return Array.from({ length: HERD_COUNT }, (_, index) => minutely(`herd${index}`, index, 0));
  }
  return Array.from({ length: FAST_COUNT }, (_, index) => {
    const draw = draws("entry", index);
    const name = `task${index}`;
    if (index % 25 === 24) return minutely(name, index, draw.below(60));
    return interval(name, index, PERIODS_S[index % PERIODS_S.length]!, draw.below(1_000));
  });
}

/** `env/beat.yaml`: nothing that was missed may be let go. */
export function configOf(entries: readonly ChaosEntry[]): string {
  return [
    "version: 1",
    "broker: { visibility_timeout: 20s }",
    "defaults: { catchup: { policy: all, window: 6h, cap: 100000 } }",
    "tasks:",
    ...entries.map(({ yaml }) => yaml),
    "",
  ].join("\n");
}

function interval(name: string, index: number, everyS: string, phaseMs: number): ChaosEntry {
  const queue = QUEUES[index % QUEUES.length]!;
  const { celeryTask, result } = workOf(index);
  const entry: Entry = { name, celeryTask, queue, everyS };
  const extra = (phaseMs === 0 ? "" : `, phase: ${phaseMs}ms`) + result;
  return {
    ...{ name, queue, rate: 1 / Number(everyS) },
    yaml: yamlOf([{ ...entry, extra }]),
    dueTimes: (afterMs, untilMs) =>
      dueTimes(everyS, afterMs - phaseMs, untilMs - phaseMs).map((dueMs) => dueMs + phaseMs),
  };
}

/** What the workers run, and what the entry says of its result. */
function workOf(index: number): { celeryTask: string; result: string } {
  if (index % 2 === 0) return { celeryTask: "check.echo", result: "" };
  const result = index % UNDECLARED === 1 ? "" : ", ignore_result: true";
  return { celeryTask: "check.ignored", result };
}

/** Each minute at the same second, as cron. */
function minutely(name: string, index: number, second: number): ChaosEntry {
  const queue = QUEUES[index % QUEUES.length]!;
  const { celeryTask, result } = workOf(index);
  return {
    ...{ name, queue, rate: 1 / 60 },
    yaml:
      `  ${name}: { task: ${celeryTask}, queue: ${queue}, cron: "${second} * * * * *"${result} }`,
    dueTimes(afterMs, untilMs) {
      const found: number[] = [];
      // By brute force: each second is asked whether it is one.
      for (let atS = Math.floor(afterMs / 1_000) + 1; atS * 1_000 <= untilMs; atS++) {
        if (atS % 60 === second) found.push(atS * 1_000);
      }
      return found;
    },
  };
}
