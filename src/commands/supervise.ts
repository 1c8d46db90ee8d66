/** Gives the supervisor its actors, and starts it. */

import type { ActorRefFrom } from "xstate";
import { createActor, fromCallback, fromPromise } from "xstate";
import type { Passed, SupervisorEvent, TermInput } from "../../machines/supervisor.ts";
import { supervisorMachine } from "../../machines/supervisor.ts";
import { waitFor } from "../clock.ts";
import { followOpen } from "../lead/follow_open.ts";
import { heedAsked } from "../lead/heed.ts";
import { watchJournal } from "../lead/history.ts";
import { keepJournal } from "../lead/keep.ts";
import { watchLevels } from "../lead/levels.ts";
import { backOffMs, holdLease } from "../lead/lease.ts";
import type { Office, OfficeParts } from "../lead/office.ts";
import * as work from "../lead/office.ts";

export interface Supervisor {
  /** Takes STOP and RELOAD. */
  readonly actor: ActorRefFrom<typeof supervisorMachine>;
  /** Resolves once it has stopped; `error` is what ended it, or `null`. */
  readonly done: Promise<{ error: unknown }>;
}

export function supervise(parts: OfficeParts): Supervisor {
  const office = work.openOffice(parts);
  const actor = createActor(supervisorMachine.provide({ actors: actorsOf(office) }));
  const done = new Promise<{ error: unknown }>((resolve) => {
    actor.subscribe({
      complete: () => resolve(actor.getSnapshot().output ?? { error: null }),
      error: (error) => resolve({ error }),
    });
  });
  actor.start();
  return { actor, done };
}

function actorsOf(office: Office) {
  const { parts, seen, history } = office;
  return {
    acquire: fromPromise<number, TermInput>(({ input, signal }) =>
      work.standBy(office, input, signal)
    ),
    recover: fromPromise<Passed, TermInput>(({ input, signal }) =>
      work.recover(office, input, signal)
    ),
    holdLease: fromCallback<SupervisorEvent, TermInput>(({ sendBack }) =>
      whileInvoked(sendBack, (signal) =>
        holdLease(parts, seen, signal, (reason) => {
          parts.log.warn("lease lost", { reason });
          sendBack({ type: "LEASE_LOST" });
        }))
    ),
    follow: fromCallback<SupervisorEvent, TermInput>(({ input, sendBack }) =>
      whileInvoked(
        sendBack,
        async (signal) => {
          const onFenced = () => sendBack({ type: "FENCED" });
          await Promise.all([
            followOpen(office, input, signal, onFenced),
            watchJournal({ ...parts, history }, signal, onFenced),
            keepJournal(office, input, signal, onFenced),
            heedAsked(office, input, signal, onFenced),
            watchLevels(office, input, signal, onFenced),
          ]);
        },
      )
    ),
    untilDue: fromPromise<void, TermInput>(({ signal }) => work.untilDue(office, signal)),
    tick: fromPromise<Passed, TermInput>(({ input }) => work.passTick(office, input)),
    backOff: fromPromise<void, TermInput>(({ input, signal }) =>
      waitFor(parts.clock, backOffMs(input.failures - 1), signal)
    ),
    drain: fromPromise<void, TermInput>(({ input }) => work.handOver(office, input)),
  };
}

/** Runs `work` until XState ends the actor. Left alone, a rejection would end the process unsaid. */
function whileInvoked(
  sendBack: (event: SupervisorEvent) => void,
  work: (signal: AbortSignal) => Promise<void>,
): () => void {
  const invoked = new AbortController();
  work(invoked.signal).catch((error) => sendBack({ type: "FAILED", error }));
  return () => invoked.abort();
}
