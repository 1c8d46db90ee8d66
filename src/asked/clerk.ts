/**
 * Turns what people ask for into steps. Each request has a cursor of its own (`ring.ts`), which every
 * row about it moves; so a row and a message are written once, whoever leads and however often they
 * are sent. Pure.
 */

import { checkTask } from "../celery/check_task.ts";
import { messageOf } from "../celery/message.ts";
import type { Term } from "../core/chain.ts";
import { freshUntil, publishOf } from "../core/chain.ts";
import { factsOf } from "../core/decide.ts";
import type { ReadyTask, Roster } from "../core/roster.ts";
import { gateOfOne } from "../core/roster.ts";
import type { World } from "../core/world.ts";
import { skipRunOf } from "../core/world.ts";
import { encodeCursor } from "../cursor.ts";
import type { Detail, Row } from "../event.ts";
import { millisecondsOf } from "../event.ts";
import { openIdOf, wantedName } from "../fire.ts";
import type { Publish, Step } from "../ports.ts";
import type { RequestEntry, RequestOf } from "../request.ts";
import type { Slot } from "./ring.ts";
import { encodeSlot } from "./ring.ts";

/** A trigger or a backfill that nobody took up for so long is refused. Milliseconds. */
export const STALE_MS = 86_400_000;

/** What the journal keeps of arguments; all of them stand in the message. Characters of their JSON. */
const ARGUMENTS_MAX = 1_000;

/** Where requests are decided. */
export interface Counter {
  readonly world: World;
  readonly roster: Roster;
  readonly term: Term;
  /** Who publishes, for the message's `origin` header. */
  readonly origin: string;
  /** The server's time. Unix milliseconds. */
  readonly nowMs: number;
  /** The newest row of the journal that the leader has heard of. */
  readonly newestId: string;
}

/** How a request ended. */
export interface Answer {
  readonly result: Detail<"control.answered">["result"];
  readonly reason?: string;
  /** Of `repeated`: the entry of the request that was taken up, where that is remembered. */
  readonly firstId?: string;
  readonly published?: number;
  /** Due times that needed no publish after all. */
  readonly passed?: number;
}

/** The steps of one request, each on the cursor that the one before it leaves. */
export interface Sheet {
  readonly cursor: string;
  readonly steps: Step[];
  slot: Slot;
  text: string;
}

/** @param slot of the request; new, or as its cursor has it */
export function sheetOf({ cursors }: World, cursor: string, slot: Slot): Sheet {
  const known = cursors.get(cursor);
  return { cursor, slot, text: known === undefined ? "" : encodeCursor(known), steps: [] };
}

export function newSlot(entry: RequestEntry, number: number, requestId: string): Slot {
  return {
    ...{ entryId: entry.id, number, requestId, state: "taken", settled: 0, published: 0 },
    backfill: null,
  };
}

/** Ends a request. Refused before anything of it was published, it may be asked again under its id. */
export function answer(
  sheet: Sheet,
  { nowMs, newestId }: Pick<Counter, "nowMs" | "newestId">,
  task: string | null,
  detail: Answer,
): void {
  const { requestId: request, entryId, backfill } = sheet.slot;
  const row: Row = {
    ...{ type: "control.answered", task: task ?? "", dueMs: null, decidedMs: nowMs },
    detail: { request, entryId, ...detail },
  };
  const next = backfill === null ? {} : { backfill: { ...backfill, endedId: newestId } };
  move(sheet, { state: detail.result, ...next }, row);
}

/** Says that it was taken up. */
export function accept(
  sheet: Sheet,
  { nowMs }: Pick<Counter, "nowMs">,
  wanted: RequestOf<"trigger"> | RequestOf<"backfill">,
): void {
  const { requestId: request, entryId } = sheet.slot;
  const { kind, who, note, task } = wanted;
  move(sheet, kind === "backfill" ? { backfill: { task, endedId: null } } : {}, {
    ...{ type: "control.requested", task, dueMs: null, decidedMs: nowMs },
    detail: { request, kind, who, note, entryId, ...particulars(wanted) },
  });
}

function particulars(wanted: RequestOf<"trigger"> | RequestOf<"backfill">) {
  if (wanted.kind === "backfill") {
    const { fires, rate } = wanted;
    return { fires: fires.length, fromMs: fires[0]![0], toMs: fires.at(-1)![0], rate };
  }
  const { args, kwargs, isObeying } = wanted;
  return {
    ...(args === undefined ? {} : { args: cut(JSON.stringify(args)) }),
    ...(kwargs === undefined ? {} : { kwargs: cut(JSON.stringify(kwargs)) }),
    ...(isObeying ? { isObeying } : {}),
  };
}

/** No half of a character is left at the end. */
function cut(text: string): string {
  return text.length <= ARGUMENTS_MAX ? text : `${text.slice(0, ARGUMENTS_MAX).toWellFormed()}…`;
}

