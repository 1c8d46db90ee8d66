/** What Celery leaves in Redis: queues, reservations and results, read in bounded portions. */

import type { Redis } from "ioredis";
import { decodeMessage } from "../celery/message.ts";
import { JournalUnavailableError } from "../errors.ts";
import type { QueueSample, Reservation, Sensors } from "../sensors.ts";
import type { Transport } from "../settings.ts";
import { ask, connect } from "./client.ts";
import { codeOf } from "./errors.ts";
import type { ListenOptions } from "./listen.ts";
import { listenTo } from "./listen.ts";
import { inPortions, PORTION } from "./portions.ts";
import reservedText from "./reserved.lua" with { type: "text" };
import { resultReader } from "./results.ts";
import type { SampleLimits } from "./sample_limits.ts";
import { NO_LIMITS, sampleLimits } from "./sample_limits.ts";
import { runScript, scriptOf } from "./script.ts";

const RESERVED = scriptOf(reservedText);

/** Lists of one moment: a thousand messages of each hold Redis up for five milliseconds. */
const LISTS = 10;

const RESERVATION: Readonly<Record<string, Reservation>> = { n: "none", f: "first", a: "again" };

export interface RedisSensors extends Sensors {
  /** Ends the connections; `listen` ends with its own signal. */
  close(): void;
}

/** How much is read at once. */
export interface SensorLimits {
  readonly lists: SampleLimits;
  readonly results: SampleLimits;
}

export interface SensorOptions {
  /** For who looks again and again. @default none */
  readonly limits?: SensorLimits;
  /** Where the server keeps the fence of who leads; needed where samples are taken for a leader. */
  readonly fenceKey?: string | undefined;
}

/** Starts connecting and returns at once; until then, what is asked is refused. */
export function redisSensors(
  options: ListenOptions & Pick<SensorOptions, "fenceKey">,
): RedisSensors {
  const { fenceKey, broker, backend, transport, commandTimeoutMs } = options;
  const queues = connect(broker, { name: "beat-sensors", commandTimeoutMs });
  const results = backend === null
    ? null
    : connect(backend, { name: "beat-results", commandTimeoutMs });
  return {
    ...sensorsOver({ queues, results }, transport, {
      limits: { lists: sampleLimits(), results: sampleLimits() },
      fenceKey,
    }),
    listen: (onHint, signal) => listenTo(options, onHint, signal),
    close() {
      queues.disconnect();
      results?.disconnect();
    },
  };
}

/** What is read over connections that somebody else opens and closes. */
export function sensorsOver(
  { queues, results }: { readonly queues: Redis; readonly results: Redis | null },
  transport: Transport,
  { limits = { lists: NO_LIMITS, results: NO_LIMITS }, fenceKey }: SensorOptions = {},
): Omit<Sensors, "listen"> {
  const { sep, globalKeyPrefix, unackedKey } = transport;
  const unacked = globalKeyPrefix + unackedKey;
  return {
    sep,
    hasResults: results !== null,
    sampleQueues(lists, limit, fence) {
      const least = fence === undefined || fenceKey === undefined ? null : { fence, fenceKey };
      return inPortions(lists, () => LISTS, async (some) => {
        const wanted = some.map((list) => ({
          key: globalKeyPrefix + list,
          limit: limits.lists.of(list, limit),
        }));
        try {
          const samples = await ask(queues, () => sampleLists(queues, wanted, least));
          samples.forEach(({ oldest }, index) =>
            limits.lists.learn(some[index]!, oldest.map(({ bytes }) => bytes))
          );
          return samples;
        } catch (error) {
          some.forEach((list) => limits.lists.shrink(list, limit));
          throw error;
        }
      });
    },
    reservations(tags) {
      return inPortions(tags, () => PORTION, async (some) => {
        const letters = await ask(queues, () => runScript(queues, RESERVED, [unacked], some));
        return Array.from(letters as string, (letter) => RESERVATION[letter]!);
      });
    },
    results: results === null
      ? (taskIds) => Promise.resolve(taskIds.map(() => null))
      : resultReader(results, transport, limits.results),
  };
}

/**
 * Length and old end of each list, of one moment: else a sample might look whole that is not.
 * @param least what the server must know. A connection to one that was the master may stay open, and all
 * that was published since would seem to have left its lists.
 */
async function sampleLists(
  client: Redis,
  wanted: readonly { readonly key: string; readonly limit: number }[],
  least: { readonly fence: number; readonly fenceKey: string } | null,
): Promise<QueueSample[]> {
  if (wanted.length === 0) return [];
  const moment = client.multi();
  for (const { key, limit } of wanted) moment.llen(key).lrange(key, -limit, -1);
  if (least !== null) moment.get(least.fenceKey);
  const replies = await moment.exec();
  if (replies === null) throw new JournalUnavailableError("Redis dropped a sample", "backoff");
  if (least !== null && !(Number(replies.at(-1)![1]) >= least.fence)) {
    client.disconnect(true);
    throw new JournalUnavailableError("this server of Redis leads no more", "reconnect");
  }
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
