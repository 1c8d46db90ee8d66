/**
 * How far a queue is throttled: normal, slowed, paused. Its inputs are what a reading of the queue
 * came to, and that a level has lasted for its dwell time. It has no clock and no numbers: who reads
 * the queue compares with the marks, and says so.
 *
 * A level is `fresh` until it has dwelt, and no reading moves a fresh one: so a level changes at most
 * once in a dwell time, whatever is read. Between two marks nothing changes, so that a queue that
 * stands at a mark does not flap.
 */

import { setup } from "xstate";

export interface PressureEvent {
  readonly type:
    /** At or below the low mark. */
    | "LOW"
    /** Above the low mark and below the high one. */
    | "BETWEEN"
    /** At or above the high mark, and below that of a pause. */
    | "HIGH"
    /** At or above the mark of a pause. */
    | "OVER"
    /** The present level has lasted for its dwell time. */
    | "DWELT";
}

export const pressureMachine = setup({
  types: { events: {} as PressureEvent },
}).createMachine({
  id: "pressure",
  // Nothing came before it, so there is nothing to dwell on.
  initial: "normal",
  states: {
    normal: {
      initial: "settled",
      states: {
        fresh: { on: { DWELT: "settled" } },
        settled: { on: { HIGH: "#pressure.slowed", OVER: "#pressure.paused" } },
      },
    },
    slowed: {
      initial: "fresh",
      states: {
        fresh: { on: { DWELT: "settled" } },
        settled: { on: { LOW: "#pressure.normal.fresh", OVER: "#pressure.paused" } },
      },
    },
    paused: {
      initial: "fresh",
      states: {
        fresh: { on: { DWELT: "settled" } },
        // One step at a time on the way back: what was held is let go first, then all of it.
        settled: { on: { LOW: "#pressure.slowed", BETWEEN: "#pressure.slowed" } },
      },
    },
  },
});
