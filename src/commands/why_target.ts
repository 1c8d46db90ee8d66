/** Which fire somebody asks about: by task and time, by fire id, or by Celery task id. */

import { celeryTaskId } from "../celery/ids.ts";
import type { Declared } from "../audit/schedule_then.ts";
import { declaredOf, DECLARES } from "../audit/schedule_then.ts";
import { nearest } from "../config/nearest.ts";
import { UsageError } from "../errors.ts";
import { attemptOf, millisecondsOf } from "../event.ts";
import { openIdOf, parseOpenId } from "../fire.ts";
import type { Journal, Loaded } from "../ports.ts";
import type { Config } from "../settings.ts";
import type { Task } from "../task.ts";
import { triggerOf } from "../triggers/mod.ts";
import { parseTimeOption } from "./time_option.ts";
import { dueText } from "./time_text.ts";

/** Rows whose Celery task ids are computed, from the newest back. */
const IDS_MAX = 50_000;

/** Rows searched back for the last declaration of a task that is not configured. */
const DECLARED_MAX = 20_000;

export interface Target {
  readonly task: string;
  readonly dueMs: number;
  /** A word on how the time was found; `null` where it was given to the millisecond. */
  readonly note: string | null;
}

export interface Asked {
  readonly subject: string;
  readonly time: string | undefined;
}

export interface TargetParts {
  readonly journal: Pick<Journal, "load" | "reload" | "readBack">;
  readonly config: Config;
  readonly nowMs: number;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** @throws {UsageError} there is no such task, fire or id; the nearest is named */
export async function targetOf({ subject, time }: Asked, parts: TargetParts): Promise<Target> {
  if (UUID.test(subject)) return await byTaskId(subject.toLowerCase(), parts);
  const fire = parseOpenId(subject);
  if (fire !== null) {
    if (time !== undefined) {
      throw new UsageError(`expected no time after a fire id, got "${time}"; leave it out`);
    }
    if (!await isKnown(fire.task, parts)) await knownTask(fire.task, parts);
    return { task: fire.task, dueMs: fire.dueMs, note: null };
  }
  if (time !== undefined && EXACT.test(time) && await isKnown(subject, parts)) {
    return { task: subject, dueMs: parseTimeOption("TIME", time, parts.nowMs), note: null };
  }
  const declared = await knownTask(subject, parts);
  const isOff = parts.config.off.some(({ name }) => name === subject);
  if (isOff && declared === null && time === undefined) {
    return { task: subject, dueMs: parts.nowMs, note: "now: it is off, so nothing is due" };
  }
  return { task: subject, ...timeOf(subject, time, declared, parts.nowMs) };
}

/** Not a span back from now. */
const EXACT = /^\d{4}-\d\d-\d\d./;

/** Without reading the journal. */
async function isKnown(name: string, { journal, config }: TargetParts): Promise<boolean> {
  return [...config.tasks, ...config.off].some((each) => each.name === name) ||
    (await journal.reload([name], [])).cursors.has(name);
}

/**
 * What the configuration, or else the journal, says of a task; `null` where only its cursor, or its
 * switch, is known.
 * @throws {UsageError}
 */
async function knownTask(
  name: string,
  { journal, config: { tasks, off } }: TargetParts,
): Promise<Declared | null> {
  const task = tasks.find((each) => each.name === name);
  if (task !== undefined) return declaredTask(task);
  let count = 0;
  let isSeen = off.some((each) => each.name === name);
  for await (const row of journal.readBack({ from: "-", to: "+" })) {
    if (row.task === name) isSeen = true;
    if (row.task === name && DECLARES.has(row.type)) return declaredOf(row);
    if (++count >= DECLARED_MAX) break;
  }
  if (isSeen) return null;
  const { cursors } = await journal.load("cursors");
  if (cursors.has(name)) return null;
  throw unknown(name, { tasks, off }, cursors);
}

function unknown(
  name: string,
  { tasks, off }: Pick<Config, "tasks" | "off">,
  cursors: Loaded["cursors"],
): UsageError {
  const known = [...tasks, ...off].map((each) => each.name);
  const journaled = [...cursors.keys()].filter((each) => !each.includes("@"));
  const advice = nearest(name, [...new Set([...known, ...journaled])]);
  return new UsageError(
    `expected a task, a fire id (task@dueMs) or a Celery task id, got "${name}"` +
      (advice === "" ? "; `beat tasks` lists the tasks" : advice),
  );
}

export function declaredTask({ trigger, queue, expiresMs }: Task): Declared {
  return { spec: trigger, queue, expiresMs };
}

/** Without a time, the last due time; a span back means the last one at or before that instant. */
function timeOf(
  task: string,
  time: string | undefined,
  declared: Declared | null,
  nowMs: number,
): Omit<Target, "task"> {
  const atMs = time === undefined ? nowMs : parseTimeOption("TIME", time, nowMs);
  if (time !== undefined && EXACT.test(time)) return { dueMs: atMs, note: null };
  const lastMs = declared === null ? null : triggerOf(declared.spec).last(atMs);
  if (lastMs !== null) {
    const what = time === undefined ? "the last due time" : `the last due time at ${dueText(atMs)}`;
    return { dueMs: lastMs, note: what };
  }
  if (time !== undefined) return { dueMs: atMs, note: null };
  throw new UsageError(
    `expected \`TIME\` to say which fire of ${task} is meant, got none, and ` +
      (declared === null
        ? "neither the configuration nor the newest rows of the journal say when it is due"
        : `it has not been due yet; its first time is ${firstText(declared, atMs)}`),
  );
}

function firstText({ spec }: Declared, atMs: number): string {
  const nextMs = triggerOf(spec).next(atMs);
  return nextMs === null ? "never" : dueText(nextMs);
}

/** Ids are computed, never stored: those of open fires, then those of the newest rows. */
async function byTaskId(
  id: string,
  { journal, config: { settings: { namespace } } }: TargetParts,
): Promise<Target> {
  const found = (task: string, dueMs: number): Target => ({ task, dueMs, note: null });
  for (const { task, dueMs, attempt } of (await journal.load()).open) {
    if (celeryTaskId(namespace, openIdOf(task, dueMs, attempt)) === id) return found(task, dueMs);
  }
  let count = 0;
  let oldest: string | null = null;
  for await (const row of journal.readBack({ from: "-", to: "+" })) {
    oldest = row.id;
    if (row.type === "fire.published" && row.dueMs !== null) {
      const openId = openIdOf(row.task, row.dueMs, attemptOf(row));
      if (celeryTaskId(namespace, openId) === id) return found(row.task, row.dueMs);
    }
    if (++count >= IDS_MAX) break;
  }
  const back = oldest === null ? "" : `, back to ${dueText(millisecondsOf(oldest))}`;
  throw new UsageError(
    `expected the Celery task id of an open fire or of one published in the newest ${count} rows ` +
      `of the journal${back}, got ${id}; \`beat why TASK TIME\` reaches further, and other ` +
      "publishers' tasks are not in the journal",
  );
}
