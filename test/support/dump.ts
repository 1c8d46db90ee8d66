/** All that a journal holds, in one shape for Redis and for memory, to compare. */

import type { Redis } from "ioredis";
import type { MemoryStore } from "../../src/memory/store.ts";
import type { Keys } from "../../src/redis/keys.ts";

export interface Dump {
  readonly fence: string | null;
  readonly epoch: string | null;
  readonly lease: string | null;
  readonly cursors: Readonly<Record<string, string>>;
  /** Texts by open key. */
  readonly open: Readonly<Record<string, string>>;
  /** By name without the global prefix, the newest first. */
  readonly lists: Readonly<Record<string, readonly string[]>>;
  readonly entries: readonly { readonly id: string; readonly fields: readonly string[] }[];
}

export async function redisDump(client: Redis, keys: Keys): Promise<Dump> {
  const entries = await client.xrange(keys.journal, "-", "+");
  return {
    fence: await client.get(keys.fence),
    epoch: await client.get(keys.epoch),
    lease: await client.get(keys.lease),
    cursors: sorted(Object.entries(await client.hgetall(keys.cursors))),
    open: sorted(Object.entries(await client.hgetall(keys.open))),
    lists: await listsOf(client, keys),
    entries: entries.map(([id, fields]) => ({ id, fields })),
  };
}

export function memoryDump(store: MemoryStore): Dump {
  const { lease } = store;
  return {
    fence: store.fence === null ? null : String(store.fence),
    epoch: store.epoch,
    lease: lease === null ? null : `${lease.owner} ${lease.fence}`,
    cursors: sorted(store.cursors),
    open: sorted(store.open),
    lists: sorted([...store.lists].map(([name, messages]) => [name, [...messages]])),
    entries: [...store.entries],
  };
}

/** Two histories have the same rows under different stream ids. */
export function withoutIds(dump: Dump): Omit<Dump, "entries"> & { rows: (readonly string[])[] } {
  const { entries, ...rest } = dump;
  return { ...rest, rows: entries.map(({ fields }) => fields) };
}

async function listsOf(client: Redis, keys: Keys): Promise<Record<string, string[]>> {
  const prefix = keys.list("");
  const lists: [string, string[]][] = [];
  for (const key of await client.keys("*")) {
    if (await client.type(key) !== "list") continue;
    lists.push([key.slice(prefix.length), await client.lrange(key, 0, -1)]);
  }
  return sorted(lists);
}

function sorted<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}
