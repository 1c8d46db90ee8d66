/** A task message as Celery's workers take it from Redis (protocol 2 in Kombu's envelope), written and read. */

import { MessageError } from "../errors.ts";
import type { QueuedMessage } from "../sensors.ts";
import type { Transport } from "../settings.ts";
import type { Task } from "../task.ts";
import { bodyOf } from "./body.ts";
import { checkMessage } from "./check_message.ts";
import { checkTask } from "./check_task.ts";
import { deliveryTag } from "./ids.ts";
import { membersOf, parseJson } from "./json.ts";
import { pythonRepr } from "./python_repr.ts";
import { parseTimeText, timeText } from "./time_text.ts";

/** What is different in each message of a task. Times are Unix milliseconds, whole. */
export interface MessageParts {
  /** From `celeryTaskId`. */
  readonly taskId: string;
  /** From `deliveryTag`; never used twice in one database. */
  readonly deliveryTag: string;
  /** `task@dueMs`, for people and for tools that read headers. */
  readonly fireId: string;
  readonly dueMs: number;
  /** The message's `expires` is counted from here. */
  readonly publishedMs: number;
}

/** A task's message, ready but for what differs each time. */
export interface MessageTemplate {
  /** About how long one is. Characters. */
  readonly size: number;
  /** One list element: JSON, to be pushed as it is. */
  render(parts: MessageParts): string;
}

/**
 * Prepares the messages of a task.
 *
 * @param origin who sends: `beat@host`
 * @throws {MessageError} the message could not travel, or could kill a worker; names every problem
 */
export function messageOf(task: Task, origin: string): MessageTemplate {
  const problems = checkTask(task);
  if (problems.length > 0) {
    throw new MessageError(`task ${task.name} has no message that works: ${problems.join("; ")}`);
  }
  const template = templateOf(task, origin);
  const sample = template.render(sampleOf(task));
  checkMessage(sample);
  return { ...template, size: sample.length };
}

/** Long before year 10000, which Python cannot write, whatever `expires` is allowed to be. */
const SAMPLE_MS = Date.UTC(2026, 0, 1);

function sampleOf(task: Task): MessageParts {
  return {
    taskId: SAMPLE_ID,
    deliveryTag: deliveryTag(SAMPLE_ID, 1),
    fireId: `${task.name}@${SAMPLE_MS}`,
    dueMs: SAMPLE_MS,
    publishedMs: SAMPLE_MS,
  };
}

/** Of the form of all task ids; making one for each task would be seen at start. */
const SAMPLE_ID = "00000000-0000-5000-8000-000000000000";

/** Concatenation: building and encoding the whole object costs several times as much for each fire. */
function templateOf(task: Task, origin: string): Pick<MessageTemplate, "render"> {
  const { expiresMs } = task;
  const beforeId = `{"body":"${bodyOf(task.args, task.kwargs)}",` +
    `"content-encoding":"utf-8","content-type":"application/json",` +
    `"headers":{"lang":"js","task":${JSON.stringify(task.celeryTask)},"id":`;
  const beforeExpires = `,"shadow":null,"eta":null,"expires":`;
  const beforeRoot = `,"group":null,"group_index":null,"retries":0,` +
    `"timelimit":${JSON.stringify([task.timeLimitS, task.softTimeLimitS])},"root_id":`;
  const beforeFire = `,"parent_id":null,` + jsonMembers({
    argsrepr: task.args.length === 0 ? "()" : pythonRepr(task.args),
    kwargsrepr: pythonRepr(task.kwargs),
    origin,
    // A trap where it is true: workers with `task_track_started` then store STARTED, and after a
    // success nothing more. A task declared with ignore_result in the worker needs no header.
    ignore_result: task.ignoreResult,
    periodic_task_name: task.name,
  }) + `,"x-beat-fire-id":`;
  const own = jsonMembers(task.headers);
  const beforeCorrelation = `${own === "" ? "" : ","}${own}},"properties":{"correlation_id":`;
  const beforeTag = `,"reply_to":"","delivery_mode":2,` +
    (expiresMs === null ? "" : `"expiration":"${expiresMs}",`) +
    `"delivery_info":{"exchange":"","routing_key":${JSON.stringify(task.queue)}},` +
    `"priority":${task.priority ?? 0},"body_encoding":"base64","delivery_tag":`;
  return {
    render({ taskId, deliveryTag, fireId, dueMs, publishedMs }) {
      const id = JSON.stringify(taskId);
      const expires = expiresMs === null ? "null" : `"${timeText(publishedMs + expiresMs)}"`;
      // Joined, the text is made in one piece here, and not where a crowd is waiting to be sent.
      return [
        ...[beforeId, id, beforeExpires, expires, beforeRoot, id, beforeFire],
        ...[JSON.stringify(fireId), `,"x-beat-due":"`, timeText(dueMs)],
        ...[`","x-beat-published":"`, timeText(publishedMs), `"`, beforeCorrelation, id],
        ...[beforeTag, JSON.stringify(deliveryTag), "}}"],
      ].join("");
    },
  };
}

/** The members of an object's JSON, without its braces. */
function jsonMembers(value: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(value).slice(1, -1);
}

/**
 * The list that Celery's workers serve a queue's messages of this priority from, without the global
 * key prefix: that of the greatest step not above `priority`, which is the queue itself for step 0.
 *
 * @param priority 0 to 9, 0 served first; `null` for Celery's default, 0
 */
export function listOf(
  queue: string,
  priority: number | null,
  transport: Pick<Transport, "sep" | "prioritySteps">,
): string {
  const steps = transport.prioritySteps;
  // Below every step, Kombu wraps around to the last; workers serve no list but those of the steps.
  const step = steps.findLast((step) => step <= (priority ?? 0)) ?? steps.at(-1) ?? 0;
  return step === 0 ? queue : `${queue}${transport.sep}${step}`;
}

/** All lists of a queue, those that are served first before the others. As {@link listOf}. */
export function listsOf(
  queue: string,
  transport: Pick<Transport, "sep" | "prioritySteps">,
): string[] {
  return [...new Set(transport.prioritySteps.map((step) => listOf(queue, step, transport)))];
}

/** An element of a queue's list. Whatever is not a message has an empty `taskId`. */
export function decodeMessage(text: string): QueuedMessage {
  return fromEnvelope(parseJson(text), text);
}

/** A value of the hash `unacked`: `[envelope, exchange, routing_key]`. As {@link decodeMessage}. */
export function decodeUnacked(text: string): QueuedMessage {
  const entry = parseJson(text);
  return fromEnvelope(Array.isArray(entry) ? entry[0] : null, text);
}

function fromEnvelope(envelope: unknown, bytes: string): QueuedMessage {
  const { headers, properties } = membersOf(envelope);
  const { id, expires, redelivered, "x-beat-published": published } = membersOf(headers);
  const { delivery_tag: tag, delivery_info: info } = membersOf(properties);
  return {
    taskId: typeof id === "string" ? id : "",
    deliveryTag: typeof tag === "string" ? tag : "",
    publishedMs: parseTimeText(published),
    expiresMs: parseTimeText(expires),
    isRedelivered: redelivered === true || membersOf(info)["redelivered"] === true,
    bytes,
  };
}
