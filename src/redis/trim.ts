/** Cuts old rows off the journal; `trim.lua` holds the rules. */

import type { Redis } from "ioredis";
import { JournalUnavailableError } from "../errors.ts";
import type { Trimmed } from "../ports.ts";
import { ask } from "./client.ts";
import { refuseForeign } from "./errors.ts";
import type { Keys } from "./keys.ts";
import { runScript, scriptOf } from "./script.ts";
import trimText from "./trim.lua" with { type: "text" };

const TRIM = scriptOf(trimText);

/** First element of an answer. */
const REPLY = { done: 0, fenced: 1, foreignKey: 2, moved: 3, refused: 4 } as const;

/** @throws {JournalUnavailableError} */
export async function trimRows(
  client: Redis,
  keys: Keys,
  { firstId, cutId }: { firstId: string; cutId: string },
  fence: number,
): Promise<Trimmed> {
  const args = [fence, firstId, cutId];
  const reply = await ask(
    client,
    () => runScript(client, TRIM, [keys.fence, keys.journal], args),
  ) as [code: number, ...rest: unknown[]];
  switch (reply[0]) {
    case REPLY.done:
      return { kind: "done", rows: Number(reply[1]) };
    case REPLY.fenced:
      return { kind: "fenced" };
    case REPLY.moved:
      return { kind: "moved" };
    case REPLY.foreignKey:
      throw refuseForeign(`\`${reply[1]}\` is a ${reply[2]}`);
    default:
      throw new JournalUnavailableError(
        `expected Redis 6.2 or newer and a user that may call XTRIM, got: ${reply[1]}`,
        "alarm",
      );
  }
}
