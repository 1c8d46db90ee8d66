/** What Celery's workers left of tasks that ended, whatever it is: one that is too long must not hide all others. */

import type { Redis } from "ioredis";
import { decodeLongResult, decodeResult } from "../celery/result.ts";
import { JournalUnavailableError } from "../errors.ts";
import type { Sensors, TaskResult } from "../sensors.ts";
import type { Transport } from "../settings.ts";
import { ask } from "./client.ts";
import { inPortions, PORTION } from "./portions.ts";
import type { SampleLimits } from "./sample_limits.ts";

/** Results have one limit among them: nobody asks twice for the same. */
const ALL = "results";

/** Of one that is too long, this much of its beginning and of its end is read. Bytes. */
const END = 4_096;

/** @param limits for who looks again and again */
export function resultReader(
  client: Redis,
  { resultKeyPrefix }: Pick<Transport, "resultKeyPrefix">,
  limits: SampleLimits,
): Sensors["results"] {
  /** A call failed, and it is not known yet that it was not for what it asked. */
  let isWary = false;

  async function wholeOf(some: readonly string[]): Promise<(TaskResult | null)[]> {
    try {
      const texts = await ask(client, () => client.mget(...some));
      limits.learn(ALL, texts.map((text) => text ?? ""));
      return texts.map((text) => text === null ? null : decodeResult(text));
    } catch (error) {
      limits.shrink(ALL, some.length);
      isWary = Number.isFinite(limits.textMax);
      throw error;
    }
  }

  return async (taskIds) => {
    const keys = taskIds.map((taskId) => `${resultKeyPrefix}celery-task-meta-${taskId}`);
    const long = isWary ? await longAmong(client, keys, limits.textMax) : new Set<string>();
    const short = keys.filter((key) => !long.has(key));
    const portion = () => limits.of(ALL, PORTION);
    const whole = await inPortions(short, portion, wholeOf);
    const read = new Map(short.map((key, index) => [key, whole[index] ?? null]));
    for (const key of long) read.set(key, await endsOf(client, key));
    isWary = long.size > 0;
    return keys.map((key) => read.get(key) ?? null);
  };
}

async function longAmong(
  client: Redis,
  keys: readonly string[],
  textMax: number,
): Promise<Set<string>> {
  const lengths = await inPortions(keys, () => PORTION, async (some) => {
    const asked = client.pipeline();
    for (const key of some) asked.strlen(key);
    const replies = await ask(client, () => asked.exec());
    // Who may not ask, or finds something else there, is told so by what follows.
    return (replies ?? []).map(([, length]) => Number(length ?? 0));
  });
  return new Set(keys.filter((_, index) => lengths[index]! > textMax));
}

/** `null` where it has gone, or is nothing that Celery has left. */
async function endsOf(client: Redis, key: string): Promise<TaskResult | null> {
  const asked = client.pipeline().getrange(key, 0, END - 1).getrange(key, -END, -1);
  const replies = await ask(client, () => asked.exec());
  if (replies === null) throw new JournalUnavailableError("Redis dropped a look", "backoff");
  const [head, tail] = replies.map(([, text]) => String(text ?? ""));
  return decodeLongResult(head!, tail!);
}
