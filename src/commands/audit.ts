/** `beat audit`: whether what was due was published, once and in time, and what became of it. */

import { auditOf } from "../audit/audit.ts";
import type { Audit } from "../audit/audit.ts";
import { figuresOf } from "../audit/figures.ts";
import type { AuditOptions } from "../audit/ledger.ts";
import type { Sighting } from "../audit/outside.ts";
import { noteOutside, QUEUE_MAX, sightingOf } from "../audit/outside.ts";
import { verify } from "../audit/verify.ts";
import { listOf } from "../celery/message.ts";
import { parseDuration } from "../config/duration.ts";
import { EXIT, JournalUnavailableError, UsageError } from "../errors.ts";
import { compareIds } from "../event.ts";
import type { JournalRow } from "../event.ts";
import type { Journal, Loaded } from "../ports.ts";
import { keysOf } from "../redis/keys.ts";
import type { Gone } from "../redis/read.ts";
import { goneRows } from "../redis/read.ts";
import { sensorsOver } from "../redis/sensors.ts";
import type { AuditReading } from "./audit_reading.ts";
import { auditReading } from "./audit_reading.ts";
import { figuresObject, printFigures } from "./audit_figures.ts";
import { auditObject } from "./audit_object.ts";
import { printAudit } from "./audit_text.ts";
import type { OpenedJournal } from "./open_journal.ts";
import { openJournal } from "./open_journal.ts";
import type { Progress } from "./progress.ts";
import { progressOf } from "./progress.ts";
import type { Shell } from "./shell.ts";
import { parseTimeOption } from "./time_option.ts";

export interface AuditCommandOptions {
  readonly since?: string;
  readonly until?: string;
  readonly task?: readonly string[];
  readonly tolerance?: string;
  readonly verify?: boolean;
  readonly figures?: boolean;
  readonly json?: boolean;
}

const SINCE_DEFAULT = "24h";
const TOLERANCE_DEFAULT = "1s";

/** @throws {UsageError | JournalUnavailableError | ConfigError} */
export async function audit(options: AuditCommandOptions, shell: Shell): Promise<number> {
  const toleranceMs = parseTolerance(options.tolerance ?? TOLERANCE_DEFAULT);
  const opened = await openJournal(shell);
  try {
    // The server's time and the queues before the journal: whatever they show has its row in it.
    const nowMs = (await opened.lease.look()).serverMs;
    const window = windowOf(options, nowMs);
    const { namespace, transport } = opened.config.settings;
    const keys = keysOf(namespace, transport.globalKeyPrefix);
    const gone = await goneRows(opened.client, keys);
    const held = options.verify ? await load(opened.journal) : null;
    const sighting = await lookAtQueues(opened, held, nowMs);
    const source = await auditReading(opened, { ...window, gone });
    const reading = auditOf({
      ...window,
      toleranceMs,
      isTrimmed: source.isTrimmed,
      tasks: options.task === undefined ? null : new Set(options.task),
      isShowingAll: options.verify === true,
      sights: sighting.sights,
    }, source.seed);
    const figures = options.figures === true ? figuresOf(window, source.seed) : null;
    const both = figures === null ? reading : {
      ...reading,
      take(row: JournalRow) {
        figures.take(row);
        reading.take(row);
      },
    };
    await readAll(source, both, { held, progress: progressOf(shell, source.rows) });
    noteDeleted(reading, gone);
    checkTasks(options.task ?? [], reading, opened);
    noteOutside(reading.ledger, sighting, namespace);
    const report = reading.close(nowMs);
    const shown = { report, sighting, isVerified: options.verify === true };
    if (options.json) {
      const more = figures === null ? {} : { figures: figuresObject(figures, report) };
      shell.out(`${JSON.stringify({ ...auditObject(shown), ...more }, null, 2)}\n`);
    } else {
      printAudit(shown, shell);
      if (figures !== null) printFigures(figures, report, shell);
    }
    return report.findings.length > 0 ? EXIT.finding : EXIT.ok;
  } finally {
    opened.close();
  }
}

function parseTolerance(text: string): number {
  const toleranceMs = parseDuration(text);
  if (toleranceMs !== null && toleranceMs >= 0) return Math.round(toleranceMs);
  throw new UsageError(`expected \`--tolerance\` to be a duration (500ms, 1s, 5m), got "${text}"`);
}

