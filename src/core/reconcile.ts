/**
 * The schedule as declared against the schedule as remembered: which tasks are new, changed or
 * retired, as steps. A task that is new, or changed in its trigger, starts at now and never fires the
 * past; one that is changed otherwise keeps its cursor.
 */

import { encodeCursor } from "../cursor.ts";
import type { EventType, Row } from "../event.ts";
import { TASK_NAME } from "../fire.ts";
import type { Step } from "../ports.ts";
import type { Task } from "../task.ts";
import { hasSameTrigger } from "../task.ts";
import type { ReadyTask, Roster } from "./roster.ts";
import type { World } from "./world.ts";
import { cursorText } from "./world.ts";

/**
 * A clock that was set back by more than this is for a person to judge, as `ahead.ts` says; what is new
 * must not wait for it. Milliseconds.
 */
const SET_BACK_MAX_MS = 3_600_000;

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
    // A server clock that stepped back must not fire again what the old trigger has fired.
    const dueMs = keepsRhythm ? cursor.dueMs : Math.max(startMs, cursor?.dueMs ?? 0);
    const type = cursor === undefined ? "task.known" : "task.changed";
    steps.push(declaredStep(type, ready, cursorText(world, ready.task.name), dueMs, nowMs));
  }
  for (const task of world.cursors.keys()) {
    if (roster.has(task) || !TASK_NAME.test(task)) continue;
    steps.push(retiredStep(task, cursorText(world, task), nowMs));
  }
  return steps;
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
  dueMs: number,
  nowMs: number,
): Step {
  const detail = { revision, definition: definitionOf(task) };
  const row: Row = { type, task: task.name, dueMs, decidedMs: nowMs, detail };
  const next = encodeCursor({ dueMs, revision });
  return { task: task.name, expect, next, notBeforeMs: 0, row, publish: null };
}

function retiredStep(task: string, expect: string, nowMs: number): Step {
  const row: Row = { type: "task.retired", task, dueMs: null, decidedMs: nowMs, detail: {} };
  return { task, expect, next: "", notBeforeMs: 0, row, publish: null };
}
