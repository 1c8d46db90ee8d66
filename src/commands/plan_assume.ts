/** What a plan takes to be true of workers, queues and levels: assumed by the user, else measured. */

import type { WorkerQueues } from "../celery/pidbox.ts";
import { listOf, listsOf } from "../celery/message.ts";
import { parseDuration } from "../config/duration.ts";
import { nearest } from "../config/nearest.ts";
import { levelCursor } from "../cursor.ts";
import type { Cursor } from "../cursor.ts";
import { UsageError } from "../errors.ts";
import { queueKey, sloKey } from "../level.ts";
import type { Planning } from "../preview/plan.ts";
import type { WorkersModel } from "../preview/workers_model.ts";
import type { Config } from "../settings.ts";
import type { HandsFact, LevelFact, PlanFacts, QueueFact, TaskFact } from "./plan_facts.ts";
import type { Measured } from "./plan_measure.ts";

export interface Assumed {
  readonly model: WorkersModel;
  readonly backlog: Planning["backlog"];
  readonly levels: ReadonlyMap<string, string>;
  readonly facts: PlanFacts;
}

/** What `--assume` says. */
interface Said {
  /** By task; milliseconds. */
  readonly runs: Map<string, number>;
  /** By queue. */
  readonly queueRuns: Map<string, number>;
  readonly hands: Map<string, number>;
  readonly depths: Map<string, number>;
  /** By key. */
  readonly levels: Map<string, string>;
}

/** Of a fire of which nothing is known. Milliseconds. */
const RUN_MS = 1_000;

const QUEUE = /^queue\.(.+)\.(depth|consumers|run)=(.+)$/;
const TASK = /^task\.(.+)\.run=(.+)$/;
const LEVEL = /^level\.(.+)=(normal|slowed|paused)$/;
/** Enough to see what they look like. */
const KNOWN_MAX = 12;

/**
 * @param cursors as the plan begins; `null` where nothing is known of now
 * @throws {UsageError}
 */
export function assumptionsOf(
  texts: readonly string[],
  config: Config,
  measured: Measured,
  cursors: ReadonlyMap<string, Cursor> | null,
): Assumed {
  const said = saidIn(texts, config);
  const queues = [...new Set(config.tasks.map(({ queue }) => queue))].sort();
  const tasks = config.tasks.map(({ name, queue }) => taskFact(name, queue, said, measured));
  const runs = new Map(tasks.map(({ task, runMs }) => [task, runMs]));
  const backlog = backlogOf(queues, said, measured, config);
  return {
    model: {
      pools: poolsOf(said, measured),
      runMs: ({ task }) => runs.get(task) ?? RUN_MS,
      otherMs: (queue) => said.queueRuns.get(queue) ?? RUN_MS,
    },
    backlog,
    levels: said.levels,
    facts: {
      queues: queues.map((queue) => queueFact(queue, backlog, said, measured)),
      tasks,
      levels: levelFacts(said, config, cursors),
    },
  };
}

/** Queues of which nobody needs to ask how many run at a time. @throws {UsageError} */
export function assumedHands(texts: readonly string[], config: Config): ReadonlySet<string> {
  return new Set(saidIn(texts, config).hands.keys());
}

function saidIn(texts: readonly string[], { tasks, levels: { objectives } }: Config): Said {
  const maps = { runs: new Map(), queueRuns: new Map(), hands: new Map(), depths: new Map() };
  const said: Said = { ...maps, levels: new Map() };
  const queues = [...new Set(tasks.map(({ queue }) => queue))].sort();
  const names = tasks.map(({ name }) => name);
  const keys = [...queues.map(queueKey), ...objectives.map(({ name }) => sloKey(name))];
  for (const text of texts) {
    const [, queue, what, value] = QUEUE.exec(text) ?? [];
    const [, task, run] = TASK.exec(text) ?? [];
    const [, key, level] = LEVEL.exec(text) ?? [];
    if (key !== undefined) {
      said.levels.set(known(text, "a queue or an objective", key, keys), level!);
    } else if (task !== undefined) {
      said.runs.set(known(text, "a task", task, names), durationOf(text, run!));
    } else if (queue === undefined) throw unknown(text);
    else {
      known(text, "a queue", queue, queues);
      if (what === "run") said.queueRuns.set(queue, durationOf(text, value!));
      else if (what === "consumers") said.hands.set(queue, countOf(text, value!, 1));
      else said.depths.set(queue, countOf(text, value!, 0));
    }
  }
  return said;
}

/** The name that was given. @throws {UsageError} it is none of those that there are */
function known(text: string, what: string, name: string, names: readonly string[]): string {
  if (names.includes(name)) return name;
  const slip = nearest(name, names);
  const some = names.slice(0, KNOWN_MAX).join(", ") + (names.length > KNOWN_MAX ? " …" : "");
  throw new UsageError(
    `expected \`--assume ${text}\` to name ${what} that is declared, got ${JSON.stringify(name)}` +
      (slip === "" ? `; known: ${some === "" ? "none" : some}` : slip),
  );
}

