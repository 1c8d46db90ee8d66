/** The steps of one task, each on the cursor that the one before it leaves. Pure. */

import { celeryTaskId, deliveryTag } from "../celery/ids.ts";
import type { Cursor, Pending } from "../cursor.ts";
import type { OpenFire } from "../open_fire.ts";
import { encodeCursor } from "../cursor.ts";
import type { Detail, Row } from "../event.ts";
import { openIdOf } from "../fire.ts";
import type { Gap } from "../policies/catchup.ts";
import type { DecisionFacts } from "../policies/mod.ts";
import type { Publish, Step } from "../ports.ts";
import type { ReadyTask } from "./roster.ts";

/**
 * What the messages of one call come to at the most, where it has more than one. Hundreds of megabytes
 * would not get through in the time that a call has, and the next term would begin with the same.
 * Characters.
 */
export const BATCH_TEXT_MAX = 2_000_000;

/** How many messages of a task one call may carry; at least one. */
export function fitting({ template }: Pick<ReadyTask, "template">): number {
  return Math.max(1, Math.floor(BATCH_TEXT_MAX / template.size));
}

/** Who decides: the leader of `fence`, on the keys of `namespace`. */
export interface Term {
  readonly namespace: string;
  readonly fence: number;
}

export interface Chain {
  readonly ready: ReadyTask;
  readonly term: Term;
  /** The server's time; becomes the publish time. Unix milliseconds. */
  readonly nowMs: number;
  readonly steps: Step[];
  /** The text of the cursor as the steps so far leave it. */
  cursor: string;
}

/** @param cursor the task's cursor as it stands, as text */
export function chainOf(ready: ReadyTask, cursor: string, term: Term, nowMs: number): Chain {
  return { ready, term, nowMs, steps: [], cursor };
}

/** Due times let go, all for one reason. */
export function drop(
  chain: Chain,
  { fromMs, toMs, count, reason }: NonNullable<Gap["dropped"]>,
  by: string,
): void {
  add(chain, { dueMs: toMs, revision: chain.ready.revision }, {
    type: "task.dropped",
    task: chain.ready.task.name,
    dueMs: toMs,
    decidedMs: chain.nowMs,
    detail: { fromMs, toMs, count, reason, by },
  });
}

/** One due time let go. */
export function skip(
  chain: Chain,
  dueMs: number,
  { by, reason, facts }: { by: string; reason: string; facts?: DecisionFacts },
): void {
  add(chain, { dueMs, revision: chain.ready.revision }, {
    type: "fire.skipped",
    task: chain.ready.task.name,
    dueMs,
    decidedMs: chain.nowMs,
    detail: { by, reason, ...(facts === undefined ? {} : { facts }) },
  });
}

/** Keeps the fire of a due time back. */
export function hold(
  chain: Chain,
  dueMs: number,
  { pending, detail }: { pending: Pending; detail: Detail<"fire.delayed"> },
): void {
  add(chain, { dueMs, revision: chain.ready.revision, pending }, {
    type: "fire.delayed",
    task: chain.ready.task.name,
    dueMs,
    decidedMs: chain.nowMs,
    detail,
  });
}

/**
 * Sends the fire of a due time.
 *
 * @param held since when it may go out, where it was held; Unix milliseconds
 */
export function publish(
  chain: Chain,
  dueMs: number,
  held: number | null = null,
  notes: Readonly<Record<string, string>> | null = null,
): void {
  const { ready, ready: { task, revision }, term, nowMs } = chain;
  const name = { task: task.name, dueMs, attempt: 0 };
  const detail = held === null && notes === null ? {} : {
    ...(held === null ? {} : { notBeforeMs: held }),
    ...(notes === null ? {} : { notes }),
  };
  const row: Row = {
    type: "fire.published",
    task: task.name,
    dueMs,
    decidedMs: nowMs,
    detail,
  };
  const notBeforeMs = held === null ? dueMs : Math.max(dueMs, held);
  add(chain, { dueMs, revision }, row, {
    notBeforeMs,
    publish: publishOf(ready, name, term, nowMs),
  });
}

/**
 * How long a decision may be carried out after it was made. Both clocks of a machine that was paused
 * stood still: what it sends when it goes on was decided hours ago, and it does not know it.
 */
const FRESH_MS = 10_000;

/** Until when what a row says may be written, by the server's clock. Unix milliseconds. */
export function freshUntil({ decidedMs }: Row): number {
  return decidedMs + FRESH_MS;
}

/** The message of a fire, and the open fire that stands for it. */
export function publishOf(
  { task, list, template }: Pick<ReadyTask, "task" | "list" | "template">,
  name: Pick<OpenFire, "task" | "dueMs" | "attempt">,
  { namespace, fence }: Term,
  nowMs: number,
): Publish {
  const openId = openIdOf(name.task, name.dueMs, name.attempt);
  const taskId = celeryTaskId(namespace, openId);
  const message = template.render({
    taskId,
    deliveryTag: deliveryTag(taskId, fence),
    fireId: openId,
    dueMs: name.dueMs,
    publishedMs: nowMs,
  });
  const open: OpenFire = {
    task: name.task,
    dueMs: name.dueMs,
    attempt: name.attempt,
    list,
    fence,
    publishedMs: nowMs,
    expiresMs: task.expiresMs === null ? null : nowMs + task.expiresMs,
    takeByMs: nowMs + task.takeByMs,
    takeWithinMs: task.takeByMs,
    giveUpMs: nowMs + task.giveUpMs,
    state: "queued",
    isOverdue: false,
    redeliveries: 0,
  };
  return { message, open };
}

function add(
  chain: Chain,
  cursor: Cursor,
  row: Row,
  { notBeforeMs, publish }: Pick<Step, "notBeforeMs" | "publish"> = {
    notBeforeMs: cursor.dueMs,
    publish: null,
  },
): void {
  const expect = chain.cursor;
  const next = encodeCursor(cursor);
  const notAfterMs = freshUntil(row);
  const task = chain.ready.task.name;
  chain.steps.push({ task, expect, next, notBeforeMs, notAfterMs, row, publish });
  chain.cursor = next;
}
