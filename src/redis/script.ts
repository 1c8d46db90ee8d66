/** Runs a Lua script by its hash, and by its text where the server does not know it (any more). */

import { createHash } from "node:crypto";
import type { Redis } from "ioredis";

export interface Script {
  readonly text: string;
  readonly sha: string;
}

export function scriptOf(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

/** A restarted or flushed server forgets its scripts; that costs a second message, not an attempt. */
export async function runScript(
  client: Redis,
  { text, sha }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await client.call("EVALSHA", [sha, keys.length, ...keys, ...args]);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
    return await client.call("EVAL", [text, keys.length, ...keys, ...args]);
  }
}
