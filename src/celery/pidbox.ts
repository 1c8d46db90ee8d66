/** Questions to all workers at once, and their answers, as Kombu's remote control writes them. */

import { bodyText } from "./body.ts";
import { membersOf, parseJson } from "./json.ts";

/** What makes one question different from every other; UUIDs. */
export interface PidboxIds {
  /** Names the list of the answers. */
  readonly oid: string;
  readonly ticket: string;
  readonly deliveryTag: string;
}

/** The key, without the global key prefix, of the set without which workers drop their answers. */
export const REPLY_BINDING = "_kombu.binding.reply.celery.pidbox";

/** The key, without the global key prefix, of the set that each worker enters when it starts. */
export const PIDBOX_BINDING = "_kombu.binding.celery.pidbox";

/** The list of the answers, without the global key prefix. */
export function replyList({ oid }: PidboxIds): string {
  return `${oid}.reply.celery.pidbox`;
}

/** The member of {@link REPLY_BINDING}. @param sep Kombu's separator */
export function replyMember(ids: PidboxIds, sep: string): string {
  return `${ids.oid}${sep}${sep}${replyList(ids)}`;
}

/** Without the global key prefix. @param database of the broker */
export function pidboxChannel(database: number): string {
  return `/${database}.celery.pidbox`;
}

/**
 * The question which queues a worker consumes.
 * @param expiresMs workers do not answer after it, by their clocks. Unix milliseconds.
 */
export function activeQueuesQuestion(ids: PidboxIds, expiresMs: number): string {
  const question = {
    method: "active_queues",
    arguments: {},
    destination: null,
    pattern: null,
    matcher: null,
    ticket: ids.ticket,
    reply_to: { exchange: "reply.celery.pidbox", routing_key: ids.oid },
  };
  return JSON.stringify({
    body: new TextEncoder().encode(JSON.stringify(question)).toBase64(),
    "content-encoding": "utf-8",
    "content-type": "application/json",
    headers: { clock: 1, expires: expiresMs / 1000 },
    properties: {
      delivery_mode: 2,
      delivery_info: { exchange: "celery.pidbox", routing_key: "" },
      priority: 0,
      body_encoding: "base64",
      delivery_tag: ids.deliveryTag,
    },
  });
}

/** What one worker answered. */
export interface WorkerQueues {
  /** The node name, as `io@host`. */
  readonly worker: string;
  readonly queues: readonly string[];
}

/** An element of the list of answers; `null` for what answers another question, or none. */
export function decodeQueuesAnswer(text: string, { ticket }: PidboxIds): WorkerQueues | null {
  const { headers, body, properties } = membersOf(parseJson(text));
  if (membersOf(headers)["ticket"] !== ticket || typeof body !== "string") return null;
  const decoded = bodyText(body, membersOf(properties)["body_encoding"]);
  const [answer] = Object.entries(membersOf(decoded === null ? null : parseJson(decoded)));
  if (answer === undefined || !Array.isArray(answer[1])) return null;
  const names = answer[1].map((queue) => membersOf(queue)["name"]);
  return { worker: answer[0], queues: names.filter((name) => typeof name === "string") };
}
