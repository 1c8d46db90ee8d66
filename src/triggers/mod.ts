/** The contract of a trigger, and the way from its data to its function. */

/** When a task is due. Pure: the same question always has the same answer. Unix milliseconds. */
export interface Trigger {
  /** First due time strictly after `afterMs`, or `null` when none is left. */
  next(afterMs: number): number | null;
  /** Last due time at or before `atMs`, or `null` when there is none. */
  last(atMs: number): number | null;
  /** How many due times lie in (afterMs, untilMs]; computed, not enumerated. */
  count(afterMs: number, untilMs: number): number;
}
