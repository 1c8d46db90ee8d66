/** Very many rows out of the stream: over a connection of its own, whose answers it takes apart itself. */

import type { Redis } from "ioredis";
import type { JournalRow } from "../event.ts";
import { decodeRow, ROW_FIELDS } from "../row_text.ts";
import type { OnForeign, ReadRange } from "../ports.ts";
import { ask, untilReady } from "./client.ts";
import type { Entry } from "./entry_parser.ts";
import { entryParser } from "./entry_parser.ts";
import type { Keys } from "./keys.ts";
import type { RowBytes } from "./row_bytes.ts";
import { rowBytesParser } from "./row_bytes.ts";
import { seam } from "./seam.ts";

/** Redis looks them up in about 2 ms, in which nobody else is served; smaller ones cost more in all. */
const PAGE_ROWS = 2_000;

/** Where the name of the task's field stands, as this build writes rows. */
const TASK_FIELD = 2 * ROW_FIELDS.indexOf("k");

/** How long the connection may take, and each answer. Milliseconds. */
const PATIENCE_MS = 10_000;

/**
 * Rows a page at a time, oldest first; the next is on its way while one is being used.
 *
 * @param client says where; it is not used itself
 * @param onForeign told of entries that are not rows; they are passed over
 * @param onMoved see `Journal.read`
 * @throws {JournalUnavailableError} in the middle, too
 */
export async function* readPages(
  client: Redis,
  keys: Keys,
  range: ReadRange,
  onForeign?: OnForeign,
  onMoved?: () => void,
): AsyncGenerator<JournalRow[]> {
  const names = flatNames();
  const endOf = (page: Entry[]) => ({ count: page.length, next: page.at(-1)?.[0] ?? "" });
  const newOf = seam(onMoved);
  for await (const page of answers(client, keys, range, entryParser(), endOf)) {
    yield rowsIn(newOf(page), names, onForeign);
  }
}

/** As {@link readPages}, rows as bytes. */
export function readBytes(client: Redis, keys: Keys, range: ReadRange): AsyncGenerator<RowBytes> {
  const endOf = ({ count, lastId }: RowBytes) => ({ count, next: `(${lastId}` });
  return answers(client, keys, range, rowBytesParser(), endOf);
}

interface Parser<Page> {
  push(bytes: Uint8Array): Page | null;
}

/** @param endOf how many entries a page has, and where the next one begins */
async function* answers<Page>(
  client: Redis,
  { journal }: Keys,
  { from, to }: ReadRange,
  parser: Parser<Page>,
  endOf: (page: Page) => { readonly count: number; readonly next: string },
): AsyncGenerator<Page> {
  const line = client.duplicate({ retryStrategy: () => null, lazyConnect: false });
  line.on("error", () => {});
  try {
    await untilReady(line, AbortSignal.timeout(PATIENCE_MS));
    const pageFrom = pagesOver(line, parser);
    const wanted = (start: string) => {
      const page = ask(client, () => pageFrom(["XRANGE", journal, start, to]));
      page.catch(() => {}); // It is awaited later, or never when the reader has seen enough.
      return page;
    };
    let coming: Promise<Page> | null = wanted(from);
    while (coming !== null) {
      const page: Page = await coming;
      const { count, next } = endOf(page);
      coming = count < PAGE_ROWS ? null : wanted(next);
      yield page;
    }
  } finally {
    line.disconnect();
  }
}

function rowsIn(
  page: readonly Entry[],
  flat: (name: string) => string,
  onForeign?: OnForeign,
): JournalRow[] {
  const rows: JournalRow[] = [];
  for (const [id, fields] of page) {
    if (fields[TASK_FIELD] === "k") fields[TASK_FIELD + 1] = flat(fields[TASK_FIELD + 1]!);
    const row = decodeRow(id, fields);
    if (typeof row === "string") onForeign?.(id, row);
    else rows.push(row);
  }
  return rows;
}

/** A name cut out of a page would keep all of the page in memory for as long as somebody has it. */
function flatNames(): (name: string) => string {
  const known = new Map<string, string>();
  return (name) => {
    let flat = known.get(name);
    if (flat === undefined) {
      flat = JSON.parse(JSON.stringify(name)) as string;
      known.set(flat, flat);
    }
    return flat;
  };
}

/** Asks on the socket of a ready connection, past its client. One question at a time. */
function pagesOver<Page>(
  line: Redis,
  parser: Parser<Page>,
): (range: readonly string[]) => Promise<Page> {
  const { stream } = line;
  stream.removeAllListeners("data");
  return (range) =>
    new Promise((resolve, reject) => {
      const late = AbortSignal.timeout(PATIENCE_MS);
      const finish = () => {
        stream.off("data", take);
        stream.off("close", lost);
        late.removeEventListener("abort", slow);
      };
      const fail = (error: unknown) => {
        finish();
        line.disconnect();
        reject(error);
      };
      const lost = () => fail(new Error("Connection is closed."));
      const slow = () => fail(new Error("Command timed out"));
      const take = (bytes: Uint8Array) => {
        try {
          const page = parser.push(bytes);
          if (page === null) return;
          finish();
          resolve(page);
        } catch (error) {
          fail(error);
        }
      };
      stream.on("data", take);
      stream.on("close", lost);
      late.addEventListener("abort", slow);
      stream.write(requestOf([...range, "COUNT", String(PAGE_ROWS)]));
    });
}

function requestOf(parts: readonly string[]): string {
  const encoder = new TextEncoder();
  return `*${parts.length}\r\n` +
    parts.map((part) => `$${encoder.encode(part).length}\r\n${part}\r\n`).join("");
}
