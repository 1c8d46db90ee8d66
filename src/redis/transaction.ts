/** Several commands of one moment. */

import type { Redis } from "ioredis";
import { JournalUnavailableError } from "../errors.ts";
import { ask } from "./client.ts";
import { codeOf, refuseForeign } from "./errors.ts";

/**
 * The replies of commands that see one and the same state.
 * @throws {JournalUnavailableError} `fatal` where a key of Beat is of another type
 */
export async function transaction(
  client: Redis,
  commands: readonly string[][],
): Promise<unknown[]> {
  const replies = await ask(client, async () => {
    const multi = client.multi();
    for (const [name, ...args] of commands) multi.call(name!, ...args);
    return await multi.exec();
  });
  if (replies === null) throw new JournalUnavailableError("Redis dropped a transaction", "backoff");
  return await Promise.all(replies.map(([error, reply], index) => {
    if (error === null) return reply;
    if (codeOf(error) === "WRONGTYPE") {
      throw refuseForeign(`\`${commands[index]![1]}\` is of another type`);
    }
    return ask(client, () => Promise.reject(error));
  }));
}

/** The reply of TIME in whole Unix milliseconds. */
export function timeReplyMs([seconds, microseconds]: readonly [string, string]): number {
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}
