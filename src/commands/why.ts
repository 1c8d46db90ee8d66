/** `beat why`: what became of one due time, and why, from the journal. */

import type { Cause, QueueLook } from "../audit/cause.ts";
import { causesOf, FINE } from "../audit/cause.ts";
import type { Evidence, Story, Verdict } from "../audit/why.ts";
import { storyOf } from "../audit/why.ts";
import { celeryTaskId } from "../celery/ids.ts";
import { listOf } from "../celery/message.ts";
import { pauseAt } from "../core/pauses.ts";
import type { OpenFire } from "../open_fire.ts";
import { ALL_TASKS, pauseCursor } from "../cursor.ts";
import { EXIT, JournalUnavailableError } from "../errors.ts";
import { attemptOf, recordedMs } from "../event.ts";
import { entryOf, isWantedName, openIdOf } from "../fire.ts";
import type { Journal } from "../ports.ts";
import { connect, untilReady } from "../redis/client.ts";
import { sensorsOver } from "../redis/sensors.ts";
import type { Config } from "../settings.ts";
import type { OpenedJournal } from "./open_journal.ts";
import { damageText, openJournal } from "./open_journal.ts";
import { lookAtQueues } from "./queue_look.ts";
import type { Shell } from "./shell.ts";
import { firstRow, termStart } from "./term_start.ts";
import { printStory, storyObject } from "./why_print.ts";
import { readAround, readNear } from "./why_read.ts";
import type { Target } from "./why_target.ts";
import { declaredTask, targetOf } from "./why_target.ts";

export interface WhyOptions {
  /** A task, a fire id or a Celery task id. */
  readonly subject: string;
  readonly time?: string;
  readonly json?: boolean;
  readonly deep?: boolean;
}

/** All that is told. */
export interface Why {
  readonly evidence: Evidence;
  readonly story: Story;
  readonly causes: readonly Cause[];
  readonly owners: ReadonlyMap<number, string>;
  /** `null` where there was no reason to look. */
  readonly queue: QueueLook | null;
  readonly queueName: string | null;
  readonly note: string | null;
  readonly namespace: string;
}

/** How long workers may take to say what they consume, where a message waits for one. Milliseconds. */
const WORKERS_WAIT_MS = 1_000;

/** A result backend that does not answer is not waited for: the journal tells most. Milliseconds. */
const RESULTS_WAIT_MS = 1_000;

/** @throws {UsageError | JournalUnavailableError | ConfigError | ArchiveError} */
export async function why(options: WhyOptions, shell: Shell): Promise<number> {
  const opened = await openJournal(shell);
  try {
    const nowMs = (await opened.journal.reload([], [])).serverMs;
    const { journal, config } = opened;
    const asked = { subject: options.subject, time: options.time };
    const target = await targetOf(asked, { journal, config, nowMs });
    const found = await investigate(opened, target, options.deep ?? false);
    if (options.json) shell.out(`${JSON.stringify(storyObject(found), null, 2)}\n`);
    else printStory(found, shell);
    const damage = damageText(opened);
    if (damage !== null) shell.err(`${damage}\n`);
  } finally {
    opened.close();
  }
  return EXIT.ok;
}

async function investigate(opened: OpenedJournal, target: Target, isDeep: boolean): Promise<Why> {
  const { config, peek } = opened;
  const { namespace } = config.settings;
  const gathered = await gather(opened, peek, target, isDeep);
  const evidence = await withResult(config, peek, gathered);
  const story = storyOf(evidence);
  if (opened.damage.length > 0 && MAY_BE_HIDDEN.has(story.verdict)) throw opened.damage[0]!;
  const owners = await ownersOf(peek, story, evidence);
  const queue = await lookAtQueue(opened, evidence, story);
  return {
    ...{ evidence, story, owners, queue, namespace, note: target.note },
    causes: causesOf({ evidence, story, queue, owners }),
    queueName: queueNameOf(config, evidence, story),
  };
}

/** Verdicts for want of rows. */
const MAY_BE_HIDDEN: ReadonlySet<Verdict> = new Set(["missed", "forgotten", "further on"]);

/** New attempts of one fire that are looked for among the open ones. */
const ATTEMPTS_MAX = 8;

