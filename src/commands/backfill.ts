/** `beat backfill`: publishes the due times of a range that did not run, in order and at a rate. */

import type { OwedState, OwedTime } from "../audit/owed.ts";
import { CLOSED, NOT_RUN, owedOf } from "../audit/owed.ts";
import { nearest } from "../config/nearest.ts";
import { EXIT, UsageError } from "../errors.ts";
import { NO_ID } from "../event.ts";
import { BACKFILL_MAX, RATE_DEFAULT, RATE_MAX } from "../request.ts";
import type { Config } from "../settings.ts";
import { triggerOf } from "../triggers/mod.ts";
import type { AskOptions } from "./ask.ts";
import { ask, headOf } from "./ask.ts";
import type { OpenedJournal } from "./open_journal.ts";
import { openJournal } from "./open_journal.ts";
import { progressOf } from "./progress.ts";
import type { Shell } from "./shell.ts";
import { parseTimeOption } from "./time_option.ts";
import { dueText } from "./time_text.ts";
import { taskName } from "./trigger.ts";

export interface BackfillOptions extends AskOptions {
  readonly task: string;
  readonly from?: string;
  readonly to?: string;
  readonly max?: string;
  readonly rate?: string;
  /** Also what ran. */
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

const MAX_DEFAULT = 1_000;

/** Due times of a range that are looked at one by one. */
const TIMES_MAX = 200_000;

/** @throws {UsageError | JournalUnavailableError | ConfigError} */
export async function backfill(options: BackfillOptions, shell: Shell): Promise<number> {
  const task = taskName(options.task);
  const max = numberOption("--max", options.max, { fallback: MAX_DEFAULT, most: BACKFILL_MAX });
  const rate = numberOption("--rate", options.rate, { fallback: RATE_DEFAULT, most: RATE_MAX });
  const head = headOf(options, shell);
  const opened = await openJournal(shell);
  try {
    const nowMs = (await opened.lease.look()).serverMs;
    const range = rangeOf(options, nowMs);
    const { times, readId } = await owedIn(opened, { task, ...range }, shell);
    const states = options.force ? CLOSED : NOT_RUN;
    const wanted = times.filter(({ state }) => states.has(state));
    sayLeftOut(times.filter(({ state }) => !states.has(state)), options, shell);
    if (options.dryRun) return print(wanted, options, shell);
    if (wanted.length > max) throw tooMany(wanted.length, max);
    if (wanted.length === 0) return sayNothing(options, shell);
    const fires = wanted.map(({ dueMs, publishes }): [number, number] => [dueMs, publishes]);
    const request = { kind: "backfill", task, fires, rate, readId, ...head } as const;
    return await ask(opened, request, options, shell);
  } finally {
    opened.close();
  }
}

function numberOption(
  option: string,
  text: string | undefined,
  { fallback, most }: { fallback: number; most: number },
): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && value <= most) return value;
  throw new UsageError(
    `expected \`${option}\` to be a number above 0 and at most ${most}, got "${text}"`,
  );
}

function rangeOf({ from, to }: BackfillOptions, nowMs: number): { fromMs: number; toMs: number } {
  if (from === undefined || to === undefined) {
    throw new UsageError("expected `--from` and `--to` to say which due times, both included");
  }
  const fromMs = parseTimeOption("--from", from, nowMs);
  const toMs = Math.min(parseTimeOption("--to", to, nowMs), nowMs);
  if (fromMs <= toMs) return { fromMs, toMs };
  throw new UsageError(
    `expected \`--from\` before \`--to\` and now, got ${dueText(fromMs)} and ${dueText(toMs)}`,
  );
}

/** Reads the journal from its beginning: what was due follows from what was declared. */
async function owedIn(
  { journal, hot, pages, config }: OpenedJournal,
  range: { task: string; fromMs: number; toMs: number },
  shell: Shell,
): Promise<{ times: OwedTime[]; readId: string }> {
  const declared = config.tasks.find(({ name }) => name === range.task);
  const trigger = declared === undefined ? null : triggerOf(declared.trigger);
  const owed = owedOf({ ...range, trigger });
  // Before the rows: what it has decided has its row among them.
  const loaded = await journal.reload([range.task], []);
  let isKnown = [...config.tasks, ...config.off].some(({ name }) => name === range.task);
  const { rows, lastId } = await hot.extent();
  const progress = progressOf(shell, rows);
  for await (const page of pages({ from: "-", to: "+" }, () => {})) {
    for (const row of page) {
      owed.take(row);
      // An answer may be to somebody who asked for a task that there is none of.
      isKnown ||= row.task === range.task && row.type !== "control.answered";
    }
    progress.add(page.length);
  }
  progress.done();
  if (!isKnown) throw new UsageError(unknownText(range.task, config));
  const count = owed.count();
  if (count > TIMES_MAX) {
    throw new UsageError(
      `expected a range of at most ${TIMES_MAX} due times, got ${count}; move --from and --to together`,
    );
  }
  const decidedMs = loaded.cursors.get(range.task)?.dueMs ?? null;
  return { times: owed.times(decidedMs), readId: lastId ?? NO_ID };
}

/** Neither the configuration nor any row of the journal has it. */
function unknownText(task: string, { tasks, off }: Pick<Config, "tasks" | "off">): string {
  const advice = nearest(task, [...tasks, ...off].map(({ name }) => name));
  return `expected TASK to be the name of an entry, got "${task}"` +
    (advice === "" ? "; `beat tasks` lists them" : advice);
}

function tooMany(count: number, max: number): UsageError {
  return new UsageError(
    `expected at most ${max} fires, got ${count}: move --from and --to together, or raise --max ` +
      `(${BACKFILL_MAX} at most)`,
  );
}

const LEFT_OUT: Readonly<Record<OwedState, string>> = {
  acked: "ran (--force sends them again)",
  open: "not at their end yet",
  held: "held by a policy",
  undecided: "for the leader to decide yet",
  unknown: "older than the journal, or than the task in it (--force sends them)",
  ...{ missed: "missed", skipped: "skipped", expired: "expired", revoked: "revoked", lost: "lost" },
};

function sayLeftOut(times: readonly OwedTime[], { json }: BackfillOptions, shell: Shell): void {
  if (json) return;
  const counts = Map.groupBy(times, ({ state }) => state);
  for (const [state, { length }] of counts) {
    shell.err(`left out: ${length} ${LEFT_OUT[state]}\n`);
  }
}

function sayNothing({ json }: BackfillOptions, shell: Shell): number {
  if (json) shell.out(`${JSON.stringify({ state: "nothing", published: 0 }, null, 2)}\n`);
  else shell.out("nothing to publish\n");
  return EXIT.ok;
}

/** What would be published. */
function print(wanted: readonly OwedTime[], { json }: BackfillOptions, shell: Shell): number {
  if (json) {
    const objects = wanted.map(({ dueMs, state, publishes }) => ({
      ...{ due: dueText(dueMs), state, attempt: publishes },
    }));
    shell.out(`${JSON.stringify(objects, null, 2)}\n`);
    return EXIT.ok;
  }
  for (const { dueMs, state } of wanted) shell.out(`${dueText(dueMs)}  ${state}\n`);
  shell.err(`${wanted.length} would be published\n`);
  return EXIT.ok;
}
