/** What Redis would hold, in memory: the state that the memory journal and lease share. */

import { invariant } from "../errors.ts";
import type { Row } from "../event.ts";
import { NO_ID, ROW_VERSION } from "../event.ts";
import type { Settlement } from "../ports.ts";
import { encodeRow, ROW_FIELDS } from "../row_text.ts";

/** An entry of the stream, as Redis would give it: an id, and names and values in turn. */
export interface Entry {
  readonly id: string;
  readonly fields: readonly string[];
}

export interface MemoryStore {
  /** The server's time. Unix milliseconds, whole. */
  readonly serverMs: () => number;
  /** The counter that only grows; `null` where the key is absent. */
  fence: number | null;
  lease: { owner: string; fence: number; endsMs: number } | null;
  epoch: string | null;
  /** Texts by task. */
  readonly cursors: Map<string, string>;
  /** Texts by open key. */
  readonly open: Map<string, string>;
  /** Messages by list, without the global prefix. The first is the newest, as with LPUSH. */
  readonly lists: Map<string, string[]>;
  /** Lists whose key is of another type. */
  readonly foreignLists: Set<string>;
  readonly entries: Entry[];
}

/** @param fence the term that commits must carry; `null` (nobody ever led) refuses all */
export function memoryStore(serverMs: () => number, fence: number | null = null): MemoryStore {
  return {
    serverMs,
    fence,
    lease: null,
    epoch: null,
    cursors: new Map(),
    open: new Map(),
    lists: new Map(),
    foreignLists: new Set(),
    entries: [],
  };
}

/** XADD: the id is the server's time, and never goes back where the clock does. */
export function appendRow(store: MemoryStore, nowMs: number, row: Row, fence: number): void {
  const [lastMs, lastSequence] = splitId(lastIdOf(store));
  const id = nowMs > lastMs ? `${nowMs}-0` : `${lastMs}-${lastSequence + 1}`;
  const [type, due, decided, payload] = encodeRow(row);
  const values = [String(ROW_VERSION), type, row.task, due, decided, String(fence), payload];
  store.entries.push({
    id,
    fields: ROW_FIELDS.flatMap((name, index) => [name, values[index]!]),
  });
}

/** The id of the newest entry; `0-0` for none. */
export function lastIdOf(store: MemoryStore): string {
  return store.entries.at(-1)?.id ?? NO_ID;
}

/** LPUSH. */
export function pushMessage(store: MemoryStore, list: string, message: string): void {
  const messages = store.lists.get(list);
  if (messages === undefined) store.lists.set(list, [message]);
  else messages.unshift(message);
}

/** Takes the oldest equal element out. @returns whether there was one */
export function removeMessage(
  store: MemoryStore,
  { list, bytes, reach }: NonNullable<Settlement["remove"]>,
): boolean {
  const messages = store.lists.get(list) ?? [];
  const index = messages.lastIndexOf(bytes);
  if (index < 0 || index < messages.length - reach) return false;
  messages.splice(index, 1);
  if (messages.length === 0) store.lists.delete(list);
  return true;
}

/** The parts of a stream id; the sequence is 0 where `id` has none. */
export function splitId(id: string): [ms: number, sequence: number] {
  const [ms, sequence] = id.split("-");
  const parts: [number, number] = [Number(ms), Number(sequence ?? 0)];
  invariant(parts.every(Number.isSafeInteger), `expected a stream id, got "${id}"`);
  return parts;
}
