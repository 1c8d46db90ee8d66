/**
 * The one long-lived actor: who may tick, and when. It knows nothing of fires.
 *
 * standby → holding (recovering → leading (waiting ⇄ ticking, backingOff)) → draining → stopped
 *
 * The lease is renewed for all of `holding`: to recover may take longer than it lasts. The watch over
 * published fires is invoked for all of `leading`. Losing the lease, or being fenced, is a way back to
 * `standby` and no error. A tick is invoked on entry to `ticking`, so two of one leader cannot overlap.
 */

import { assign, fromCallback, fromPromise, setup } from "xstate";

export type SupervisorEvent =
  /** Stop in order: finish what is under way, hand over. */
  | { readonly type: "STOP" }
  /** The configuration was loaded anew: the next tick takes it up, at once. */
  | { readonly type: "RELOAD" }
  /** The lease is no longer ours, or may not be. */
  | { readonly type: "LEASE_LOST" }
  /** A script refused our fence. */
  | { readonly type: "FENCED" }
  /** Renewing or following ended in a way that is a defect of ours. */
  | { readonly type: "FAILED"; readonly error: unknown };

/** How a tick or a recovery ended. */
export interface Passed {
  readonly isFenced: boolean;
}

export interface SupervisorContext {
  /** The fence of the present term; 0 before the first. */
  readonly fence: number;
  /** Failures in a row of what is being tried; for the back-off. */
  readonly failures: number;
  /** What ended the supervisor, where it was an error that no waiting mends. */
  readonly error: unknown;
}

/** What each actor is given: the term that it works in. */
export type TermInput = Pick<SupervisorContext, "fence" | "failures">;

const unprovided = (): never => {
  throw new Error("the host provides the supervisor's actors");
};

/** An event as the guards and actions below read it: XState's done and error events have more. */
type Told = { readonly output?: unknown; readonly error?: unknown };

export const supervisorMachine = setup({
  types: {
    context: {} as SupervisorContext,
    events: {} as SupervisorEvent,
    output: {} as { error: unknown },
  },
  actors: {
    /**
     * Resolves with the fence once this replica leads; waits for as long as Redis is away, and first
     * of all a while where the term before failed to begin.
     */
    acquire: fromPromise<number, TermInput>(unprovided),
    /** Loads the world and brings the schedule up to date. */
    recover: fromPromise<Passed, TermInput>(unprovided),
    /** Renews the lease; sends LEASE_LOST, FAILED. */
    holdLease: fromCallback<SupervisorEvent, TermInput>(unprovided),
    /** Follows published fires to their end; sends FENCED, FAILED. */
    follow: fromCallback<SupervisorEvent, TermInput>(unprovided),
    /** Resolves when something is due. */
    untilDue: fromPromise<void, TermInput>(unprovided),
    tick: fromPromise<Passed, TermInput>(unprovided),
    /** Resolves when it is time to try again. */
    backOff: fromPromise<void, TermInput>(unprovided),
    /** Lets what is under way end, and hands the lease over. Never rejects. */
    drain: fromPromise<void, TermInput>(unprovided),
  },
  guards: {
    isFenced: ({ event }) => ((event as Told).output as Passed).isFenced,
    isPassing: ({ event }) => retryOf(event) !== null && retryOf(event) !== "fatal",
    isRefusal: ({ event }) => retryOf(event) === "alarm",
  },
  actions: {
    noteFence: assign({ fence: ({ event }) => (event as Told).output as number }),
    noteFailure: assign({ failures: ({ context }) => context.failures + 1 }),
    noteError: assign({ error: ({ event }) => (event as Told).error }),
    forgetFailures: assign({ failures: 0 }),
  },
}).createMachine({
  id: "supervisor",
  context: { fence: 0, failures: 0, error: null },
  output: ({ context }) => ({ error: context.error }),
  initial: "standby",
  states: {
    standby: {
      invoke: {
        src: "acquire",
        input: ({ context }) => context,
        onDone: { target: "holding", actions: "noteFence" },
        onError: { target: "stopped", actions: "noteError" },
      },
      // Not straight to `stopped`: the lease may be ours by now, or still be ours.
      on: { STOP: "draining" },
    },
    holding: {
      invoke: { src: "holdLease", input: ({ context }) => context },
      on: {
        STOP: "draining",
        FAILED: { target: "draining", actions: "noteError" },
      },
      initial: "recovering",
      states: {
        recovering: {
          invoke: {
            src: "recover",
            input: ({ context }) => context,
            onDone: [
              // Where our lease was taken on one server and the journal is still another's, after a failover,
              // every term begins fenced: they must not follow at once.
              { guard: "isFenced", target: "#supervisor.standby", actions: "noteFailure" },
              // Only a tick that passes forgets: terms that all fail at it must not follow at once.
              { target: "leading" },
            ],
            onError: [
              { guard: "isPassing", target: "#supervisor.standby", actions: "noteFailure" },
              { target: "#supervisor.draining", actions: "noteError" },
            ],
          },
          on: { LEASE_LOST: { target: "#supervisor.standby", actions: "noteFailure" } },
        },
        leading: {
          invoke: { src: "follow", input: ({ context }) => context },
          on: {
            LEASE_LOST: { target: "#supervisor.standby", actions: "forgetFailures" },
            FENCED: { target: "#supervisor.standby", actions: "forgetFailures" },
          },
          initial: "waiting",
          states: {
            waiting: {
              invoke: { src: "untilDue", input: ({ context }) => context, onDone: "ticking" },
              on: { RELOAD: "ticking" },
            },
            ticking: {
              invoke: {
                src: "tick",
                input: ({ context }) => context,
                onDone: [
                  {
                    guard: "isFenced",
                    target: "#supervisor.standby",
                    actions: "forgetFailures",
                  },
                  { target: "waiting", actions: "forgetFailures" },
                ],
                onError: [
                  // Nothing was written: the same term tries on.
                  { guard: "isRefusal", target: "backingOff", actions: "noteFailure" },
                  // What was sent may still be carried out: only a new fence shuts the door on it.
                  { guard: "isPassing", target: "#supervisor.standby", actions: "noteFailure" },
                  { target: "#supervisor.draining", actions: "noteError" },
                ],
              },
            },
            backingOff: {
              invoke: { src: "backOff", input: ({ context }) => context, onDone: "ticking" },
            },
          },
        },
      },
    },
    draining: {
      invoke: {
        src: "drain",
        input: ({ context }) => context,
        onDone: "stopped",
      },
    },
    stopped: { type: "final" },
  },
});

/** The world's errors say how they are to be met; `null` for a defect of ours. */
function retryOf(event: unknown): unknown {
  const { error } = event as Told;
  return typeof error === "object" && error !== null && "retry" in error ? error.retry : null;
}
