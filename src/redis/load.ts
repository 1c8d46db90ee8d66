/** What a new leader starts from: cursors and open fires, read and checked. */

import type { Redis } from "ioredis";
import type { Cursor } from "../cursor.ts";
import type { OpenFire } from "../open_fire.ts";
import { decodeCursor } from "../cursor.ts";
import { decodeOpen, openKey } from "../open_fire.ts";
import { BeatError, JournalUnavailableError } from "../errors.ts";
import { NO_ID } from "../event.ts";
import { decodeRow } from "../row_text.ts";
import type { Journal, Loaded } from "../ports.ts";
import { ask } from "./client.ts";
import type { Entry } from "./entry_parser.ts";
import { refuseForeign } from "./errors.ts";
import type { Keys } from "./keys.ts";
import probeText from "./probe.lua" with { type: "text" };
import { runScript, scriptOf } from "./script.ts";
import { timeReplyMs, transaction } from "./transaction.ts";

const PROBE = scriptOf(probeText);

/** Open fires that are asked for at once: some milliseconds for Redis and for the loop here. */
const PAGE = 2_000;

/** @throws {JournalUnavailableError} `fatal` when Beat did not write this, or may not write */
export async function loadAll(
  client: Redis,
  keys: Keys,
  how?: Parameters<Journal["load"]>[0],
): Promise<Loaded> {
  await checkPermissions(client, keys);
  const [time, cursors, last, open] = await transaction(client, [
    ["TIME"],
    ["HGETALL", keys.cursors],
    ["XREVRANGE", keys.journal, "+", "-", "COUNT", "1"],
    ...(how === undefined ? [["HGETALL", keys.open]] : []),
  ]);
  const newest = last as Entry[];
  checkLastEntry(keys.journal, newest);
  return {
    serverMs: timeReplyMs(time as [string, string]),
    lastId: newest[0]?.[0] ?? NO_ID,
    cursors: cursorsOf(keys, pairsOf(cursors as string[])),
    open: how === "paged"
      ? await loadPages(client, keys)
      : openOf(keys, pairsOf((open ?? []) as string[])),
  };
}

/**
 * Of a million, Redis and this process would each be busy for seconds if they came at once. They are
 * one state where nobody else may write. A page that another server answers would be of another hash:
 * what was read counts for nothing then.
 */
async function loadPages(client: Redis, keys: Keys): Promise<OpenFire[]> {
  let isCut = false;
  const onClose = () => isCut = true;
  client.on("close", onClose);
  try {
    // While a hash is moved, a field may come twice.
    const open = new Map<string, OpenFire>();
    let at = "0";
    do {
      const [page] = await transaction(client, [["HSCAN", keys.open, at, "COUNT", String(PAGE)]]);
      if (isCut) {
        throw new JournalUnavailableError("the connection was lost between two pages", "backoff");
      }
      const [next, flat] = page as [string, string[]];
      for (const each of openOf(keys, pairsOf(flat))) open.set(openKey(each), each);
      at = next;
    } while (at !== "0");
    return [...open.values()];
  } finally {
    client.off("close", onClose);
  }
}

export async function loadSome(
  client: Redis,
  keys: Keys,
  tasks: readonly string[],
  openIds: readonly string[],
): Promise<Loaded> {
  const [time, cursors, open] = await transaction(client, [
    ["TIME"],
    // One more than asked for, because none at all is an error.
    ["HMGET", keys.cursors, ...tasks, ""],
    ["HMGET", keys.open, ...openIds, ""],
  ]);
  return {
    serverMs: timeReplyMs(time as [string, string]),
    lastId: NO_ID,
    cursors: cursorsOf(keys, zip(tasks, cursors as (string | null)[])),
    open: openOf(keys, zip(openIds, open as (string | null)[])),
  };
}

async function checkPermissions(client: Redis, keys: Keys): Promise<void> {
  const refused = await ask(client, () => runScript(client, PROBE, [keys.fence], []));
  if (refused === "") return;
  throw new JournalUnavailableError(
    `expected the Redis user to be allowed to call ${refused}; extend its ACL, the README lists what`,
    "fatal",
  );
}

function checkLastEntry(key: string, entries: readonly Entry[]): void {
  for (const [id, fields] of entries) {
    const row = decodeRow(id, fields);
    if (typeof row !== "string") continue;
    const what = `entry ${id} of \`${key}\` is no row: ${row}`;
    throw refuseForeign(what, `remove that entry (XDEL ${key} ${id})`);
  }
}

function cursorsOf(keys: Keys, pairs: Iterable<[string, string]>): Map<string, Cursor> {
  const cursors = new Map<string, Cursor>();
  for (const [task, text] of pairs) {
    cursors.set(task, decoded(keys.cursors, task, () => decodeCursor(text)));
  }
  return cursors;
}

function openOf(keys: Keys, pairs: Iterable<[string, string]>): OpenFire[] {
  const open: OpenFire[] = [];
  for (const [key, text] of pairs) {
    open.push(decoded(keys.open, key, () => decodeOpen(key, text)));
  }
  return open;
}

/** What cannot be decoded was not written by Beat. */
function decoded<T>(key: string, field: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof BeatError)) throw error;
    const what = `field "${field}" of \`${key}\` cannot be read: ${error.message}`;
    throw refuseForeign(what, `remove that field (HDEL ${key} "${field}")`);
  }
}

function* pairsOf(flat: readonly string[]): Iterable<[string, string]> {
  for (let index = 0; index + 1 < flat.length; index += 2) yield [flat[index]!, flat[index + 1]!];
}

function* zip(
  names: readonly string[],
  values: readonly (string | null)[],
): Iterable<[string, string]> {
  for (const [index, name] of names.entries()) {
    const value = values[index] ?? null;
    if (value !== null) yield [name, value];
  }
}
