/** The stream of requests in Redis. Entries have one field, `q`; what else somebody put there is kept. */

import type { Redis } from "ioredis";
import { JournalUnavailableError } from "../errors.ts";
import type { RequestEntry, Requests } from "../request.ts";
import { ask } from "./client.ts";
import type { Entry } from "./entry_parser.ts";
import { codeOf, refuseForeign } from "./errors.ts";
import type { Keys } from "./keys.ts";

const FIELD = "q";

export function redisRequests(client: Redis, { requests }: Keys): Requests {
  async function call<T>(...command: [string, ...string[]]): Promise<T> {
    try {
      return await ask(client, () => client.call(...command)) as T;
    } catch (error) {
      const isForeign = error instanceof JournalUnavailableError &&
        codeOf(error.cause) === "WRONGTYPE";
      throw isForeign ? refuseForeign(`\`${requests}\` is of another type`) : error;
    }
  }
  const range = async (from: string, to: string, limit: number) =>
    (await call<Entry[]>("XRANGE", requests, from, to, "COUNT", String(limit))).map(entryOf);
  return {
    after: (id, limit) => range(`(${id}`, "+", limit),
    at: async (id) => (await range(id, id, 1))[0] ?? null,
    append: (text, keepFromId) =>
      call("XADD", requests, "MINID", "~", keepFromId, "*", FIELD, text),
  };
}

function entryOf([id, fields]: Entry): RequestEntry {
  for (let at = 0; at + 1 < fields.length; at += 2) {
    if (fields[at] === FIELD) return { id, text: fields[at + 1]! };
  }
  return { id, text: null };
}
