/** What becomes of a fire while an earlier one of the same task runs: it is skipped, or it waits. */

import type { PolicySpecs } from "../task.ts";
import type { Policy } from "./mod.ts";
import { PASS } from "./mod.ts";

/** How long a fire that waits is left alone where nothing was heard of the earlier one. Milliseconds. */
export const AGAIN_MS = 1_000;

/** A fire runs from its publish on until it is seen to end, so one that waits in its queue counts. */
export function overlap(mode: Exclude<PolicySpecs["overlap"], "allow">): Policy {
  return {
    name: "overlap",
    judge(_fire, nowMs, { running: [earlier] }) {
      if (earlier === undefined) return PASS;
      const reason = `${earlier} has not ended`;
      if (mode === "skip") return { kind: "skip", reason };
      return { kind: "wait", cause: earlier, againMs: nowMs + AGAIN_MS, reason };
    },
  };
}
