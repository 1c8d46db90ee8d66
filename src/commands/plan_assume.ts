/** What a plan takes to be true of workers, queues and levels: measured, assumed by the user, or neither. */

import { listOf } from "../celery/message.ts";
import { parseDuration } from "../config/duration.ts";
import { levelCursor } from "../cursor.ts";
import type { Cursor, OpenFire } from "../cursor.ts";
import { UsageError } from "../errors.ts";
import { rowOf } from "../event.ts";
import type { Planning } from "../preview/plan.ts";
import type { WorkersModel } from "../preview/workers_model.ts";
import type { Config } from "../settings.ts";
import type { OpenedJournal } from "./open_journal.ts";
import { spanText } from "./time_text.ts";

/** Run times by task, from the newest finished fires. Milliseconds. */
export type Measured = ReadonlyMap<string, number>;

export interface Assumed {
  readonly model: WorkersModel;
  readonly backlog: Planning["backlog"];
  readonly levels: ReadonlyMap<string, string>;
  /** In words, each a line. */
  readonly words: readonly string[];
}

/** Of a fire of which nothing is known. Milliseconds. */
const RUN_MS = 1_000;
/** Rows from which run times are read, newest first. */
const ROWS_MAX = 20_000;

const QUEUE = /^queue\.(.+)\.(depth|consumers|run)=(.+)$/;
const TASK = /^task\.(.+)\.run=(.+)$/;
const LEVEL = /^level\.(.+)=(normal|slowed|paused)$/;

/** @throws {UsageError} */
export function assumptionsOf(
  texts: readonly string[],
  { tasks, settings: { transport } }: Config,
  measured: Measured,
): Assumed {
  const runs = new Map<string, number>();
  const queueRuns = new Map<string, number>();
  const hands = new Map<string, number>();
  const backlog = new Map<string, { queue: string; count: number }>();
  const levels = new Map<string, string>();
  const queues = new Set(tasks.map(({ queue }) => queue));
  for (const text of texts) {
    const [, queue, what, value] = QUEUE.exec(text) ?? [];
    const [, task, run] = TASK.exec(text) ?? [];
    const [, key, level] = LEVEL.exec(text) ?? [];
    if (key !== undefined) levels.set(key, level!);
    else if (task !== undefined && tasks.some(({ name }) => name === task)) {
      runs.set(task, durationOf(text, run!));
    } else if (queue === undefined || !queues.has(queue)) throw unknown(text, queues);
    else if (what === "run") queueRuns.set(queue, durationOf(text, value!));
    else if (what === "consumers") hands.set(queue, countOf(text, value!, 1));
    else {
      const count = countOf(text, value!, 0);
      backlog.set(listOf(queue, null, transport), { queue, count });
    }
  }
  const taskQueue = new Map(tasks.map(({ name, queue }) => [name, queue]));
  const runOf = (task: string) =>
    runs.get(task) ?? measured.get(task) ?? queueRuns.get(taskQueue.get(task) ?? "") ?? RUN_MS;
  return {
    model: {
      hands: (queue) => hands.get(queue) ?? Infinity,
      runMs: ({ task }: OpenFire) => runOf(task),
      otherMs: (queue) => queueRuns.get(queue) ?? RUN_MS,
    },
    ...{ backlog, levels },
    words: [
      ...[...queues].sort().map((queue) => {
        const own = tasks.filter((task) => task.queue === queue).map(({ name }) => {
          const how = runs.has(name) ? "assumed" : measured.has(name) ? "measured" : "not measured";
          return `${name} ${spanText(runOf(name))} (${how})`;
        });
        const depth = [...backlog.values()].find((each) => each.queue === queue)?.count ?? 0;
        return `queue ${queue}: ${depth} waiting, ${
          hands.has(queue) ? `${hands.get(queue)} run at a time` : "workers for all that comes"
        }; run times: ${own.join(", ")}`;
      }),
      ...[...levels].map(([key, level]) =>
        `${key} is ${level} throughout, and no queue is measured`
      ),
    ],
  };
}

/** The seed with the levels that are assumed. */
export function withLevels(
  cursors: ReadonlyMap<string, Cursor>,
  levels: ReadonlyMap<string, string>,
  fromMs: number,
): Map<string, Cursor> {
  const all = new Map(cursors);
  for (const [key, revision] of levels) all.set(levelCursor(key), { dueMs: fromMs, revision });
  return all;
}

/** Medians of what the newest rows say. @throws {JournalUnavailableError} */
export async function measuredRuns({ peek }: Pick<OpenedJournal, "peek">): Promise<Measured> {
  const all = new Map<string, number[]>();
  let rows = 0;
  for await (const row of peek.readBack({ from: "-", to: "+" })) {
    if (++rows > ROWS_MAX) break;
    const runtimeMs = rowOf(row, "fire.finished")?.detail.runtimeMs;
    if (runtimeMs !== undefined) all.set(row.task, [...all.get(row.task) ?? [], runtimeMs]);
  }
  return new Map([...all].map(([task, times]) => {
    times.sort((one, other) => one - other);
    return [task, times[Math.floor(times.length / 2)]!];
  }));
}

function durationOf(text: string, value: string): number {
  const durationMs = parseDuration(value);
  if (durationMs !== null && durationMs >= 0) return durationMs;
  throw new UsageError(`expected \`--assume ${text}\` to end with a duration (500ms, 2s)`);
}

function countOf(text: string, value: string, least: number): number {
  if (/^\d{1,6}$/.test(value) && Number(value) >= least) return Number(value);
  throw new UsageError(
    `expected \`--assume ${text}\` to end with a whole number from ${least} to 999999`,
  );
}

function unknown(text: string, queues: ReadonlySet<string>): UsageError {
  return new UsageError(
    "expected `--assume` to be queue.QUEUE.depth=N, queue.QUEUE.consumers=N, queue.QUEUE.run=2s, " +
      `task.TASK.run=2s or level.KEY=slowed, of a task or queue that is declared, got "${text}"; ` +
      `queues: ${[...queues].sort().join(", ")}`,
  );
}