async function gather(
  { journal, lease, config }: OpenedJournal,
  peek: Pick<Journal, "read" | "readBack">,
  { task, dueMs }: Target,
  isDeep: boolean,
): Promise<Evidence> {
  const openIds = Array.from({ length: ATTEMPTS_MAX }, (_, at) => openIdOf(task, dueMs, at));
  const entry = entryOf(task);
  const names = [entry, pauseCursor(entry), pauseCursor(ALL_TASKS)];
  const [loaded, { leader }] = await Promise.all([journal.reload(names, openIds), lease.look()]);
  const cursor = loaded.cursors.get(entry) ?? null;
  const open: OpenFire | null = loaded.open.at(-1) ?? null;
  const own = config.tasks.find(({ name }) => name === entry) ?? null;
  const neighbours = config.tasks.filter(({ queue }) => queue === own?.queue);
  const isUndecided = !isWantedName(task) && cursor !== null && cursor.dueMs < dueMs;
  const around = await readAround(peek, {
    ...{ task, dueMs, isDeep, isUndecided, isOpen: open !== null },
    ...{ revision: cursor?.revision ?? null, cursorMs: cursor?.dueMs ?? null },
    neighbours: new Set(neighbours.map(({ name }) => name)),
  });
  const newest = isUndecided ? await firstRow(peek.readBack({ from: "-", to: "+" })) : null;
  const last = around.rows.at(-1);
  if (newest !== null && (last === undefined || recordedMs(last) < recordedMs(newest))) {
    around.rows.push(newest);
  }
  return {
    ...{ task, dueMs, cursor, open, leader, ...around },
    nowMs: loaded.serverMs,
    pause: pauseAt(loaded.cursors, entry, dueMs),
    today: own === null ? null : declaredTask(own),
    offBy: config.off.find(({ name }) => name === entry)?.by ?? null,
  };
}

/** Where the end is further on than was read, the result tells where to look for it. */
async function withResult(
  config: Config,
  peek: Pick<Journal, "read" | "readBack">,
  evidence: Evidence,
): Promise<Evidence> {
  const { task, dueMs, isComplete, rows, open } = evidence;
  const published = rows.find((row) =>
    row.type === "fire.published" && row.task === task && row.dueMs === dueMs
  );
  if (isComplete || open !== null || published === undefined) return evidence;
  const openId = openIdOf(task, dueMs, attemptOf(published));
  const taskId = celeryTaskId(config.settings.namespace, openId);
  const doneMs = await resultTime(config, taskId);
  if (doneMs === null) return evidence;
  const known = new Set(rows.map(({ id }) => id));
  const later = (await readNear(peek, { task, dueMs, atMs: doneMs }))
    .filter(({ id }) => !known.has(id));
  return { ...evidence, rows: [...rows, ...later] };
}

async function resultTime({ settings }: Config, taskId: string): Promise<number | null> {
  const { backend, transport } = settings;
  if (backend === null) return null;
  const results = connect(backend, { name: "beat-look", commandTimeoutMs: RESULTS_WAIT_MS });
  try {
    await untilReady(results, AbortSignal.timeout(RESULTS_WAIT_MS));
    const sensors = sensorsOver({ queues: results, results }, transport);
    return (await sensors.results([taskId]))[0]?.doneMs ?? null;
  } catch (error) {
    if (error instanceof JournalUnavailableError) return null;
    throw error;
  } finally {
    results.disconnect();
  }
}

/** Who led in the terms that the story names. */
async function ownersOf(
  peek: Pick<Journal, "read" | "readBack">,
  { leading, rows }: Story,
  { leader }: Evidence,
): Promise<Map<number, string>> {
  const owners = new Map(leader === null ? [] : [[leader.fence, leader.owner]]);
  const fences = rows.filter(({ type }) => type === "fire.published").map(({ fence }) => fence);
  if (leading.kind === "led") fences.push(leading.fence);
  if (leading.kind === "vacant") fences.push(leading.fence, leading.nextFence ?? leading.fence);
  for (const fence of new Set(fences)) {
    const start = owners.has(fence) ? null : await termStart(peek, fence);
    if (start !== null) owners.set(fence, start.owner);
  }
  return owners;
}

/** Where a run is missing and its queue may be the reason. */
async function lookAtQueue(
  opened: OpenedJournal,
  evidence: Evidence,
  story: Story,
): Promise<QueueLook | null> {
  const { config } = opened;
  if (FINE.has(story.verdict) || evidence.nowMs - evidence.dueMs < 0) return null;
  const task = config.tasks.find(({ name }) => name === entryOf(evidence.task));
  const queue = queueNameOf(config, evidence, story);
  if (queue === null) return null;
  const list = evidence.open?.list ??
    listOf(queue, task?.priority ?? null, config.settings.transport);
  const [look] = await lookAtQueues(opened, [{ list, queue }], WORKERS_WAIT_MS);
  return look ?? null;
}

/** As it was declared then, or else is now. */
function queueNameOf(config: Config, { task }: Evidence, { schedule }: Story): string | null {
  const declared = "declared" in schedule ? schedule.declared : null;
  const then = declared?.queue ?? "";
  const now = config.tasks.find(({ name }) => name === entryOf(task));
  return then === "" ? now?.queue ?? null : then;
}
