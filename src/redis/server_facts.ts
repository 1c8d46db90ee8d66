/** What a Redis server says of itself, and how Beat's and Celery's keys stand on it. Read only. */

import type { Redis } from "ioredis";
import { PIDBOX_BINDING } from "../celery/pidbox.ts";
import { systemClock } from "../clock.ts";
import { millisecondsOf } from "../event.ts";
import { ask } from "./client.ts";
import { orNull } from "./errors.ts";
import type { Keys } from "./keys.ts";
import { journalExtent } from "./read.ts";
import { factsOf, savePoints } from "./server_check.ts";
import { timeReplyMs } from "./transaction.ts";

export interface ServerFacts {
  /** The lines of INFO by name; `null` where the user may not ask. */
  readonly info: ReadonlyMap<string, string> | null;
  /** The setting `save`; `null` where it may not be read. */
  readonly savePoints: string | null;
  /** This machine's clock minus the server's, give or take `errorMs`. Milliseconds. */
  readonly clock: { readonly differenceMs: number; readonly errorMs: number };
  readonly journal: JournalSize;
}

export interface JournalSize {
  readonly rows: number;
  /** Of the stream; `null` where the server does not say. */
  readonly bytes: number | null;
  /** Of its first and last row, Unix milliseconds; `null` for an empty one. */
  readonly firstMs: number | null;
  readonly lastMs: number | null;
}

/** @throws {JournalUnavailableError} */
export async function serverFacts(client: Redis, keys: Keys): Promise<ServerFacts> {
  // First the clock: nothing else is under way that would delay the answer.
  const clock = await clockOf(client);
  const [info, save, journal] = await Promise.all([
    orNull(() => ask(client, () => client.info())),
    savePoints(client),
    sizeOf(client, keys),
  ]);
  return { info: info === null ? null : factsOf(info), savePoints: save, clock, journal };
}

async function clockOf(client: Redis): Promise<ServerFacts["clock"]> {
  const sentMs = systemClock.monotonicMs();
  const time = await ask(client, () => client.time()) as unknown as [string, string];
  const errorMs = (systemClock.monotonicMs() - sentMs) / 2;
  const serverMs = timeReplyMs([String(time[0]), String(time[1])]);
  return { differenceMs: Math.round(systemClock.wallMs() - errorMs - serverMs), errorMs };
}

async function sizeOf(client: Redis, keys: Keys): Promise<JournalSize> {
  const { rows, bytes, firstId, lastId } = await journalExtent(client, keys);
  const timeOf = (id: string | null) => id === null ? null : millisecondsOf(id);
  return { rows, bytes, firstMs: timeOf(firstId), lastMs: timeOf(lastId) };
}

/** Messages that workers hold. */
export interface Unacked {
  readonly count: number;
  /** When the one that is held longest was taken, by a worker's clock; `null` for none. */
  readonly oldestMs: number | null;
}

/** @returns `null` where the user may not look. @throws {JournalUnavailableError} */
export async function unackedOf(client: Redis, indexKey: string): Promise<Unacked | null> {
  return await orNull(async () => {
    const [, score] = await ask(client, () => client.zrange(indexKey, 0, 0, "WITHSCORES"));
    const count = await ask(client, () => client.zcard(indexKey));
    return { count, oldestMs: score === undefined ? null : Math.round(Number(score) * 1000) };
  });
}

/** Keys looked at in search of workers under another prefix; a search holds nobody up. */
const SCAN_ROUNDS_MAX = 50;
const SCAN_COUNT = 1_000;

/**
 * Prefixes under which workers have announced themselves (a set that each enters at its start and that
 * stays); first those that are looked for. `null` where the user may not look.
 * @throws {JournalUnavailableError}
 */
export async function workerPrefixes(client: Redis, expected: string): Promise<string[] | null> {
  return await orNull(async () => {
    const isThere = await ask(client, () => client.exists(expected + PIDBOX_BINDING));
    if (isThere > 0) return [expected];
    const found = new Set<string>();
    let cursor = "0";
    for (let round = 0; round < SCAN_ROUNDS_MAX; round++) {
      const [next, keys] = await ask(
        client,
        () => client.scan(cursor, "MATCH", `*${PIDBOX_BINDING}`, "COUNT", SCAN_COUNT),
      );
      for (const key of keys) found.add(key.slice(0, -PIDBOX_BINDING.length));
      cursor = next;
      if (cursor === "0") break;
    }
    return [...found].sort();
  });
}
