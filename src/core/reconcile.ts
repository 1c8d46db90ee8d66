/**
 * The schedule as declared against the schedule as remembered: which tasks are new, changed or
 * retired, as steps. A task that is new, or changed in its trigger, starts at now and never fires the
 * past; one that is changed otherwise keeps its cursor.
 */

import type { Cursor } from "../cursor.ts";
import { encodeCursor } from "../cursor.ts";
import type { EventType, Row } from "../event.ts";
import { TASK_NAME } from "../fire.ts";
import type { Step } from "../ports.ts";
import type { Task } from "../task.ts";
import { hasSameTrigger } from "../task.ts";
import { freshUntil } from "./chain.ts";
import type { ReadyTask, Roster } from "./roster.ts";
import type { World } from "./world.ts";

/**
 * A clock that was set back by more than this is for a person to judge, who is told (`lead/ahead.ts`);
 * what is new must not wait for it. One set right by less needs nobody. Milliseconds.
 */
export const SET_BACK_MAX_MS = 3_600_000;

/** @param nowMs the server's time. Unix milliseconds. */
export function reconcile(roster: Roster, world: World, nowMs: number): Step[] {
  const steps: Step[] = [];
  // Where the clock was set back, an entry of this name may have fired what is yet to come, and been
  // removed since. No fire is due after the newest row.
  const isNear = world.recordedMs - nowMs <= SET_BACK_MAX_MS;
  const startMs = isNear ? Math.max(nowMs, world.recordedMs) : nowMs;
  for (const ready of roster.values()) {
    const cursor = world.cursors.get(ready.task.name);
    if (cursor?.revision === ready.revision) continue;
    const keepsRhythm = cursor !== undefined && hasSameTrigger(cursor.revision, ready.revision);
    if (cursor === undefined) {
      steps.push(declaredStep("task.known", ready, "", { dueMs: startMs }, nowMs));
    } else if (keepsRhythm) {
      const { dueMs, pending } = cursor;
      // What is held stays so, and the new policies are asked about it.
      const kept = pending === undefined
        ? { dueMs }
        : { dueMs, pending: { notBeforeMs: nowMs, by: pending.by } };
      steps.push(declaredStep("task.changed", ready, encodeCursor(cursor), kept, nowMs));
    } else {
      const expect = endPending(steps, ready.task.name, cursor, { why: "changed", nowMs });
      // A server clock that stepped back must not fire again what the old trigger has fired.
      const dueMs = Math.max(startMs, cursor.dueMs);
      steps.push(declaredStep("task.changed", ready, expect, { dueMs }, nowMs));
    }
  }
  for (const [task, cursor] of world.cursors) {
    if (roster.has(task) || !TASK_NAME.test(task)) continue;
    const expect = endPending(steps, task, cursor, { why: "retired", nowMs });
    steps.push(retiredStep(task, expect, nowMs));
  }
  return steps;
}

/** Skips what the task holds: nobody would come back to it. @returns the cursor after that, as text */
function endPending(
  steps: Step[],
  task: string,
  cursor: Cursor,
  { why, nowMs }: { why: string; nowMs: number },
): string {
  const expect = encodeCursor(cursor);
  if (cursor.pending === undefined) return expect;
  const { dueMs, revision } = cursor;
  const next = encodeCursor({ dueMs, revision });
  const detail = { by: "schedule", reason: `the task was ${why}` };
  const row: Row = { type: "fire.skipped", task, dueMs, decidedMs: nowMs, detail };
  steps.push({ task, expect, next, notBeforeMs: 0, row, publish: null });
  return next;
}

/** What `audit` needs of a task to compute its due times again; arguments stay out of the journal. */
export function definitionOf(task: Task): Record<string, unknown> {
  const { name: _name, args: _args, kwargs: _kwargs, headers: _headers, ...definition } = task;
  return definition;
}

function declaredStep(
  type: Extract<EventType, "task.known" | "task.changed">,
  { task, revision }: ReadyTask,
  expect: string,
  cursor: Omit<Cursor, "revision">,
  nowMs: number,
): Step {
  const detail = { revision, definition: definitionOf(task) };
  const row: Row = { type, task: task.name, dueMs: cursor.dueMs, decidedMs: nowMs, detail };
  const next = encodeCursor({ ...cursor, revision });
  const notAfterMs = freshUntil(row);
  return { task: task.name, expect, next, notBeforeMs: 0, notAfterMs, row, publish: null };
}

function retiredStep(task: string, expect: string, nowMs: number): Step {
  const row: Row = { type: "task.retired", task, dueMs: null, decidedMs: nowMs, detail: {} };
  return { task, expect, next: "", notBeforeMs: 0, row, publish: null };
}
