/**
 * Asks the workers which queues they consume, and how many tasks they run at a time. All that a look
 * ever writes: a member of Kombu's set of bindings, taken away at the end, and a list of answers,
 * which ends by itself even where Beat is killed while it asks.
 */

import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import type { PidboxIds, PidboxMethod, WorkerAnswer, WorkerQueues } from "../celery/pidbox.ts";
import {
  decodeAnswer,
  pidboxChannel,
  questionText,
  REPLY_BINDING,
  replyList,
  replyMember,
  workersIn,
} from "../celery/pidbox.ts";
import { systemClock } from "../clock.ts";
import type { Transport } from "../settings.ts";
import { ask } from "./client.ts";
import { orNull } from "./errors.ts";
import { transaction } from "./transaction.ts";

/** How long the list of answers lives while they are awaited, and after that. Seconds. */
const LIST_S = 60;
/** An answer that was under way at the end goes with it: made anew, the list would stay for ever. */
const LIST_LEFT_S = 5;

/** Between two looks at the answers. Milliseconds. */
const LOOK_MS = 20;

/** Clocks of workers may be ahead; a question that has expired is not answered. Milliseconds. */
const CLOCK_MARGIN_MS = 30_000;

export interface QueueQuestion {
  /** Ask for the size of their pools, too. @default false */
  readonly asksHands?: boolean;
  /** Of the broker. */
  readonly database: number;
  readonly transport: Pick<Transport, "globalKeyPrefix" | "sep">;
  /** How long to wait for answers. Milliseconds. */
  readonly waitMs: number;
  /** Called with the answers so far; true ends the wait. */
  isEnough(answers: readonly WorkerQueues[]): boolean;
}

/**
 * The queues of each worker that answers in time. A worker whose pool is `solo` does not answer while
 * it runs a task, so no answer proves nothing.
 *
 * @returns `null` where the user may not ask
 * @throws {JournalUnavailableError}
 */
export async function askWorkers(
  client: Redis,
  { database, transport, asksHands = false, waitMs, isEnough }: QueueQuestion,
): Promise<WorkerQueues[] | null> {
  const ids = { oid: randomUUID(), ticket: randomUUID() };
  const { globalKeyPrefix: prefix, sep } = transport;
  const methods: PidboxMethod[] = asksHands ? ["active_queues", "stats"] : ["active_queues"];
  const binding = prefix + REPLY_BINDING;
  const member = replyMember(ids, sep);
  const list = prefix + replyList(ids);
  try {
    return await orNull(async () => {
      // Answers go before the element that is there already, and so into a list that ends: all or nothing
      // of it, for whoever may not call one of them leaves nothing behind.
      await transaction(client, [
        ["RPUSH", list, ""],
        ["EXPIRE", list, String(LIST_S)],
        ["SADD", binding, member],
      ]);
      const expiresMs = systemClock.wallMs() + waitMs + CLOCK_MARGIN_MS;
      for (const method of methods) {
        const message = questionText(method, { ...ids, deliveryTag: randomUUID() }, expiresMs);
        await ask(client, () => client.publish(prefix + pidboxChannel(database), message));
      }
      return await collect(client, { list, ids, waitMs, isEnough });
    });
  } finally {
    // Where these are lost with the connection, or not allowed, a name stays in a set.
    await client.srem(binding, member).catch(() => {});
    await client.expire(list, LIST_LEFT_S).catch(() => {});
  }
}

async function collect(
  client: Redis,
  { list, ids, waitMs, isEnough }: Pick<QueueQuestion, "waitMs" | "isEnough"> & {
    readonly list: string;
    readonly ids: Pick<PidboxIds, "ticket">;
  },
): Promise<WorkerQueues[]> {
  const endMs = systemClock.monotonicMs() + waitMs;
  const told: WorkerAnswer[] = [];
  for (let seen = 0;;) {
    // Workers put theirs in front, so what was seen is at the other end.
    const texts = await ask(client, () => client.lrange(list, 0, -2 - seen));
    seen += texts.length;
    told.push(...texts.flatMap((text) => decodeAnswer(text, ids) ?? []));
    const answers = workersIn(told);
    if (isEnough(answers) || systemClock.monotonicMs() >= endMs) return answers;
    await systemClock.sleep(LOOK_MS, new AbortController().signal);
  }
}
