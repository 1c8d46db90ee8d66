/**
 * An order of a person: nothing is fired while it stands, and what came due before it was lifted is
 * not fired afterwards either, whoever led meanwhile.
 */

import type { Pause, Policy } from "./mod.ts";
import { PASS } from "./mod.ts";

/** Skips what a pause keeps back. `Facts.pause` names the order, if any, that is about a due time. */
export function pause(): Policy {
  return {
    name: "pause",
    judge(_fire, _nowMs, { pause }) {
      if (pause === null) return PASS;
      return { kind: "skip", reason: reasonOf(pause) };
    },
  };
}

/** The same for each due time that one order keeps back, so that they share a row. */
export function reasonOf({ who, note }: Pick<Pause, "who" | "note">): string {
  return `paused by ${who}${note === "" ? "" : `: ${note}`}`;
}