/** Why a fire cannot be wanted now; `null` where it can. */
export function refusal(
  counter: Counter,
  request: RequestOf<"trigger"> | RequestOf<"backfill">,
  entryId: string,
): string | null {
  const ready = counter.roster.get(request.task);
  if (ready === undefined || !counter.world.cursors.has(request.task)) {
    return `the leader's schedule has no task ${request.task}`;
  }
  if (counter.nowMs - millisecondsOf(entryId) > STALE_MS) {
    return "it waited for a leader for over a day; ask again";
  }
  if (request.kind === "backfill") {
    return request.fires.at(-1)![0] > counter.nowMs ? "a due time of it is to come" : null;
  }
  const problems = checkTask(taskOf(ready, request));
  if (problems.length > 0) return problems.join("; ");
  const objection = objectionOf(counter, ready, entryId);
  if (!request.isObeying || objection === null) return null;
  return `held back by ${objection.by}: ${objection.reason}`;
}

/**
 * The fire that a trigger wants. Its due time is when it was asked for. An order of a person goes
 * before the policies; what they would have done is noted.
 */
export function triggerFire(
  sheet: Sheet,
  counter: Counter,
  ready: ReadyTask,
  request: RequestOf<"trigger">,
): void {
  const { origin, term, nowMs } = counter;
  const { entryId } = sheet.slot;
  const isOwn = request.args === undefined && request.kwargs === undefined;
  const task = taskOf(ready, request);
  const sender = isOwn ? ready : { ...ready, task, template: messageOf(task, origin) };
  const objection = objectionOf(counter, ready, entryId);
  const name = wantedOf(request, millisecondsOf(entryId), 0);
  publish(sheet, {
    ...{ publish: publishOf(sender, name, term, nowMs), nowMs, notBeforeMs: 0, settled: 1 },
    detail: objection === null
      ? {}
      : { notes: { [objection.by]: `would ${objection.kind}: ${objection.reason}` } },
  });
}

/** The next fire of a backfill; `at` is its place among the fires that are wanted. */
export function backfillFire(
  sheet: Sheet,
  { term, nowMs }: Counter,
  ready: ReadyTask,
  { request, at }: { request: RequestOf<"backfill">; at: number },
): void {
  const [dueMs, attempt] = request.fires[at]!;
  const name = wantedOf(request, dueMs, attempt);
  publish(sheet, {
    ...{ publish: publishOf(ready, name, term, nowMs), nowMs, notBeforeMs: dueMs, settled: at + 1 },
    detail: attempt === 0 ? {} : { attempt },
  });
}

/** Whether the schedule itself will send this due time, or has and its message is about still. */
export function isUnderWay({ world }: Counter, task: string, [dueMs, attempt]: Wanted): boolean {
  const cursor = world.cursors.get(task);
  if (cursor === undefined) return true;
  const decidedMs = Math.max(cursor.dueMs, skipRunOf(world, task)?.toMs ?? -Infinity);
  if (dueMs > decidedMs || (cursor.pending !== undefined && dueMs === cursor.dueMs)) return true;
  for (let each = 0; each <= attempt; each++) {
    if (world.open.get(openIdOf(task, dueMs, each)) !== undefined) return true;
  }
  return false;
}

type Wanted = RequestOf<"backfill">["fires"][number];

function wantedOf({ task, id }: { task: string; id: string }, dueMs: number, attempt: number) {
  return { task: wantedName(task, id), dueMs, attempt };
}

function taskOf({ task }: ReadyTask, { args, kwargs }: RequestOf<"trigger">): ReadyTask["task"] {
  if (args === undefined && kwargs === undefined) return task;
  return { ...task, args: args ?? task.args, kwargs: kwargs ?? task.kwargs };
}

/** What the policies of a task say of a fire at the time that it was asked for. */
function objectionOf({ world, nowMs }: Counter, { task, trigger }: ReadyTask, entryId: string) {
  const gate = gateOfOne(task);
  if (gate === null) return null;
  const dueMs = millisecondsOf(entryId);
  const decision = gate({ task, trigger, dueMs }, nowMs, factsOf(world, task.name, dueMs));
  return decision.kind === "pass" ? null : decision;
}

function publish(
  sheet: Sheet,
  { publish, nowMs, notBeforeMs, detail, settled }: {
    publish: Publish;
    nowMs: number;
    notBeforeMs: number;
    detail: Detail<"fire.published">;
    settled: number;
  },
): void {
  const { task, dueMs } = publish.open;
  const row: Row = { type: "fire.published", task, dueMs, decidedMs: nowMs, detail };
  const next = { settled, published: sheet.slot.published + 1 };
  move(sheet, next, row, { notBeforeMs, publish });
}

function move(
  sheet: Sheet,
  next: Partial<Slot>,
  row: Row,
  { notBeforeMs, publish }: Pick<Step, "notBeforeMs" | "publish"> = {
    notBeforeMs: 0,
    publish: null,
  },
): void {
  sheet.slot = { ...sheet.slot, ...next };
  const expect = sheet.text;
  sheet.text = encodeSlot(sheet.slot);
  const { cursor: task, text } = sheet;
  const notAfterMs = freshUntil(row);
  sheet.steps.push({ task, expect, next: text, notBeforeMs, notAfterMs, row, publish });
}
