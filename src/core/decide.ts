/** Turns what is due into steps: rows, cursors and messages. Pure. */

import { celeryTaskId, deliveryTag } from "../celery/ids.ts";
import type { OpenFire } from "../cursor.ts";
import { encodeCursor } from "../cursor.ts";
import { openIdOf } from "../fire.ts";
import type { Gap } from "../policies/catchup.ts";
import type { Step } from "../ports.ts";
import type { ReadyTask } from "./roster.ts";

/** Who decides, and when. */
export interface Term {
  readonly namespace: string;
  readonly fence: number;
}

/**
 * The steps of one task, in order: what catch-up let go, then the fires.
 *
 * @param cursor the task's cursor as it stands, as text
 * @param nowMs the server's time; becomes the publish time. Unix milliseconds.
 */
export function decide(
  ready: ReadyTask,
  cursor: string,
  gap: Gap,
  term: Term,
  nowMs: number,
): Step[] {
  const steps: Step[] = [];
  let expect = cursor;
  if (gap.dropped !== null) {
    const next = encodeCursor({ dueMs: gap.dropped.toMs, revision: ready.revision });
    steps.push(dropStep(ready, gap.dropped, { expect, next }, nowMs));
    expect = next;
  }
  for (const dueMs of gap.fires) {
    const next = encodeCursor({ dueMs, revision: ready.revision });
    steps.push(publishStep(ready, dueMs, { expect, next }, term, nowMs));
    expect = next;
  }
  return steps;
}

type Move = Pick<Step, "expect" | "next">;

function dropStep(
  { task }: ReadyTask,
  dropped: NonNullable<Gap["dropped"]>,
  move: Move,
  nowMs: number,
): Step {
  return {
    task: task.name,
    ...move,
    notBeforeMs: dropped.toMs,
    row: {
      type: "task.dropped",
      task: task.name,
      dueMs: dropped.toMs,
      decidedMs: nowMs,
      detail: { ...dropped, by: "catchup" },
    },
    publish: null,
  };
}

function publishStep(
  ready: ReadyTask,
  dueMs: number,
  move: Move,
  { namespace, fence }: Term,
  nowMs: number,
): Step {
  const { task, list } = ready;
  const openId = openIdOf(task.name, dueMs, 0);
  const taskId = celeryTaskId(namespace, openId);
  const message = ready.template.render({
    taskId,
    deliveryTag: deliveryTag(taskId, fence),
    fireId: openId,
    dueMs,
    publishedMs: nowMs,
  });
  const open: OpenFire = {
    task: task.name,
    dueMs,
    attempt: 0,
    list,
    fence,
    publishedMs: nowMs,
    expiresMs: task.expiresMs === null ? null : nowMs + task.expiresMs,
    takeByMs: nowMs + task.takeByMs,
    giveUpMs: nowMs + task.giveUpMs,
    state: "queued",
    isOverdue: false,
    redeliveries: 0,
  };
  return {
    task: task.name,
    ...move,
    notBeforeMs: dueMs,
    row: { type: "fire.published", task: task.name, dueMs, decidedMs: nowMs, detail: {} },
    publish: { message, open },
  };
}
