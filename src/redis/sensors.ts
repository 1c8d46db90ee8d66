/** What Celery leaves in Redis: queues, reservations and results, read in bounded portions. */

import type { Redis } from "ioredis";
import { decodeMessage } from "../celery/message.ts";
import { decodeResult } from "../celery/result.ts";
import { JournalUnavailableError } from "../errors.ts";
import type { QueueSample, Reservation, Sensors } from "../sensors.ts";
import type { RedisEndpoint, Transport } from "../settings.ts";
import { ask, connect } from "./client.ts";
import { codeOf } from "./errors.ts";
import { listenTo } from "./listen.ts";
import reservedText from "./reserved.lua" with { type: "text" };
import type { SampleLimits } from "./sample_limits.ts";
import { NO_LIMITS, sampleLimits } from "./sample_limits.ts";
import { runScript, scriptOf } from "./script.ts";

const RESERVED = scriptOf(reservedText);

/** Ids in one command: it holds Redis up for well under a millisecond. */
const PORTION = 200;

const RESERVATION: Readonly<Record<string, Reservation>> = { n: "none", f: "first", a: "again" };

export interface RedisSensorsOptions {
  readonly broker: RedisEndpoint;
  /** `null` where results are not in a Redis. */
  readonly backend: RedisEndpoint | null;
  readonly transport: Transport;
  /** @see `ConnectOptions` */
  readonly commandTimeoutMs: number;
}

export interface RedisSensors extends Sensors {
  /** Ends the connections; `listen` ends with its own signal. */
  close(): void;
}

/** Starts connecting and returns at once; until then, what is asked is refused. */
export function redisSensors(options: RedisSensorsOptions): RedisSensors {
  const { broker, backend, transport, commandTimeoutMs } = options;
  const queues = connect(broker, { name: "beat-sensors", commandTimeoutMs });
  const results = backend === null
    ? null
    : connect(backend, { name: "beat-results", commandTimeoutMs });
  return {
    ...sensorsOver({ queues, results }, transport, sampleLimits()),
    listen: (onHint, signal) => listenTo(options, onHint, signal),
    close() {
      queues.disconnect();
      results?.disconnect();
    },
  };
}

/**
 * What is read over connections that somebody else opens and closes.
 * @param limits for who looks again and again. @default NO_LIMITS
 */
export function sensorsOver(
  { queues, results }: { readonly queues: Redis; readonly results: Redis | null },
  { sep, globalKeyPrefix, resultKeyPrefix, unackedKey }: Transport,
  limits: SampleLimits = NO_LIMITS,
): Omit<Sensors, "listen"> {
  const unacked = globalKeyPrefix + unackedKey;
  return {
    sep,
    hasResults: results !== null,
    async sampleQueues(lists, limit) {
      const wanted = lists.map((list) => ({
        key: globalKeyPrefix + list,
        limit: limits.of(list, limit),
      }));
      try {
        const samples = await ask(queues, () => sampleLists(queues, wanted));
        samples.forEach((sample, index) => limits.learn(lists[index]!, sample));
        return samples;
      } catch (error) {
        lists.forEach(limits.shrink);
        throw error;
      }
    },
    reservations(tags) {
      return inPortions(tags, async (some) => {
        const letters = await ask(queues, () => runScript(queues, RESERVED, [unacked], some));
        return Array.from(letters as string, (letter) => RESERVATION[letter]!);
      });
    },
    async results(taskIds) {
      if (results === null) return taskIds.map(() => null);
      return await inPortions(taskIds, async (some) => {
        const keys = some.map((taskId) => `${resultKeyPrefix}celery-task-meta-${taskId}`);
        const texts = await ask(results, () => results.mget(...keys));
        return texts.map((text) => text === null ? null : decodeResult(text));
      });
    },
  };
}

/** Length and old end of each list, of one moment: else a sample might look whole that is not. */
async function sampleLists(
  client: Redis,
  wanted: readonly { readonly key: string; readonly limit: number }[],
): Promise<QueueSample[]> {
  if (wanted.length === 0) return [];
  const moment = client.multi();
  for (const { key, limit } of wanted) moment.llen(key).lrange(key, -limit, -1);
  const replies = await moment.exec();
  if (replies === null) throw new JournalUnavailableError("Redis dropped a sample", "backoff");
  return wanted.map((_, index) => {
    const depth = listReply<number>(replies[2 * index]!) ?? 0;
    const elements = listReply<string[]>(replies[2 * index + 1]!) ?? [];
    // The old end is the right one.
    return { depth, oldest: elements.reverse().map(decodeMessage) };
  });
}

/** `null` for a key that is no list: then no message waits there. */
function listReply<T>([error, reply]: [error: Error | null, reply: unknown]): T | null {
  if (error === null) return reply as T;
  if (codeOf(error) === "WRONGTYPE") return null;
  throw error;
}

async function inPortions<Item, Answer>(
  items: readonly Item[],
  answer: (some: readonly Item[]) => Promise<Answer[]>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let start = 0; start < items.length; start += PORTION) {
    answers.push(...await answer(items.slice(start, start + PORTION)));
  }
  return answers;
}
