/** At one instant, and never again. */

import { TriggerError } from "../errors.ts";
import type { Trigger } from "./mod.ts";

/** @throws {TriggerError} `atMs` is not a whole number of Unix milliseconds */
export function once({ atMs }: { readonly atMs: number }): Trigger {
  if (!Number.isSafeInteger(atMs) || Math.abs(atMs) > 8.64e15) {
    throw new TriggerError(
      `expected \`atMs\` to be a whole number of Unix milliseconds, got ${atMs}`,
      String(atMs),
    );
  }
  return {
    next: (afterMs) => (afterMs < atMs ? atMs : null),
    last: (askedMs) => (askedMs >= atMs ? atMs : null),
    count: (afterMs, untilMs) => (afterMs < atMs && atMs <= untilMs ? 1 : 0),
  };
}
