/**
 * Notices that Redis' clock is behind what was decided already. No cursor ever goes back, so nothing
 * fires twice; but nothing fires at all until the clock gets there, and that is for a person to judge.
 */

import { SET_BACK_MAX_MS } from "../core/reconcile.ts";
import type { Log } from "../log.ts";
import { TASK_NAME } from "../fire.ts";
import type { World } from "../core/world.ts";

/** Going back by less is how well the server's clock is known. Milliseconds. */
const STEP_MIN_MS = 1_000;

export interface AheadWatch {
  /**
   * @param nowMs the server's time. Unix milliseconds.
   * @returns whether it was set back since the last look
   */
  look(world: World, nowMs: number): boolean;
}

/** Says it once, and again only after the clock was right in between. */
export function aheadWatch(log: Log): AheadWatch {
  let known: World | null = null;
  let seenMs = 0;
  let newest: Newest | null = null;
  let isTold = false;
  return {
    look(world, nowMs) {
      const isSetBack = nowMs < seenMs - STEP_MIN_MS;
      // Cursors follow the clock: it is behind them only where it went back, or did before this term.
      if (world !== known || isSetBack) newest = newestOf(world);
      known = world;
      seenMs = nowMs;
      const aheadMs = (newest?.dueMs ?? nowMs) - nowMs;
      if (aheadMs > SET_BACK_MAX_MS && !isTold) {
        log.error(MESSAGE, { task: newest?.task ?? "", aheadMs });
      }
      isTold = aheadMs > SET_BACK_MAX_MS;
      return isSetBack;
    },
  };
}

const MESSAGE =
  "Redis' clock is over an hour behind what was fired already: tasks fire again when " +
  "it gets there; set the clock of the Redis server right, or, if it was wrong before, stop Beat and " +
  "remove these tasks from its hash of cursors";

interface Newest {
  readonly task: string;
  readonly dueMs: number;
}

function newestOf({ cursors }: World): Newest | null {
  let newest: Newest | null = null;
  for (const [task, { dueMs }] of cursors) {
    // The others are no tasks: their numbers are counts.
    if (dueMs > (newest?.dueMs ?? -Infinity) && TASK_NAME.test(task)) newest = { task, dueMs };
  }
  return newest;
}