function windowOf(
  { since = SINCE_DEFAULT, until }: AuditCommandOptions,
  nowMs: number,
): Pick<AuditOptions, "sinceMs" | "untilMs"> {
  const sinceMs = parseTimeOption("--since", since, nowMs);
  const untilMs = until === undefined ? nowMs : parseTimeOption("--until", until, nowMs);
  if (sinceMs < untilMs) return { sinceMs, untilMs };
  throw new UsageError(
    `expected \`--since\` to be before \`--until\`, got ${since} and ${until ?? "now"}`,
  );
}

/** What Beat runs by; a sentence where it cannot be read because something else has written it. */
async function load(journal: Pick<Journal, "load">): Promise<Loaded | string> {
  try {
    return await journal.load();
  } catch (error) {
    if (error instanceof JournalUnavailableError && error.retry === "fatal") return error.message;
    throw error;
  }
}

/** Queues of the tasks that are declared, and of the fires that are open. */
async function lookAtQueues(
  { client, config: { tasks, settings: { transport } } }: OpenedJournal,
  held: Loaded | string | null,
  nowMs: number,
): Promise<Sighting> {
  const lists = new Set(tasks.map(({ queue, priority }) => listOf(queue, priority, transport)));
  for (const { queue } of tasks) lists.add(queue);
  if (held !== null && typeof held !== "string") {
    for (const { list } of held.open) lists.add(list);
  }
  const sensors = sensorsOver({ queues: client, results: null }, transport);
  const names = [...lists].sort();
  const samples = [];
  // One after the other, so that no more than one is held up.
  for (const name of names) samples.push(...await sensors.sampleQueues([name], QUEUE_MAX));
  return sightingOf(names, samples, nowMs);
}

/** Redis remembers that rows were deleted by their ids, which nothing of Beat's ever does. */
function noteDeleted({ ledger }: Audit, { count, deletedId }: Gone): void {
  const { firstId } = ledger;
  if (firstId === null || compareIds(deletedId, firstId) <= 0) return;
  ledger.findings.add({
    ...{ kind: "history", task: "", fromMs: null, toMs: null, count: 1, times: [] },
    rowId: deletedId,
    text: `rows were deleted by hand: of those ever written ${count} are not there`,
  });
}

/** Takes every row; compares with `held` after the row that was the newest when it was read. */
async function readAll(
  { pages, checkBefore, problem }: AuditReading,
  { ledger, take, takeForeign }: Audit,
  { held, progress }: { held: Loaded | string | null; progress: Progress },
): Promise<void> {
  let waiting = held === null || typeof held === "string" ? null : held;
  for await (const rows of pages(takeForeign)) {
    progress.add(rows.length);
    const isReached = waiting !== null && rows.length > 0 &&
      compareIds(rows.at(-1)!.id, waiting.lastId) > 0;
    for (const row of rows) {
      if (held !== null) checkBefore(row, ledger);
      if (isReached && waiting !== null && compareIds(row.id, waiting.lastId) > 0) {
        verify(ledger, waiting);
        waiting = null;
      }
      take(row);
    }
  }
  progress.done();
  if (waiting !== null) verify(ledger, waiting);
  const snapshot = problem === null ? null : `the newest snapshot cannot be used: ${problem}`;
  for (const text of [typeof held === "string" ? held : null, held === null ? null : snapshot]) {
    if (text === null) continue;
    ledger.findings.add({
      ...{ kind: "differs", task: "", fromMs: null, toMs: null, count: 1, times: [], rowId: null },
      text,
    });
  }
}

/** A name that nothing is known of is a slip of the pen, and no clean audit. */
function checkTasks(asked: readonly string[], { ledger }: Audit, { config }: OpenedJournal): void {
  for (const task of asked) {
    const isConfigured = [...config.tasks, ...config.off].some(({ name }) => name === task);
    if (ledger.accounts.has(task) || isConfigured) continue;
    throw new UsageError(
      `expected \`--task\` to name a task that the journal or the configuration knows, got "${task}"; ` +
        "`beat tasks` lists them",
    );
  }
}
