/** What the runs of a plan begin with: the schedule, what Redis holds, and what is assumed. */

import { listsOf } from "../celery/message.ts";
import { systemClock } from "../clock.ts";
import { loadConfig } from "../config/load.ts";
import { rosterOf } from "../core/roster.ts";
import type { Cursor, OpenFire } from "../cursor.ts";
import { BeatError, JournalUnavailableError, UsageError } from "../errors.ts";
import type { JournalRow } from "../event.ts";
import type { Planned } from "../preview/plan.ts";
import { plan as runPlan } from "../preview/plan.ts";
import type { Config } from "../settings.ts";
import { openJournal } from "./open_journal.ts";
import type { Assumed } from "./plan_assume.ts";
import { assumptionsOf, withLevels } from "./plan_assume.ts";
import { factWords } from "./plan_facts.ts";
import { measure, NOTHING_MEASURED } from "./plan_measure.ts";
import { progressOf } from "./progress.ts";
import type { Shell } from "./shell.ts";
import { parseTimeOption } from "./time_option.ts";
import { instantText } from "./time_text.ts";

export interface SettingOptions {
  readonly hours?: string;
  readonly from?: string;
  readonly assume?: readonly string[];
}

const HOURS_MAX = 24 * 31;

/** All that the runs of one plan share. */
export interface PlanSetting {
  readonly config: Config;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly seed: { readonly cursors: ReadonlyMap<string, Cursor>; readonly open: OpenFire[] };
  readonly assumed: Assumed;
  readonly words: readonly string[];
  /** Where to show how far it has come. */
  readonly shell: Pick<Shell, "err" | "isErrTerminal">;
}

/** Runs the core over the time of a plan. */
export async function planned(
  { fromMs, untilMs, seed, assumed: { model, backlog, levels }, shell }: PlanSetting,
  config: Config,
  onRow: (row: JournalRow) => void,
): Promise<Planned> {
  const { transport } = config.settings;
  const progress = progressOf(shell, 0);
  const take = (row: JournalRow) => {
    progress.add(1);
    onRow(row);
  };
  return await runPlan({
    ...{ fromMs, untilMs, model, backlog, onRow: take },
    // What is assumed stays so; else levels follow the queues as the model fills and drains them.
    levels: levels.size > 0 ? null : config.levels,
    roster: rosterOf(config.tasks, transport, "beat@plan"),
    seed: { ...seed, cursors: withLevels(seed.cursors, levels, fromMs) },
    listsOf: (queue) => listsOf(queue, transport),
  }).finally(() => progress.done());
}

export async function settingOf(options: SettingOptions, shell: Shell): Promise<PlanSetting> {
  const hours = Number(options.hours ?? 24);
  if (!(hours > 0 && hours <= HOURS_MAX)) {
    throw new UsageError(
      `expected \`--hours\` to be from 0 to ${HOURS_MAX}, got "${options.hours}"`,
    );
  }
  const { config, loaded, measured, words } = await realState(options.from === undefined, shell);
  const nowMs = loaded?.serverMs ?? Math.floor(systemClock.wallMs());
  const fromMs = options.from === undefined
    ? nowMs
    : parseTimeOption("--from", options.from, nowMs);
  const untilMs = fromMs + Math.round(hours * 3_600_000);
  const texts = options.assume ?? [];
  const assumed = assumptionsOf(texts, config, measured, loaded?.cursors ?? null);
  return {
    ...{ config, fromMs, untilMs, assumed, shell },
    seed: { cursors: loaded?.cursors ?? new Map(), open: [...loaded?.open ?? []] },
    words: [
      `from ${instantText(fromMs)} to ${instantText(untilMs)}`,
      ...words,
      "one leader, never late; workers end each fire with success",
      ...factWords(assumed.facts),
    ],
  };
}

/** What Redis holds, where a broker is configured and answers. Of another time than now, the notes alone. */
async function realState(isNow: boolean, shell: Shell) {
  const nothing = { loaded: null, measured: NOTHING_MEASURED };
  try {
    const opened = await openJournal(shell.env);
    try {
      const loaded = await opened.journal.load();
      const measured = await measure(opened, isNow ? loaded.open : null);
      const own = { config: opened.config, measured };
      if (isNow) {
        const words = [`begins as Redis has it now: ${loaded.open.length} fires on their way`];
        return { ...own, loaded, words };
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
    const isAway = error instanceof JournalUnavailableError;
    // Without a broker there is nothing to begin with; any other problem has been thrown again by now.
    if (!isAway && !(error instanceof BeatError)) throw error;
    const why = isAway ? "Redis does not answer" : "no broker is configured";
    return { ...nothing, config, words: [`begins from nothing, each task anew: ${why}`] };
  }
}
