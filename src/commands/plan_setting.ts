/** What the runs of a plan begin with: the schedule, what Redis holds, and what is assumed. */

import { listsOf } from "../celery/message.ts";
import { systemClock } from "../clock.ts";
import { loadConfig } from "../config/load.ts";
import { rosterOf } from "../core/roster.ts";
import type { Cursor } from "../cursor.ts";
import type { OpenFire } from "../open_fire.ts";
import { BeatError, JournalUnavailableError, UsageError } from "../errors.ts";
import type { JournalRow } from "../event.ts";
import { entryOf } from "../fire.ts";
import type { Planned } from "../preview/plan.ts";
import { plan as runPlan } from "../preview/plan.ts";
import type { Config } from "../settings.ts";
import type { Task } from "../task.ts";
import { openJournal } from "./open_journal.ts";
import type { Assumed } from "./plan_assume.ts";
import { assumedHands, assumptionsOf, withLevels } from "./plan_assume.ts";
import type { PlanFacts } from "./plan_facts.ts";
import { factWords } from "./plan_facts.ts";
import { measure, NOTHING_MEASURED } from "./plan_measure.ts";
import { cursorsNow } from "./plan_seed.ts";
import type { Scope } from "./plan_scope.ts";
import { dependsOnWorkers, isInScope, tasksToRun } from "./plan_scope.ts";
import { progressOf } from "./progress.ts";
import type { Shell } from "./shell.ts";
import { parseTimeOption } from "./time_option.ts";
import { instantText } from "./time_text.ts";

export interface SettingOptions extends Scope {
  readonly hours?: string;
  readonly from?: string;
  readonly assume?: readonly string[];
}

const HOURS_MAX = 24 * 31;

/** All that the runs of one plan share. */
export interface PlanSetting {
  readonly config: Config;
  /** What was asked for. */
  readonly scope: Scope;
  readonly fromMs: number;
  /** When its leader begins: a task that is new then is due after that, and not at it. */
  readonly beginMs: number;
  readonly untilMs: number;
  readonly seed: { readonly cursors: ReadonlyMap<string, Cursor>; readonly open: OpenFire[] };
  readonly assumed: Assumed;
  readonly words: readonly string[];
  /** Where to show how far it has come. */
  readonly shell: Pick<Shell, "err" | "isErrTerminal">;
}

/** Runs the core over the time of a plan. No depths where not all that takes the time of workers is run. */
export async function planned(
  { beginMs, untilMs, scope, seed, assumed: { model, backlog, levels }, shell }: PlanSetting,
  config: Config,
  onRow: (row: JournalRow) => void,
): Promise<{ readonly depths: Planned["depths"] | null }> {
  const { transport } = config.settings;
  const tasks = tasksToRun(config.tasks, scope, model.pools);
  const queues = new Set(tasks.map(({ queue }) => queue));
  const isLeftOut = leftOutOf(config, tasks);
  const progress = progressOf(shell, 0);
  const take = (row: JournalRow) => {
    progress.add(1);
    onRow(row);
  };
  const { depths } = await runPlan({
    ...{ fromMs: beginMs, untilMs, model, onRow: take },
    backlog: new Map([...backlog].filter(([, { queue }]) => queues.has(queue))),
    // What is assumed stays so; else levels follow the queues as the model fills and drains them.
    levels: levels.size > 0 ? null : config.levels,
    roster: rosterOf(tasks, transport, "beat@plan"),
    seed: {
      cursors: withLevels(
        new Map([...seed.cursors].filter(([name]) => !isLeftOut(name))),
        levels,
        beginMs,
      ),
      open: seed.open.filter(({ task }) => !isLeftOut(entryOf(task))),
    },
    listsOf: (queue) => listsOf(queue, transport),
  }).finally(() => progress.done());
  return { depths: dependsOnWorkers(config.tasks, scope) ? depths : null };
}

/** Of what the configuration does not have, nobody knows whose time it takes. */
function leftOutOf({ tasks: all }: Config, tasks: readonly Task[]): (name: string) => boolean {
  const kept = new Set(tasks.map(({ name }) => name));
  const known = new Set(all.map(({ name }) => name));
  return (name) => known.has(name) && !kept.has(name);
}

