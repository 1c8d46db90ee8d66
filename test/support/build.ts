/** Values with everything filled in, so that a test states only what matters to it. */

import { openFires } from "../../src/follow/open_fires.ts";
import { messageOf } from "../../src/celery/message.ts";
import type { Term } from "../../src/core/chain.ts";
import { chainOf, publish } from "../../src/core/chain.ts";
import type { ReadyTask, Roster } from "../../src/core/roster.ts";
import type { World } from "../../src/core/world.ts";
import { worldOf } from "../../src/core/world.ts";
import type { Cursor } from "../../src/cursor.ts";
import type { OpenFire } from "../../src/open_fire.ts";
import { encodeCursor } from "../../src/cursor.ts";
import type { JournalRow, Row } from "../../src/event.ts";
import { NO_ID } from "../../src/event.ts";
import type { SourceHeaders } from "../../src/level.ts";
import type { Log, LogFields } from "../../src/log.ts";
import type { Journal, Step } from "../../src/ports.ts";
import type { Transport } from "../../src/settings.ts";
import type { Task } from "../../src/task.ts";
import { NO_POLICIES, revisionOf } from "../../src/task.ts";
import type { Trigger } from "../../src/triggers/mod.ts";

/** 2026-01-01T00:00:00Z, a whole multiple of a day. Unix milliseconds. */
export const T0 = Date.UTC(2026, 0, 1);

/** Celery's own defaults. */
export const TRANSPORT: Transport = {
  globalKeyPrefix: "",
  sep: "\x06\x16",
  prioritySteps: [0, 3, 6, 9],
  visibilityTimeoutMs: 3_600_000,
  unackedKey: "unacked",
  unackedIndexKey: "unacked_index",
  resultKeyPrefix: "",
};

export const NO_HEADERS: SourceHeaders = { values: {}, secrets: [] };

export function aTask(own: Partial<Task> = {}): Task {
  return {
    name: "check.echo",
    celeryTask: "check.echo",
    queue: "maintenance",
    trigger: { kind: "every", everyMs: 1000, phaseMs: 0 },
    args: [],
    kwargs: {},
    expiresMs: null,
    priority: null,
    headers: {},
    timeLimitS: null,
    softTimeLimitS: null,
    ignoreResult: false,
    importance: "critical",
    policies: NO_POLICIES,
    catchUp: { policy: "latest", windowMs: 60_000, cap: 1 },
    takeByMs: 60_000,
    giveUpMs: 604_800_000,
    ...own,
  };
}

/** Due at every multiple of a whole number of milliseconds. */
export function anEvery(everyMs: number): Trigger {
  const indexAt = (ms: number) => Math.floor(ms / everyMs);
  return {
    next: (afterMs) => (indexAt(afterMs) + 1) * everyMs,
    last: (atMs) => indexAt(atMs) * everyMs,
    count: (afterMs, untilMs) => Math.max(0, indexAt(untilMs) - indexAt(afterMs)),
  };
}

/** Due at some instants, and never again. */
export function aTimetable(...dueMs: readonly number[]): Trigger {
  const sorted = [...new Set(dueMs)].sort((one, other) => one - other);
  return {
    next: (afterMs) => sorted.find((each) => each > afterMs) ?? null,
    last: (atMs) => sorted.findLast((each) => each <= atMs) ?? null,
    count: (afterMs, untilMs) => sorted.filter((each) => each > afterMs && each <= untilMs).length,
  };
}

/** A task made ready; `trigger` stands in for the one that the task names. */
export function aReady(own: Partial<Task> = {}, trigger?: Trigger): ReadyTask {
  const task = aTask(own);
  const { kind } = task.trigger;
  const everyMs = kind === "every" ? task.trigger.everyMs : 1000;
  return {
    task,
    trigger: trigger ?? anEvery(everyMs),
    gate: null,
    template: messageOf(task, "beat@test"),
    list: task.queue,
    revision: revisionOf(task),
  };
}

export function aRoster(...ready: readonly ReadyTask[]): Roster {
  return new Map(ready.map((each) => [each.task.name, each]));
}

/** @param cursors keyed by task */
export function aWorld(cursors: Readonly<Record<string, Cursor>> = {}): World {
  const loaded = { cursors: new Map(Object.entries(cursors)), lastId: NO_ID };
  return worldOf(loaded, openFires());
}

/** The steps that publish a task at each of some due times. @param cursor as text */
export function publishSteps(
  ready: ReadyTask,
  dueTimes: readonly number[],
  { cursor, term, nowMs }: { cursor: string; term: Term; nowMs: number },
): Step[] {
  const chain = chainOf(ready, cursor, term, nowMs);
  for (const dueMs of dueTimes) publish(chain, dueMs);
  return chain.steps;
}

export function anOpenFire(own: Partial<OpenFire> = {}): OpenFire {
  const publishedMs = own.publishedMs ?? T0;
  return {
    task: "check.echo",
    dueMs: T0,
    attempt: 0,
    list: "maintenance",
    fence: 1,
    publishedMs,
    expiresMs: null,
    takeByMs: publishedMs + 60_000,
    takeWithinMs: 60_000,
    giveUpMs: publishedMs + 604_800_000,
    state: "queued",
    isOverdue: false,
    redeliveries: 0,
    ...own,
  };
}

export function aRow(own: Partial<Row<"fire.published">> = {}): Row {
  return {
    type: "fire.published",
    task: "check.echo",
    dueMs: T0,
    decidedMs: T0,
    detail: {},
    ...own,
  };
}

/** Publishes the first fire of a task that has no cursor, unless told otherwise. */
export function aStep(own: Partial<Step> = {}): Step {
  const task = own.task ?? "check.echo";
  return {
    task,
    expect: "",
    next: encodeCursor({ dueMs: T0, revision: "r.r" }),
    notBeforeMs: T0,
    row: aRow({ task }),
    publish: { message: `message of ${task}`, open: anOpenFire({ task }) },
    ...own,
  };
}

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that keeps its lines for a test to read. */
export function aLog(): Log & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const say = (level: LogLine["level"]) => (message: string, fields: LogFields = {}) => {
    lines.push({ level, message, fields });
  };
  const log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
  return { ...log, lines, child: () => ({ ...log, child: () => aLog() }) };
}

/** Every row of a journal, in order. */
export async function rowsOf(journal: Journal): Promise<JournalRow[]> {
  return await Array.fromAsync(journal.read({ from: "-", to: "+" }));
}
