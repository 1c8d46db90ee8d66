/**
 * Spreads fires over the moments after they are due, so that what is due at once does not go out at
 * once. The shift follows from names and times alone, so asking again gives the same place; it is
 * only ever later, and ends before the task is due again.
 */

import { fireIdOf, fraction } from "../fire.ts";
import type { JitterSpec } from "../task.ts";
import type { Candidate, Policy } from "./mod.ts";
import { PASS } from "./mod.ts";
import type { Openings } from "./window.ts";

/** The hours of a task, beyond which no fire is shifted: it would wait for the next, or be refused. */
export interface Hours {
  /** Those of its window. What waited for one counts from its start: whoever opens a gate spreads the crowd. */
  readonly openings: Openings | null;
  /** When its session may end, of an instant within one; `null` for none. */
  readonly changeMs: ((instantMs: number) => number) | null;
}

const ALL_HOURS: Hours = { openings: null, changeMs: null };

/** Holds a fire until its place. */
export function jitter(spec: JitterSpec, { openings, changeMs }: Hours = ALL_HOURS): Policy {
  const { maxMs } = spec;
  const reason = `spread over ${maxMs / 1000} s`;
  return {
    name: "jitter",
    judge(fire, nowMs) {
      // The one that lets it go: what was caught up may have been due in the one before.
      const opening = openings?.at(nowMs);
      const baseMs = Math.max(fire.dueMs, opening?.fromMs ?? 0);
      // Most are asked about when they are due or when their place has come, few in between.
      if (nowMs >= baseMs + maxMs) return PASS;
      const endMs = Math.min(
        baseMs + maxMs,
        fire.trigger.next(baseMs) ?? Infinity,
        opening?.endMs ?? Infinity,
        changeMs?.(baseMs) ?? Infinity,
      );
      const untilMs = baseMs + shiftMs(spec, fire, endMs - baseMs);
      return nowMs >= untilMs ? PASS : { kind: "delay", untilMs, reason };
    },
  };
}

/** From 0 to below `limitMs`, which is at least 1. */
function shiftMs({ kind, seed, place }: JitterSpec, fire: Candidate, limitMs: number): number {
  const { task: { name }, dueMs } = fire;
  switch (kind) {
    case "fixed":
      return Math.floor(fraction(`${seed}/${name}`) * limitMs);
    case "per-fire":
      return Math.floor(fraction(`${seed}/${fireIdOf(name, dueMs)}`) * limitMs);
    case "even":
      return place === null ? 0 : Math.floor(place.index * limitMs / place.count);
  }
}
