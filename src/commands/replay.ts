/** `beat replay`: what would be decided otherwise today of what was decided; and how it stood at a time. */

import { EXIT, UsageError } from "../errors.ts";
import { millisecondsOf, recordedMs } from "../event.ts";
import type { JournalRow, Row } from "../event.ts";
import { pastOf } from "../preview/past.ts";
import type { Difference, Replayed } from "../preview/replay.ts";
import { replayOf } from "../preview/replay.ts";
import { keysOf } from "../redis/keys.ts";
import { goneRows } from "../redis/read.ts";
import type { AuditReading } from "./audit_reading.ts";
import { auditReading } from "./audit_reading.ts";
import { decisionText } from "./decision_text.ts";
import type { OpenedJournal } from "./open_journal.ts";
import { openJournal } from "./open_journal.ts";
import { progressOf } from "./progress.ts";
import { replayOther } from "./replay_other.ts";
import { printState, stateObject } from "./replay_state.ts";
import { printReplayed, replayedObject } from "./replay_text.ts";
import type { Shell } from "./shell.ts";
import { paintFor } from "./table.ts";
import { parseTimeOption } from "./time_option.ts";
import { dueText, instantText } from "./time_text.ts";

export interface ReplayCommandOptions {
  readonly from?: string;
  readonly to?: string;
  readonly task?: readonly string[];
  readonly stateAt?: string;
  /** Another schedule, which takes the place of the recorded one. */
  readonly config?: string;
  readonly json?: boolean;
}

const FROM_DEFAULT = "24h";
/** What came due so shortly ago may be under way. Milliseconds. */
const UNDER_WAY_MS = 5_000;

/** @throws {UsageError | JournalUnavailableError | ConfigError | ArchiveError} */
export async function replay(options: ReplayCommandOptions, shell: Shell): Promise<number> {
  checkApart(options);
  const opened = await openJournal(shell);
  try {
    const nowMs = (await opened.lease.look()).serverMs;
    const atMs = options.stateAt === undefined ? null : stateTime(options.stateAt, nowMs);
    const source = await wholeReading(opened);
    if (atMs !== null) {
      return await showState(source, { ...options, atMs }, shell);
    }
    const window = windowOf(options, nowMs);
    if (options.config !== undefined) {
      const read = (take: (row: JournalRow) => void) =>
        readUntil(source, Infinity, { take, shell });
      return await replayOther(
        { ...window, ...options, config: opened.config },
        { source, read },
        shell,
      );
    }
    return await showReplay(source, { ...options, ...window, nowMs }, shell);
  } finally {
    opened.close();
  }
}

/** An instant has no period. */
function checkApart({ stateAt, from, to }: ReplayCommandOptions): void {
  const other = from !== undefined ? "--from" : to !== undefined ? "--to" : null;
  if (stateAt === undefined || other === null) return;
  throw new UsageError(`expected \`--state-at\` without \`${other}\`, got both; leave one out`);
}

/** What will be is for `beat plan` to say. */
function stateTime(text: string, nowMs: number): number {
  const atMs = parseTimeOption("--state-at", text, nowMs);
  if (atMs <= nowMs) return atMs;
  throw new UsageError(
    `expected \`--state-at\` not to lie ahead, got ${text}, and it is ${instantText(nowMs)}`,
  );
}

/** All rows that there are. Only where some are gone for good, it begins with the snapshot of them. */
async function wholeReading(opened: OpenedJournal): Promise<AuditReading> {
  const { namespace, transport } = opened.config.settings;
  const gone = await goneRows(opened.client, keysOf(namespace, transport.globalKeyPrefix));
  const whole = await auditReading(opened, { sinceMs: -Infinity, gone });
  return whole.isTrimmed ? await auditReading(opened, { sinceMs: Infinity, gone }) : whole;
}

function windowOf({ from = FROM_DEFAULT, to }: ReplayCommandOptions, nowMs: number) {
  const sinceMs = parseTimeOption("--from", from, nowMs);
  const untilMs = to === undefined ? nowMs : parseTimeOption("--to", to, nowMs);
  if (sinceMs < untilMs) return { sinceMs, untilMs };
  throw new UsageError(
    `expected \`--from\` to be before \`--to\`, got ${from} and ${to ?? "now"}`,
  );
}