function taskFact(task: string, queue: string, said: Said, { runs }: Measured): TaskFact {
  const assumedMs = said.runs.get(task);
  if (assumedMs !== undefined) return { task, queue, runMs: assumedMs, how: "assumed" };
  const measuredMs = runs.get(task);
  if (measuredMs !== undefined) return { task, queue, runMs: measuredMs, how: "measured" };
  const queueMs = said.queueRuns.get(queue);
  if (queueMs !== undefined) return { task, queue, runMs: queueMs, how: "assumed" };
  return { task, queue, runMs: RUN_MS, how: "not measured" };
}

/** What is assumed of a queue takes it from the workers that were measured. */
function poolsOf(said: Said, { workers }: Measured): WorkersModel["pools"] {
  const answered = typeof workers === "string" ? [] : workers;
  return [
    ...[...said.hands].map(([queue, hands]) => ({ hands, queues: [queue] })),
    ...answered.map(({ hands, queues }) => ({
      hands: hands ?? Infinity,
      queues: queues.filter((queue) => !said.hands.has(queue)),
    })),
  ];
}

function backlogOf(
  queues: readonly string[],
  { depths }: Said,
  { others }: Measured,
  { settings: { transport } }: Config,
): Planning["backlog"] {
  return new Map(queues.flatMap((queue) => {
    const assumed = depths.get(queue);
    if (assumed !== undefined) {
      return [[listOf(queue, null, transport), { queue, count: assumed }] as const];
    }
    return listsOf(queue, transport).map((list) =>
      [list, { queue, count: others?.get(list) ?? 0 }] as const
    );
  }));
}

function queueFact(
  queue: string,
  backlog: Planning["backlog"],
  said: Said,
  measured: Measured,
): QueueFact {
  const own = [...backlog.values()].filter((each) => each.queue === queue);
  const runMs = said.queueRuns.get(queue);
  return {
    queue,
    others: {
      count: own.reduce((sum, { count }) => sum + count, 0),
      how: said.depths.has(queue)
        ? "assumed"
        : measured.others === null
        ? "not measured"
        : "measured",
    },
    otherRun: { ms: runMs ?? RUN_MS, how: runMs === undefined ? "not measured" : "assumed" },
    hands: handsFact(queue, said, measured),
  };
}

function handsFact(queue: string, said: Said, { workers }: Measured): HandsFact {
  const nobody = { workers: [], sharedWith: [] };
  const assumed = said.hands.get(queue);
  if (assumed !== undefined) return { ...nobody, count: assumed, how: "assumed", why: null };
  const all = { ...nobody, count: null, how: "not measured" } as const;
  if (workers === "unasked") return { ...all, why: "not measured" };
  if (workers === "refused") return { ...all, why: "Redis does not let this user ask workers" };
  const own = workers.filter(({ queues }) => queues.includes(queue));
  if (own.length === 0) return { ...all, why: whyNobody(workers) };
  const silent = own.find(({ hands }) => hands === null);
  if (silent !== undefined) {
    return { ...all, why: `${silent.worker} does not tell how many it runs` };
  }
  const shared = new Set(own.flatMap(({ queues }) => queues));
  return {
    count: own.reduce((sum, { hands }) => sum + hands!, 0),
    how: "measured",
    workers: own.map(({ worker }) => worker).sort(),
    sharedWith: [...shared].filter((name) => name !== queue && !said.hands.has(name)).sort(),
    why: null,
  };
}

function whyNobody(workers: readonly WorkerQueues[]): string {
  return workers.length === 0 ? "no worker answered" : "no worker that answered consumes it";
}

/** Objectives stay as they are: a plan knows of no errors to come. */
function levelFacts(
  { levels: assumed }: Said,
  { levels: { queues, objectives } }: Config,
  cursors: ReadonlyMap<string, Cursor> | null,
): LevelFact[] {
  const isFixed = assumed.size > 0;
  const now = (key: string) => cursors?.get(levelCursor(key))?.revision ?? "normal";
  const how = cursors === null ? "not measured" : "measured";
  return [
    ...[...assumed].map(([key, level]) => ({ key, level, how: "assumed", isFixed } as const)),
    ...objectives.map(({ name }) => sloKey(name))
      .map((key) => ({ key, level: now(key), how, isFixed: true } as const)),
    ...Object.keys(queues).map(queueKey).filter((key) => now(key) !== "normal")
      .map((key) => ({ key, level: now(key), how, isFixed } as const)),
  ].filter(({ key, how }) => how === "assumed" || !assumed.has(key));
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

function unknown(text: string): UsageError {
  return new UsageError(
    "expected `--assume` to be queue.QUEUE.depth=N, queue.QUEUE.consumers=N, queue.QUEUE.run=2s, " +
      "task.TASK.run=2s, level.queue:QUEUE=slowed or level.slo:OBJECTIVE=paused (or normal), got " +
      JSON.stringify(text),
  );
}
