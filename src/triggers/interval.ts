/** Every n milliseconds, counted from the epoch: no start, no restart and no late run moves it. */

import { TriggerError } from "../errors.ts";
import type { Trigger } from "./mod.ts";

/** Shorter intervals would be more due times than a tick can carry. */
const INTERVAL_MIN_MS = 10;

/** Due times beyond this are not instants any more. Unix milliseconds. */
const INSTANT_MAX_MS = 8.64e15;

/**
 * Due at `floor(k * everyMs) + phaseMs` for each whole k. The product is formed anew for each k, so
 * a fraction is cut once and never adds up.
 * @throws {TriggerError} an interval below 10 ms, or a phase that is not whole
 */
export function interval(
  { everyMs, phaseMs }: { readonly everyMs: number; readonly phaseMs: number },
): Trigger {
  check(everyMs, phaseMs);
  const due = (index: number) => Math.floor(index * everyMs) + phaseMs;

  /** The greatest index whose due time is at or before `atMs`. */
  function indexAt(atMs: number): number {
    let index = Math.floor((atMs - phaseMs) / everyMs);
    // The division rounds, and the floor in `due` makes a due time up to 1 ms early: a step either way.
    while (due(index + 1) <= atMs) index++;
    while (due(index) > atMs) index--;
    return index;
  }

  return {
    next(afterMs) {
      const dueMs = due(indexAt(afterMs) + 1);
      return dueMs <= INSTANT_MAX_MS ? dueMs : null;
    },
    last(atMs) {
      const dueMs = due(indexAt(atMs));
      return dueMs >= -INSTANT_MAX_MS ? dueMs : null;
    },
    count(afterMs, untilMs) {
      return Math.max(0, indexAt(untilMs) - indexAt(afterMs));
    },
  };
}

function check(everyMs: number, phaseMs: number): void {
  if (!(everyMs >= INTERVAL_MIN_MS && everyMs <= INSTANT_MAX_MS)) {
    throw new TriggerError(
      `expected \`everyMs\` to be a number of milliseconds, at least ${INTERVAL_MIN_MS}, got ${everyMs}`,
      String(everyMs),
    );
  }
  if (!Number.isSafeInteger(phaseMs) || Math.abs(phaseMs) > INSTANT_MAX_MS) {
    throw new TriggerError(
      `expected \`phaseMs\` to be a whole number of milliseconds, got ${phaseMs}`,
      String(phaseMs),
    );
  }
}
