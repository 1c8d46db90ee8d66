/** The contract of a trigger, and the way from its data to its function. */

import type { TriggerSpec } from "../task.ts";
import { cron } from "./cron.ts";
import { crontab } from "./crontab.ts";
import { interval } from "./interval.ts";
import { once } from "./once.ts";
import { session } from "./session.ts";

/** When a task is due. Pure: the same question always has the same answer. Unix milliseconds. */
export interface Trigger {
  /** First due time strictly after `afterMs`, or `null` when none is left. */
  next(afterMs: number): number | null;
  /** Last due time at or before `atMs`, or `null` when there is none. */
  last(atMs: number): number | null;
  /** How many due times lie in (afterMs, untilMs]; computed, not enumerated. */
  count(afterMs: number, untilMs: number): number;
  /** How a due time came about; triggers that follow a local clock have it. */
  explain?(dueMs: number): Reading | null;
}

/** What the local clock has to do with a due time. */
export interface Reading {
  /** The local date and time that the trigger asked for, as `2026-03-08T02:30:00`. */
  readonly local: string;
  /**
   * `moved`: that reading does not exist, the clocks went forward over it, so the fire is at the
   * first instant after. `first-pass`: it comes twice, and this is the first. `null`: neither.
   */
  readonly dst: "moved" | "first-pass" | null;
}

/**
 * The function of a trigger's data.
 * @throws {TriggerError} it cannot be read, its zone does not exist, or it would never be due
 */
export function triggerOf(spec: TriggerSpec): Trigger {
  switch (spec.kind) {
    case "every":
      return interval(spec);
    case "cron":
      return cron(spec);
    case "crontab":
      return crontab(spec);
    case "at":
      return once(spec);
    case "session":
      return session(spec);
  }
}