interface Window {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly nowMs: number;
}

async function showReplay(
  source: AuditReading,
  options: ReplayCommandOptions & Window,
  shell: Shell,
): Promise<number> {
  const { sinceMs, untilMs, json = false } = options;
  const paint = paintFor(shell);
  const kept: Difference[] = [];
  const run = replayOf({
    ...{ sinceMs, untilMs },
    tasks: options.task === undefined ? null : new Set(options.task),
    onDifference(each) {
      if (json) kept.push(each);
      else shell.out(differenceLines(each, paint));
    },
  }, source.seed);
  const read = await readUntil(source, untilMs, { take: run.take, shell });
  checkTasks(options.task ?? [], run.past.cursors, run.past.declared);
  const replayed = run.close(Math.min(options.nowMs - UNDER_WAY_MS, untilMs - 1));
  const shown = { ...replayed, ...read, seed: source.seed, isTrimmed: source.isTrimmed };
  if (json) shell.out(`${JSON.stringify(replayedObject(shown, kept, options), null, 2)}\n`);
  else printReplayed(shown, options, shell);
  return countOf(replayed) > 0 ? EXIT.finding : EXIT.ok;
}

function countOf({ byTask }: Replayed): number {
  return [...byTask.values()].reduce((sum, { differences }) => sum + differences, 0);
}

/** What was read, beside the rows. */
export interface Read {
  /** `null` where there was no row. Unix milliseconds. */
  readonly firstMs: number | null;
  readonly foreign: number;
}

async function readUntil(
  source: AuditReading,
  untilMs: number,
  { take, shell }: { take: (row: JournalRow) => void; shell: Shell },
): Promise<Read> {
  const progress = progressOf(shell, source.rows);
  let firstMs: number | null = null;
  let foreign = 0;
  for await (const rows of source.pages(() => void foreign++)) {
    progress.add(rows.length);
    for (const row of rows) {
      firstMs ??= millisecondsOf(row.id);
      if (recordedMs(row) < untilMs) take(row);
    }
    if ((rows.at(-1) === undefined ? 0 : recordedMs(rows.at(-1)!)) >= untilMs) break;
  }
  progress.done();
  return { firstMs, foreign };
}

/** `+ 12:00:05.003  a.each  due …` and beneath it what was, and what would be. */
function differenceLines(each: Difference, paint: ReturnType<typeof paintFor>): string {
  const { kind, task, decidedMs, recorded, now } = each;
  const dueMs = (recorded ?? now as Row | null)?.dueMs ?? null;
  const due = dueMs === null ? "" : `  due ${dueText(dueMs)}`;
  const head = `${kind} ${instantText(decidedMs)}  ${task}${due}`;
  const colour = kind === "+" ? "green" : kind === "-" ? "red" : "yellow";
  return `${paint(colour, head)}\n    was: ${decisionText(recorded)}\n    now: ${
    decisionText(now)
  }\n`;
}

async function showState(
  source: AuditReading,
  { atMs, json = false, task }: ReplayCommandOptions & { readonly atMs: number },
  shell: Shell,
): Promise<number> {
  const past = pastOf(source.seed);
  const { firstMs } = await readUntil(source, atMs + 1, { take: past.take, shell });
  if (firstMs === null || firstMs > atMs) {
    throw new UsageError(
      `expected \`--state-at\` to lie in the journal, got ${instantText(atMs)}, and ` +
        (firstMs === null ? "it is empty" : `it begins ${instantText(firstMs)}`),
    );
  }
  checkTasks(task ?? [], past.cursors, past.declared);
  const tasks = task === undefined ? null : new Set(task);
  if (json) shell.out(`${JSON.stringify(stateObject(past, { atMs, tasks }), null, 2)}\n`);
  else printState(past, { atMs, tasks }, shell);
  return EXIT.ok;
}

/** A name that nothing is known of is a slip of the pen, and no clean replay. */
function checkTasks(
  asked: readonly string[],
  ...known: readonly { has(task: string): boolean }[]
): void {
  for (const task of asked) {
    if (known.some((names) => names.has(task))) continue;
    throw new UsageError(
      `expected \`--task\` to name a task that the journal declares by then, got "${task}"`,
    );
  }
}
