/**
 * Pausing and resuming. There are two layers, that of a task and that of all tasks, and a task fires
 * where neither keeps it back: resuming one of them leaves the other as it is. Pure.
 */

import { freshUntil } from "../core/chain.ts";
import { isStanding, pauseOf, standingPauses } from "../core/pauses.ts";
import { cursorText } from "../core/world.ts";
import type { Note } from "../cursor.ts";
import { ALL_TASKS, encodeCursor, encodeNote, pauseCursor } from "../cursor.ts";
import type { Row } from "../event.ts";
import type { Pause } from "../policies/mod.ts";
import type { Step } from "../ports.ts";
import type { RequestOf } from "../request.ts";
import type { Answer, Counter } from "./clerk.ts";

/** What is to be done, and what to say. */
export interface Order {
  /** `null` where it is so already, or is refused. */
  readonly step: Step | null;
  readonly answer: Answer;
}

/** Names that an answer lists; the rest is counted. */
const NAMES_MAX = 5;

export function pauseOrder(counter: Counter, request: RequestOf<"pause">): Order {
  const { world, roster, nowMs } = counter;
  const { id, who, note } = request;
  const task = request.task ?? ALL_TASKS;
  if (request.task !== null && !roster.has(request.task)) {
    return refused(`the leader's schedule has no task ${request.task}`);
  }
  const standing = pauseOf(world.cursors, task);
  if (standing?.untilMs === null) return done(null, `it was paused already ${byText(standing)}`);
  const row: Row = {
    ...{ type: "control.paused", task: request.task ?? "", dueMs: null, decidedMs: nowMs },
    detail: { request: id, who, note },
  };
  return done(stepOf(counter, task, { sinceMs: nowMs, who, note, untilMs: null }, row));
}

/** What came due before now is not fired any more, whoever led until now: `policies/pause.ts`. */
export function resumeOrder(counter: Counter, request: RequestOf<"resume">): Order {
  const { world, roster, nowMs } = counter;
  const { id, who, note } = request;
  const task = request.task ?? ALL_TASKS;
  const standing = pauseOf(world.cursors, task);
  // A pause outlives its task; without one, it is a name that somebody mistyped.
  if (standing === null && request.task !== null && !roster.has(request.task)) {
    return refused(`the leader's schedule has no task ${request.task}`);
  }
  const ofAll = request.task === null ? null : pauseOf(world.cursors, ALL_TASKS);
  const byAll = ofAll !== null && isStanding(ofAll, nowMs) ? byText(ofAll) : null;
  if (standing === null || !isStanding(standing, nowMs)) {
    return byAll !== null
      ? refused(`all tasks are paused ${byAll}; resume with --all`)
      : done(null, "it was not paused");
  }
  const { sinceMs } = standing;
  const row: Row = {
    ...{ type: "control.resumed", task: request.task ?? "", dueMs: null, decidedMs: nowMs },
    detail: { request: id, who, note, sinceMs },
  };
  const step = stepOf(counter, task, { ...standing, untilMs: nowMs }, row);
  if (byAll !== null) {
    return done(step, `it fires again once all tasks are resumed: paused ${byAll}`);
  }
  return done(step, request.task === null ? stillPaused(counter) : null);
}

function stepOf({ world }: Counter, task: string, order: Note & { sinceMs: number }, row: Row) {
  const cursor = pauseCursor(task);
  const next = encodeCursor({ dueMs: order.sinceMs, revision: encodeNote(order) });
  const expect = cursorText(world, cursor);
  const notAfterMs = freshUntil(row);
  return { task: cursor, expect, next, notBeforeMs: 0, notAfterMs, row, publish: null };
}

function stillPaused({ world, nowMs }: Counter): string | null {
  const standing = [...standingPauses(world.cursors, nowMs).keys()];
  const names = standing.filter((name) => name !== ALL_TASKS);
  if (names.length === 0) return null;
  const some = names.toSorted().slice(0, NAMES_MAX).join(", ");
  const more = names.length > NAMES_MAX ? ` and ${names.length - NAMES_MAX} more` : "";
  return `paused by an order of their own: ${some}${more}`;
}

function byText({ who, note, sinceMs }: Pause): string {
  const since = new Date(sinceMs).toISOString().slice(0, 19);
  return `by ${who} since ${since}Z${note === "" ? "" : `: ${note}`}`;
}

function done(step: Step | null, reason: string | null = null): Order {
  return { step, answer: { result: "done", ...(reason === null ? {} : { reason }) } };
}

function refused(reason: string): Order {
  return { step: null, answer: { result: "refused", reason } };
}
