/** Rows out of the stream, a page at a time; the next page is on its way while one is being used. */

import type { Redis } from "ioredis";
import type { JournalRow } from "../event.ts";
import { NO_ID } from "../event.ts";
import { decodeRow } from "../row_text.ts";
import type { JournalExtent, OnForeign, ReadRange, Trace } from "../ports.ts";
import { ask } from "./client.ts";
import type { Entry } from "./entry_parser.ts";
import { orNull } from "./errors.ts";
import type { Keys } from "./keys.ts";
import { seam } from "./seam.ts";
import { transaction } from "./transaction.ts";

const PAGE_ROWS = 1_000;

export interface ReadOptions {
  readonly isBackwards: boolean;
  /** Told of entries that are not rows; they are passed over. */
  readonly onForeign: OnForeign | undefined;
  /** @see `Journal.read`; backwards, nothing that is still to come can be missed */
  readonly onMoved?: (() => void) | undefined;
}

/** @throws {JournalUnavailableError} in the middle, too */
export async function* readRows(
  client: Redis,
  keys: Keys,
  range: ReadRange,
  options: ReadOptions,
): AsyncGenerator<JournalRow> {
  // Entry by entry: what is no row is told of in its place among the rows.
  for await (const page of entryPages(client, keys, range, options)) yield* rowsIn(page, options);
}

function* rowsIn(page: readonly Entry[], { onForeign }: ReadOptions): Generator<JournalRow> {
  for (const [id, fields] of page) {
    const row = decodeRow(id, fields);
    if (typeof row === "string") onForeign?.(id, row);
    else yield row;
  }
}

async function* entryPages(
  client: Redis,
  { journal }: Keys,
  { from, to }: ReadRange,
  { isBackwards, onMoved }: ReadOptions,
): AsyncGenerator<readonly Entry[]> {
  const newOf = seam(onMoved);
  const command = isBackwards ? "XREVRANGE" : "XRANGE";
  const end = isBackwards ? from : to;
  const pageFrom = (start: string) => {
    const page = ask(
      client,
      () => client.call(command, journal, start, end, "COUNT", PAGE_ROWS),
    ) as Promise<Entry[]>;
    page.catch(() => {}); // It is awaited later, or never when the reader has seen enough.
    return page;
  };
  let coming: ReturnType<typeof pageFrom> | null = pageFrom(isBackwards ? to : from);
  while (coming !== null) {
    const page: Entry[] = await coming;
    coming = page.length < PAGE_ROWS ? null : pageFrom(page.at(-1)![0]);
    yield newOf(page);
  }
}

/** What became of rows that the journal no longer has. */
export interface Gone {
  /** Rows that were written and are not there. Redis 6.2 counts none: 1 there stands for any number. */
  readonly count: number;
  /** The newest that was deleted by its id, where Redis says so; `0-0` for none. What is trimmed does not count. */
  readonly deletedId: string;
}

/** @throws {JournalUnavailableError} */
export async function goneRows(client: Redis, keys: Keys): Promise<Gone> {
  const { journal } = keys;
  const newest = await ask(client, () => client.xrevrange(journal, "+", "-", "COUNT", 1));
  if (newest.length === 0) return { count: 0, deletedId: NO_ID };
  const reply = await ask(client, () => client.call("XINFO", "STREAM", journal)) as unknown[];
  const valueOf = (name: string) => reply[reply.indexOf(name) + 1];
  if (!reply.includes("entries-added")) {
    return { count: await beginsWithATerm(client, keys) ? 0 : 1, deletedId: NO_ID };
  }
  return {
    count: Number(valueOf("entries-added")) - Number(valueOf("length")),
    deletedId: String(valueOf("max-deleted-entry-id")),
  };
}

/** As a whole journal does, and one that was trimmed seldom. */
async function beginsWithATerm(client: Redis, keys: Keys): Promise<boolean> {
  const first = await firstEntry(client, keys);
  const row = first === null ? "" : decodeRow(...first);
  return typeof row !== "string" && row.type === "term.started";
}

/** @throws {JournalUnavailableError} */
export async function traceRow(client: Redis, { journal }: Keys, id: string): Promise<Trace> {
  const [stayed, newest] = await transaction(client, [
    ["XREVRANGE", journal, id, "-", "COUNT", "1"],
    ["XREVRANGE", journal, "+", "-", "COUNT", "1"],
  ]) as Entry[][];
  return { stayedId: stayed![0]?.[0] ?? null, newestId: newest![0]?.[0] ?? NO_ID };
}

/**
 * The server adds up every node of the stream, which takes it 2 ms for 256 MB. Without being asked to,
 * it takes all for like the first five, and a row of a snapshot is a node of its own, 50 times as large.
 *
 * @throws {JournalUnavailableError}
 */
export async function journalExtent(client: Redis, keys: Keys): Promise<JournalExtent> {
  const { journal } = keys;
  const [rows, bytes, firstId, [last]] = await Promise.all([
    orNull(() => ask(client, () => client.xlen(journal))),
    orNull(() => ask(client, () => client.memory("USAGE", journal, "SAMPLES", 0))),
    firstRowId(client, keys),
    ask(client, () => client.call("XREVRANGE", journal, "+", "-", "COUNT", 1)) as Promise<Entry[]>,
  ]);
  const lastId = last?.[0] ?? null;
  return { rows: rows ?? 0, bytes, firstId, lastId };
}

/** The id of the first entry; `null` for none. @throws {JournalUnavailableError} */
export async function firstRowId(client: Redis, keys: Keys): Promise<string | null> {
  return (await firstEntry(client, keys))?.[0] ?? null;
}

async function firstEntry(client: Redis, { journal }: Keys): Promise<Entry | null> {
  const reply = await ask(client, () => client.xrange(journal, "-", "+", "COUNT", 1));
  return reply[0] ?? null;
}

/** Which history this is; `null` for none yet. @throws {JournalUnavailableError} */
export async function readEpoch(client: Redis, { epoch }: Keys): Promise<string | null> {
  const stored = await ask(client, () => client.get(epoch));
  // Behind the id may stand which leaders it asks for (`lease.lua`).
  return stored?.replace(/ v\d+$/, "") ?? null;
}
