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
export function replyList({ oid }: Pick<PidboxIds, "oid">): string {
  return `${oid}.reply.celery.pidbox`;
}

/** The member of {@link REPLY_BINDING}. @param sep Kombu's separator */
export function replyMember(ids: Pick<PidboxIds, "oid">, sep: string): string {
  return `${ids.oid}${sep}${sep}${replyList(ids)}`;
}

/** Without the global key prefix. @param database of the broker */
export function pidboxChannel(database: number): string {
  return `/${database}.celery.pidbox`;
}

/** Which queues a worker consumes, or what there is to tell of its process, its pool among it. */
export type PidboxMethod = "active_queues" | "stats";

/**
 * A question to all workers.
 * @param expiresMs workers do not answer after it, by their clocks. Unix milliseconds.
 */
export function questionText(method: PidboxMethod, ids: PidboxIds, expiresMs: number): string {
  const question = {
    method,
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

/** What workers have answered. */
export interface WorkerQueues {
  /** The node name, as `io@host`. */
  readonly worker: string;
  readonly queues: readonly string[];
  /** How many tasks it runs at a time; `null` where it was not asked, or did not tell. */
  readonly hands: number | null;
}

/** What one answer tells. */
export type WorkerAnswer =
  & Pick<WorkerQueues, "worker">
  & (Pick<WorkerQueues, "queues"> | Pick<WorkerQueues, "hands">);

/** An element of the list of answers; `null` for what answers another question, or none. */
export function decodeAnswer(
  text: string,
  { ticket }: Pick<PidboxIds, "ticket">,
): WorkerAnswer | null {
  const { headers, body, properties } = membersOf(parseJson(text));
  if (membersOf(headers)["ticket"] !== ticket || typeof body !== "string") return null;
  const decoded = bodyText(body, membersOf(properties)["body_encoding"]);
  const [answer] = Object.entries(membersOf(decoded === null ? null : parseJson(decoded)));
  if (answer === undefined) return null;
  const [worker, told] = answer;
  if (Array.isArray(told)) {
    const names = told.map((queue) => membersOf(queue)["name"]);
    return { worker, queues: names.filter((name) => typeof name === "string") };
  }
  const hands = membersOf(membersOf(told)["pool"])["max-concurrency"];
  return Number.isSafeInteger(hands) && Number(hands) > 0 ? { worker, hands: Number(hands) } : null;
}

/** The answers of each worker as one; of those that said which queues they consume. */
export function workersIn(answers: readonly WorkerAnswer[]): WorkerQueues[] {
  const hands = new Map(
    answers.flatMap((each) => "hands" in each ? [[each.worker, each.hands]] : []),
  );
  return answers.flatMap((each) =>
    "queues" in each ? [{ ...each, hands: hands.get(each.worker) ?? null }] : []
  );
}
