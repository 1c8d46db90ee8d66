/**
 * The life of one fire of a task. Its inputs are the journal's rows, as they are. It says what may
 * follow what; it decides nothing, waits for nothing, calls nobody, and has no clock: the rows say
 * what happened.
 */

import { setup } from "xstate";
import type { FireEventType } from "../src/event.ts";

/** A row of the journal, as far as the machine looks at it. */
export interface TaskEvent {
  readonly type: FireEventType;
}

export const taskMachine = setup({
  types: { events: {} as TaskEvent },
}).createMachine({
  id: "task",
  initial: "idle",
  states: {
    idle: {
      on: { "fire.due": "due" },
    },
    due: {
      on: {
        "fire.delayed": "due",
        "fire.skipped": "skipped",
        "fire.published": "published",
      },
    },
    published: {
      initial: "queued",
      on: {
        "fire.redelivered": ".queued",
        "fire.acked": "acked",
        "fire.expired": "expired",
      },
      states: {
        queued: { on: { "fire.taken": "taken", "fire.overdue": "overdue" } },
        overdue: { on: { "fire.taken": "taken" } },
        taken: {},
      },
    },
    acked: {
      initial: "unfinished",
      states: {
        unfinished: { on: { "fire.finished": "finished" } },
        finished: { on: { "fire.late_ack": "finished" } },
      },
    },
    skipped: { type: "final" },
    expired: { on: { "fire.late_ack": "expired" } },
  },
});
