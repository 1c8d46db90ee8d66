/** Single rows of the journal: pages that begin small, for those who mostly want the first row. */

import type { Redis } from "ioredis";
import type { JournalRow } from "../event.ts";
import { decodeRow } from "../row_text.ts";
import type { Journal, ReadRange } from "../ports.ts";
import { ask } from "./client.ts";
import type { Entry } from "./entry_parser.ts";
import type { Keys } from "./keys.ts";
import { seam } from "./seam.ts";

const PAGE_MIN = 4;
const PAGE_MAX = 1_000;

/** Reads as the journal of `keys` does; entries that are not rows are passed over in silence. */
export function peekingJournal(client: Redis, keys: Keys): Pick<Journal, "read" | "readBack"> {
  return {
    read: ({ from, to }, _onForeign, onMoved) =>
      rowsOf(client, ["XRANGE", keys.journal, from, to], onMoved),
    readBack: ({ from, to }: ReadRange) => rowsOf(client, ["XREVRANGE", keys.journal, to, from]),
  };
}

/** @throws {JournalUnavailableError} in the middle, too */
async function* rowsOf(
  client: Redis,
  [command, key, start, end]: readonly [string, string, string, string],
  onMoved?: () => void,
): AsyncGenerator<JournalRow> {
  const newOf = seam(onMoved);
  let from = start;
  for (let count = PAGE_MIN;; count = Math.min(4 * count, PAGE_MAX)) {
    const page = await ask(
      client,
      () => client.call(command, key, from, end, "COUNT", count),
    ) as Entry[];
    for (const [id, fields] of newOf(page)) {
      const row = decodeRow(id, fields);
      if (typeof row !== "string") yield row;
    }
    if (page.length < count) return;
    from = page.at(-1)![0];
  }
}
