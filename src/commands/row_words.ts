/** A row of the journal as one line for people, and as one object for programs. */

import { celeryTaskId } from "../celery/ids.ts";
import type { Detail, EventType, JournalRow } from "../event.ts";
import { attemptOf, isEventType, recordedMs, rowOf } from "../event.ts";
import { fireIdOf, openIdOf } from "../fire.ts";
import type { Colour, Paint } from "./table.ts";
import { dueText, instantText, spanText } from "./time_text.ts";

/** Widths that hold nearly every type and name; longer ones push their own line only. */
const TYPE_WIDTH = 15;
const TASK_WIDTH = 24;

/** `time type task due lateness, and the rest in words`. */
export function rowLine(row: JournalRow, paint: Paint): string {
  const due = row.dueMs === null ? "" : `due ${dueText(row.dueMs)}`;
  const after = isFire(row) ? `, ${afterText(recordedMs(row) - row.dueMs)}` : "";
  const colour = colourOf(row);
  const type = harmless(row.type).padEnd(TYPE_WIDTH);
  return [
    paint("dim", instantText(recordedMs(row))),
    colour === null ? type : paint(colour, type),
    harmless(row.task || "-").padEnd(TASK_WIDTH),
    harmless([due + after, detailText(row)].filter((part) => part !== "").join("; ")),
  ].join("  ").trimEnd();
}

/** Control characters would steer the terminal, and rows quote workers and configurations. */
export function harmless(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "\ufffd");
}

