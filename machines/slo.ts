/**
 * How far the tasks of a service level objective are thinned out while it burns. Its inputs are what
 * its rules came to, and that a level was held for its time. It has no clock and no numbers; where
 * nothing is known of the objective, it is told nothing, and stays as it is.
 *
 * It rises at once, and falls a step at a time, each only after the level was held for its time: so
 * it cannot flap faster than that.
 */

import { setup } from "xstate";

export interface SloEvent {
  readonly type:
    /** No rule burns. */
    | "CALM"
    /** A rule burns that slows. */
    | "BURNING"
    /** A rule burns that pauses. */
    | "BLAZING"
    /** The present level was held for its time. */
    | "HELD";
}

export const sloMachine = setup({
  types: { events: {} as SloEvent },
}).createMachine({
  id: "slo",
  initial: "normal",
  states: {
    normal: { on: { BURNING: "slowed", BLAZING: "paused" } },
    slowed: {
      initial: "fresh",
      on: { BLAZING: "paused" },
      states: {
        fresh: { on: { HELD: "settled" } },
        settled: { on: { CALM: "#slo.normal" } },
      },
    },
    paused: {
      initial: "fresh",
      states: {
        fresh: { on: { HELD: "settled" } },
        settled: { on: { CALM: "#slo.slowed", BURNING: "#slo.slowed" } },
      },
    },
  },
});