/** @param other a schedule to compare with: what is assumed and measured is of either */
export async function settingOf(
  options: SettingOptions,
  shell: Shell,
  other: Config | null = null,
): Promise<PlanSetting> {
  const hours = Number(options.hours ?? 24);
  if (!(hours > 0 && hours <= HOURS_MAX)) {
    throw new UsageError(
      `expected \`--hours\` to be above 0 and at most ${HOURS_MAX}, got "${options.hours}"`,
    );
  }
  const texts = options.assume ?? [];
  const { config, loaded, measured, words } = await realState(options.from === undefined, shell, {
    both: (each) => withOther(each, other),
    isAsking(each) {
      const hands = assumedHands(texts, each);
      return each.tasks.some((task) => isInScope(options, task) && !hands.has(task.queue));
    },
  });
  const both = withOther(config, other);
  const nowMs = loaded?.serverMs ?? Math.floor(systemClock.wallMs());
  const fromMs = options.from === undefined
    ? nowMs
    : parseTimeOption("--from", options.from, nowMs);
  const untilMs = fromMs + Math.round(hours * 3_600_000);
  const all = assumptionsOf(texts, both, measured, loaded?.cursors ?? null);
  const tasks = tasksToRun(both.tasks, options, all.model.pools);
  const assumed = { ...all, facts: factsOf(tasks, all.facts) };
  return {
    ...{ config, scope: options, fromMs, untilMs, assumed, shell },
    beginMs: options.from === undefined ? fromMs : fromMs - 1,
    seed: { cursors: loaded?.cursors ?? new Map(), open: [...loaded?.open ?? []] },
    words: [
      `from ${instantText(fromMs)} to ${instantText(untilMs)}`,
      ...words,
      "one leader, never late; workers end each fire with success",
      ...factWords(assumed.facts),
    ],
  };
}

/** Tasks, queues and objectives of both. A task that goes to another queue in each counts in each. */
function withOther(config: Config, other: Config | null): Config {
  if (other === null) return config;
  const keyOf = ({ name, queue }: Task) => `${name} ${queue}`;
  const own = new Set(config.tasks.map(keyOf));
  const objectives = new Map(
    [...other.levels.objectives, ...config.levels.objectives].map((each) => [each.name, each]),
  );
  return {
    ...config,
    tasks: [...config.tasks, ...other.tasks.filter((task) => !own.has(keyOf(task)))],
    levels: { ...config.levels, objectives: [...objectives.values()] },
  };
}

/** Those that the plan rests on. */
function factsOf(tasks: readonly Task[], { levels, ...facts }: PlanFacts): PlanFacts {
  const names = new Set(tasks.map(({ name }) => name));
  const queues = new Set(tasks.map(({ queue }) => queue));
  return {
    levels,
    queues: facts.queues.filter(({ queue }) => queues.has(queue)),
    tasks: facts.tasks.filter(({ task }) => names.has(task)),
  };
}

/** What Redis holds, where a broker is configured and answers. Of another time than now, the notes alone. */
async function realState(
  isNow: boolean,
  shell: Shell,
  { both, isAsking }: { both(config: Config): Config; isAsking(config: Config): boolean },
) {
  const nothing = { loaded: null, measured: NOTHING_MEASURED };
  try {
    const opened = await openJournal(shell);
    try {
      const loaded = await opened.journal.load();
      const all = both(opened.config);
      const measured = await measure(opened, {
        open: isNow ? loaded.open : null,
        tasks: all.tasks,
        isAsking: isAsking(all),
      });
      const own = { config: opened.config, measured };
      if (isNow) {
        const words = [`begins as Redis has it now, fires on their way: ${loaded.open.length}`];
        const { leader } = await opened.lease.look();
        const cursors = leader === null
          ? loaded.cursors
          : await cursorsNow(opened.peek, opened.config.tasks, loaded);
        return { ...own, loaded: { ...loaded, cursors }, words };
      }
      const noted = new Map([...loaded.cursors].filter(([name]) => /^@(level|pause):/.test(name)));
      return {
        ...{ ...own, loaded: { ...loaded, cursors: noted, open: [] } },
        words: ["begins with the pauses and levels of now, each task anew"],
      };
    } finally {
      opened.close();
    }
  } catch (error) {
    const config = await loadConfig(shell.env);
    // Without a broker there is nothing to begin with; what else is wrong with a configuration has been
    // thrown again by now.
    const why = error instanceof JournalUnavailableError
      ? error.message
      : error instanceof BeatError && error.code === "CONFIG"
      ? "no broker is configured"
      : null;
    if (why === null) throw error;
    return { ...nothing, config, words: [`begins from nothing, each task anew: ${why}`] };
  }
}
