/**
 * Commits that are sent to Redis ahead of their time, as a transaction that is not executed yet. It
 * has read all of them when their time comes, and then needs but one word; otherwise writing, sending
 * and reading them would take as long again as carrying them out.
 *
 * Until EXEC nothing is carried out, and a connection that is lost takes all of it along. The scripts
 * check fence, cursor and time when they run, as in any other call.
 */

import type { Redis } from "ioredis";
import type { Committed, Journal, Stage } from "../ports.ts";
import { commitCall, committedOf } from "./calls.ts";
import { ask, isUsable } from "./client.ts";
import { codeOf } from "./errors.ts";
import type { Keys } from "./keys.ts";

/** Below, the last of a crowd gains a millisecond at the most. */
const STEPS_MIN = 100;

/**
 * @param client a connection of its own: whatever else is sent on it would become a part
 * @param journal takes what cannot be carried out
 */
export function redisStage(
  client: Redis,
  keys: Keys,
  { journal, stepsMin = STEPS_MIN }: {
    readonly journal: Pick<Journal, "commit">;
    /** @default STEPS_MIN */
    readonly stepsMin?: number;
  },
): Stage {
  /** A transaction was begun on the present connection, and not executed. */
  let isOpen = false;
  client.on("close", () => isOpen = false);

  /** Without a right of its own, which DISCARD would need. */
  function discard(): void {
    if (isOpen) client.disconnect(true);
  }

  /** The replies, or `null` where nothing was carried out and nothing will be. */
  async function execute(): Promise<readonly unknown[] | null> {
    if (!isOpen || !isUsable(client)) return null;
    isOpen = false;
    try {
      return await client.call("EXEC") as unknown[];
    } catch (error) {
      if (codeOf(error) === null) throw error;
      client.disconnect(true);
      return null;
    }
  }

  return {
    stepsMin,
    stage(batches, fence) {
      if (isOpen || !isUsable(client)) {
        discard();
        return null;
      }
      const calls = batches.map((steps) => commitCall(steps, fence, keys));
      const queued = client.pipeline().call("MULTI");
      for (const { script, keys, args } of calls) {
        queued.call("EVALSHA", [script.sha, keys.length, ...keys, ...args]);
      }
      isOpen = true;
      // What is refused here makes EXEC refuse all of it.
      queued.exec().catch(() => {});
      return {
        discard,
        commit() {
          const executed = ask(client, execute);
          return batches.map(async (steps, index): Promise<Committed> => {
            const replies = await executed;
            if (replies === null) return await journal.commit(steps, fence);
            const reply = replies[index];
            if (!(reply instanceof Error)) return committedOf(reply);
            // Another server may stand there by now.
            if (codeOf(reply) !== "NOSCRIPT") client.disconnect(true);
            return await journal.commit(steps, fence);
          });
        },
      };
    },
  };
}
