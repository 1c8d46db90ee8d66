/** What a plan can measure before it begins: run times, workers, and what waits in queues. */

import type { WorkerQueues } from "../celery/pidbox.ts";
import { listsOf } from "../celery/message.ts";
import type { OpenFire } from "../open_fire.ts";
import { rowOf } from "../event.ts";
import { orNull } from "../redis/errors.ts";
import { sensorsOver } from "../redis/sensors.ts";
import type { Task } from "../task.ts";
import type { OpenedJournal } from "./open_journal.ts";
import { allWorkers } from "./queue_look.ts";

export interface Measured {
  /** Medians by task, of the newest finished fires. Milliseconds. */
  readonly runs: ReadonlyMap<string, number>;
  /** Those that answered; or why nobody was asked. */
  readonly workers: readonly WorkerQueues[] | "unasked" | "refused";
  /** By list, messages that are none of Beat's open fires; `null` where they were not counted. */
  readonly others: ReadonlyMap<string, number> | null;
}

/** Without a Redis that answers. */
export const NOTHING_MEASURED: Measured = { runs: new Map(), workers: "unasked", others: null };

/** Rows from which run times are read, newest first. */
const ROWS_MAX = 20_000;
/** As `celery inspect` waits. Milliseconds. */
const WORKERS_WAIT_MS = 1_000;

export interface Measuring {
  /** Fires on their way, for a plan that begins with what waits now; else `null`. */
  readonly open: readonly OpenFire[] | null;
  /** Those whose queues are counted. */
  readonly tasks: readonly Pick<Task, "queue">[];
  /** Whether to give workers a second to answer. */
  readonly isAsking: boolean;
}

/** @throws {JournalUnavailableError} */
export async function measure(
  opened: OpenedJournal,
  { open, tasks, isAsking }: Measuring,
): Promise<Measured> {
  const [runs, workers, others] = await Promise.all([
    measuredRuns(opened),
    isAsking ? refusedOr(allWorkers(opened, WORKERS_WAIT_MS)) : "unasked" as const,
    open === null ? null : countOthers(opened, { open, tasks }),
  ]);
  return { runs, workers, others };
}

async function refusedOr(workers: Promise<readonly WorkerQueues[] | null>) {
  return await workers ?? "refused" as const;
}

/** Medians of what the newest rows say. */
async function measuredRuns({ peek }: Pick<OpenedJournal, "peek">): Promise<Measured["runs"]> {
  const all = new Map<string, number[]>();
  let rows = 0;
  for await (const row of peek.readBack({ from: "-", to: "+" })) {
    if (++rows > ROWS_MAX) break;
    const runtimeMs = rowOf(row, "fire.finished")?.detail.runtimeMs;
    if (runtimeMs === undefined) continue;
    const own = all.get(row.task);
    if (own === undefined) all.set(row.task, [runtimeMs]);
    else own.push(runtimeMs);
  }
  return new Map([...all].map(([task, times]) => {
    times.sort((one, other) => one - other);
    return [task, times[Math.floor(times.length / 2)]!];
  }));
}

/** Beat's open fires begin the plan by themselves, so they are not counted. */
async function countOthers(
  { client, config: { settings: { transport } } }: OpenedJournal,
  { open, tasks }: { readonly open: readonly OpenFire[] } & Pick<Measuring, "tasks">,
): Promise<Measured["others"]> {
  const queues = new Set(tasks.map(({ queue }) => queue));
  const lists = [...queues].flatMap((queue) => listsOf(queue, transport));
  const sensors = sensorsOver({ queues: client, results: null }, transport);
  const samples = await orNull(() => sensors.sampleQueues(lists, 1));
  if (samples === null) return null;
  const own = new Map<string, number>();
  for (const { list, state } of open) {
    if (state === "queued") own.set(list, (own.get(list) ?? 0) + 1);
  }
  return new Map(lists.map((list, index) => [
    list,
    Math.max(0, samples[index]!.depth - (own.get(list) ?? 0)),
  ]));
}