/** A row for programs. Names are stable; `detail` is the payload as it was recorded. */
export interface RowObject {
  readonly id: string;
  /** When it was recorded, by the server. RFC 3339, as all times here. */
  readonly at: string;
  readonly type: string;
  readonly task: string | null;
  readonly fire_id: string | null;
  readonly due: string | null;
  /** When the tick decided it. */
  readonly decided: string;
  readonly fence: number;
  readonly celery_task_id: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** @param namespace of Beat's keys: it is part of the Celery task id */
export function rowObject(row: JournalRow, namespace: string): RowObject {
  const isAboutFire = isFire(row);
  return {
    id: row.id,
    at: instantText(recordedMs(row)),
    type: row.type,
    task: row.task === "" ? null : row.task,
    fire_id: isAboutFire ? fireIdOf(row.task, row.dueMs) : null,
    due: row.dueMs === null ? null : dueText(row.dueMs),
    decided: instantText(row.decidedMs),
    fence: row.fence,
    celery_task_id: isAboutFire && isPublished(row)
      ? celeryTaskId(namespace, openIdOf(row.task, row.dueMs, attemptOf(row)))
      : null,
    detail: row.detail,
  };
}

type FireRow = JournalRow & { readonly dueMs: number };

function isFire(row: JournalRow): row is FireRow {
  return row.type.startsWith("fire.") && row.dueMs !== null;
}

/** Fires that were held or skipped have no message, so no id of one. */
function isPublished(row: JournalRow): boolean {
  return !["fire.due", "fire.delayed", "fire.skipped"].includes(row.type);
}

function afterText(afterMs: number): string {
  return afterMs < 0 ? `${spanText(-afterMs)} before` : `${spanText(afterMs)} after`;
}

const BAD = new Set([
  "fire.expired",
  "fire.overdue",
  "term.history_lost",
  "term.history_shortened",
  "control.reload_refused",
]);
const NOTABLE = new Set(["fire.redelivered", "fire.skipped", "fire.late_ack", "task.dropped"]);

function colourOf(row: JournalRow): Colour | null {
  const { outcome } = row.detail;
  if (BAD.has(row.type) || outcome === "failure" || outcome === "lost") return "red";
  if (NOTABLE.has(row.type) || outcome === "revoked") return "yellow";
  if (row.type === "fire.acked" || row.type === "fire.finished") return "green";
  return null;
}

/** How the payload of each type reads; the types that this build knows are all here. */
const WORDS: { readonly [T in EventType]: (detail: Detail<T>) => string } = {
  "fire.due": () => "held",
  "fire.delayed": ({ untilMs, by, reason }) =>
    untilMs === null ? `by ${by}: ${reason}` : `until ${dueText(untilMs)} by ${by}: ${reason}`,
  "fire.skipped": ({ by, reason }) => `by ${by}: ${reason}`,
  "fire.published": ({ attempt }) => attempt === undefined ? "" : `attempt ${attempt + 1}`,
  "fire.taken": ({ by, worker }) => `${workerText(worker)}seen by ${by}`,
  "fire.overdue": ({ takeByMs }) => `no worker took it by ${dueText(takeByMs)}`,
  "fire.redelivered": ({ deliveries }) => `delivered ${deliveries} times`,
  "fire.acked": ({ by, worker }) => `${workerText(worker)}seen by ${by}`,
  "fire.finished": ({ outcome, runtimeMs }) =>
    runtimeMs === undefined ? outcome : `${outcome}, ran ${spanText(runtimeMs)}`,
  "fire.expired": ({ reason, by }) =>
    `${reason === "ttl" ? "its time to live passed" : "given up unacknowledged"}, seen by ${by}`,
  "fire.late_ack": ({ by, outcome }) =>
    `closed before, seen by ${by}${outcome === undefined ? "" : `: ${outcome}`}`,
  "task.known": ({ revision }) => `fires from here on, revision ${revision}`,
  "task.changed": ({ revision }) => `revision ${revision}`,
  "task.retired": () => "fires no more",
  "task.dropped": ({ fromMs, toMs, count, by, reason }) =>
    `${count} due from ${dueText(fromMs)} to ${dueText(toMs)} dropped by ${by}: ${reason}`,
  "term.started": ({ owner, build }) => `${owner} leads, build ${build}`,
  "term.ended": ({ owner, reason }) => `${owner} leads no more: ${reason}`,
  "term.history_lost": ({ owner, reason }) => `seen by ${owner}: ${reason}`,
  "term.history_shortened": ({ owner, fromId, toId }) =>
    `seen by ${owner}: rows after ${fromId} up to ${toId} are gone; what they decided is decided anew`,
  "level.changed": ({ key, from, to, reason }) => `${key} from ${from} to ${to}: ${reason}`,
  "control.reloaded": ({ added, changed, retired }) =>
    [listText("added", added), listText("changed", changed), listText("retired", retired)]
      .filter((part) => part !== "").join("; ") || "nothing changed",
  "control.reload_refused": ({ problems }) => problems.join("; "),
  "control.requested": (detail) =>
    `${detail.kind} ${detail.request} by ${detail.who}${wantedText(detail)}${
      noteText(detail.note)
    }`,
  "control.answered": ({ request, result, reason, published, passed }) =>
    [
      `${request} ${result}`,
      ...(published === undefined ? [] : [`${published} published`]),
      ...(passed ? [`${passed} passed over`] : []),
      ...(reason === undefined ? [] : [reason]),
    ].join(", "),
  "control.paused": ({ who, note }) => `by ${who}${noteText(note)}`,
  "control.resumed": ({ who, note, sinceMs }) =>
    `by ${who}${noteText(note)}; it was paused since ${dueText(sinceMs)}`,
  "journal.snapshot": ({ cutId, rows, part }) =>
    `of ${rows} rows before ${cutId}` +
    (part === undefined ? "" : `, row ${part.index + 1} of ${part.count}`),
};

/** What was asked for, as far as it is not the task as declared. */
export function wantedText(wanted: Detail<"control.requested">): string {
  const { fires, fromMs, toMs, rate, args, kwargs, isObeying } = wanted;
  return [
    ...(fires === undefined ? [] : [fires === 1 ? "1 fire" : `${fires} fires`]),
    ...(fromMs === undefined || toMs === undefined
      ? []
      : [`due from ${dueText(fromMs)} to ${dueText(toMs)}`]),
    ...(rate === undefined ? [] : [`${rate} a second`]),
    ...(args === undefined ? [] : [`args ${args}`]),
    ...(kwargs === undefined ? [] : [`kwargs ${kwargs}`]),
    ...(isObeying ? ["obeying the policies"] : []),
  ].map((part) => `, ${part}`).join("");
}

function workerText(worker: string | undefined): string {
  return worker === undefined ? "" : `${worker}, `;
}

function noteText(note: string): string {
  return note === "" ? "" : `: ${note}`;
}

function listText(what: string, names: readonly string[]): string {
  return names.length === 0 ? "" : `${what} ${names.join(", ")}`;
}

/** The payload in words; as it is where this build does not know it. */
function detailText(row: JournalRow): string {
  const words = isEventType(row.type) ? knownWords(row, row.type) : null;
  if (words !== null) return words;
  return Object.keys(row.detail).length === 0 ? "" : JSON.stringify(row.detail);
}

function knownWords<T extends EventType>(row: JournalRow, type: T): string | null {
  const known = rowOf(row, type);
  return known === null ? null : WORDS[type](known.detail);
}
