/**
 * What a server has written down: the effects of each step, in order, how far the disk has them for
 * sure, and a base before which nothing can be lost any more.
 */

import { replay } from "./redis_table.ts";
import type { ReadonlyKeyspace } from "./redis_values.ts";
import { cloneKeys, Keyspace } from "./redis_values.ts";
import type { LogEntry } from "./redis_words.ts";

/** Entries that can still be cut off, at least. */
const TAIL_MIN = 2_000;

export interface EffectLog {
  /** Entries ever appended. */
  readonly offset: number;
  /** The least offset that {@link EffectLog.cutTo} can go back to. */
  readonly baseOffset: number;
  /** What a power failure leaves for sure. */
  readonly syncedOffset: number;
  append(entry: LogEntry): void;
  sync(): void;
  /** The entry that led to `offset`. */
  entryTo(offset: number): LogEntry;
  /** Forgets what came after `offset`. @returns the data as of then */
  cutTo(offset: number): Keyspace;
  /** Starts over from a copy of `keys`. */
  restart(keys: ReadonlyKeyspace, offset: number): void;
}

export function effectLog(): EffectLog {
  let base = new Keyspace();
  let baseOffset = 0;
  let syncedOffset = 0;
  let entries: LogEntry[] = [];

  const offset = () => baseOffset + entries.length;
  const fold = () => {
    base = replay(base, entries.slice(0, TAIL_MIN));
    entries = entries.slice(TAIL_MIN);
    baseOffset += TAIL_MIN;
    syncedOffset = Math.max(syncedOffset, baseOffset);
  };
  return {
    get offset() {
      return offset();
    },
    get baseOffset() {
      return baseOffset;
    },
    get syncedOffset() {
      return syncedOffset;
    },
    append(entry) {
      entries.push(entry);
      if (entries.length > 2 * TAIL_MIN) fold();
    },
    sync() {
      syncedOffset = offset();
    },
    entryTo: (at) => entries[at - baseOffset - 1]!,
    cutTo(at) {
      entries.length = Math.max(0, Math.min(at, offset()) - baseOffset);
      syncedOffset = offset();
      return replay(cloneKeys(base), entries);
    },
    restart(keys, at) {
      base = cloneKeys(keys);
      entries = [];
      baseOffset = syncedOffset = at;
    },
  };
}
