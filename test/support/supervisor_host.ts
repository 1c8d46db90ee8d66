/** The supervisor with actors that a test ends by hand, and the moves that it can be made to make. */

import { createActor, fromCallback, fromPromise } from "xstate";
import type { Passed, SupervisorEvent, TermInput } from "../../machines/supervisor.ts";
import { supervisorMachine } from "../../machines/supervisor.ts";
import { JournalUnavailableError } from "../../src/errors.ts";

/** The promises that the supervisor waits for. */
const PROMISED = ["acquire", "recover", "untilDue", "tick", "backOff", "drain"] as const;
type Promised = (typeof PROMISED)[number];

/** Something that happens to the supervisor. `event` is how XState itself puts it. */
export type Move =
  & { readonly name: string; readonly event: { readonly type: string; readonly move: string } }
  & (
    | { readonly kind: "done"; readonly actor: Promised; readonly output: unknown }
    | { readonly kind: "error"; readonly actor: Promised; readonly error: unknown }
    | { readonly kind: "sent"; readonly sent: SupervisorEvent }
  );

const PASSING = new JournalUnavailableError("away", "backoff");
export const MOVED = new JournalUnavailableError("a replica", "reconnect");
export const REFUSED = new JournalUnavailableError("out of memory", "alarm");
export const FATAL = new JournalUnavailableError("wrong password", "fatal");
export const BROKEN = new Error("invariant broken");

const idOf = new Map<string, string>();
noteIds(supervisorMachine.root);

/** Every move, each of its own name. */
export const MOVES: readonly Move[] = [
  done("acquire done", "acquire", 7),
  failed("acquire fatal", "acquire", FATAL),
  done("recover done", "recover", { isFenced: false }),
  done("recover fenced", "recover", { isFenced: true }),
  failed("recover passing", "recover", PASSING),
  failed("recover refused", "recover", REFUSED),
  failed("recover fatal", "recover", FATAL),
  failed("recover broken", "recover", BROKEN),
  done("untilDue done", "untilDue", undefined),
  done("tick done", "tick", { isFenced: false }),
  done("tick fenced", "tick", { isFenced: true }),
  failed("tick passing", "tick", PASSING),
  failed("tick moved", "tick", MOVED),
  failed("tick refused", "tick", REFUSED),
  failed("tick fatal", "tick", FATAL),
  failed("tick broken", "tick", BROKEN),
  done("backOff done", "backOff", undefined),
  done("drain done", "drain", undefined),
  sent({ type: "STOP" }),
  sent({ type: "RELOAD" }),
  sent({ type: "LEASE_LOST" }),
  sent({ type: "FENCED" }),
  sent({ type: "FAILED", error: BROKEN }),
];

export function moveOf(name: string): Move {
  const move = MOVES.find((each) => each.name === name);
  if (move === undefined) throw new Error(`no move is called ${name}`);
  return move;
}

/** One run of an actor. */
export interface Run {
  readonly input: TermInput;
  readonly resolve: (output: never) => void;
  readonly reject: (error: unknown) => void;
  readonly sendBack: (event: SupervisorEvent) => void;
}

export function startSupervisor() {
  /** Actors that run now, by name. */
  const running = new Map<string, Run>();
  const actor = createActor(supervisorMachine.provide({
    actors: {
      acquire: promised<number>(running, "acquire"),
      recover: promised<Passed>(running, "recover"),
      holdLease: called(running, "holdLease"),
      follow: called(running, "follow"),
      untilDue: promised<void>(running, "untilDue"),
      tick: promised<Passed>(running, "tick"),
      backOff: promised<void>(running, "backOff"),
      drain: promised<void>(running, "drain"),
    },
  }));
  actor.start();
  return {
    actor,
    running,
    state: () => stateName(actor.getSnapshot().value),
    /** Makes the move happen as it would in life, and lets what follows from it happen. */
    async play(name: string): Promise<void> {
      const move = moveOf(name);
      if (move.kind === "sent") sendAsInLife(running, actor, move.sent);
      else {
        const run = running.get(move.actor);
        if (run === undefined) throw new Error(`${name}: the actor does not run`);
        running.delete(move.actor);
        if (move.kind === "done") run.resolve(move.output as never);
        else run.reject(move.error);
      }
      for (let turn = 0; turn < 8; turn++) await Promise.resolve();
    },
  };
}

/** `leading.waiting` for a nested value. */
export function stateName(value: unknown): string {
  if (typeof value === "string") return value;
  return Object.entries(value as object).map(([name, inner]) => `${name}.${stateName(inner)}`)
    .join();
}

/** Each event comes from where it comes in life. */
function sendAsInLife(
  running: Map<string, Run>,
  actor: { send(event: SupervisorEvent): void },
  event: SupervisorEvent,
): void {
  const from = event.type === "LEASE_LOST" ? "holdLease" : event.type === "FENCED" ? "follow" : "";
  const run = running.get(from);
  if (run === undefined) actor.send(event);
  else run.sendBack(event);
}

function promised<Output>(running: Map<string, Run>, name: Promised) {
  return fromPromise<Output, TermInput>(({ input, signal }) =>
    new Promise<Output>((resolve, reject) => {
      const run: Run = { input, resolve, reject, sendBack: () => {} };
      running.set(name, run);
      signal.addEventListener("abort", () => {
        if (running.get(name) === run) running.delete(name);
      });
    })
  );
}

function called(running: Map<string, Run>, name: string) {
  return fromCallback<SupervisorEvent, TermInput>(({ input, sendBack }) => {
    const run: Run = { input, sendBack, resolve: () => {}, reject: () => {} };
    running.set(name, run);
    return () => {
      if (running.get(name) === run) running.delete(name);
    };
  });
}

function done(name: string, actor: Promised, output: unknown): Move {
  const type = `xstate.done.actor.${idOf.get(actor)}`;
  const event = { type, move: name, output };
  return { kind: "done", name, event, actor, output };
}

function failed(name: string, actor: Promised, error: unknown): Move {
  const type = `xstate.error.actor.${idOf.get(actor)}`;
  const event = { type, move: name, error };
  return { kind: "error", name, event, actor, error };
}

function sent(event: SupervisorEvent): Move {
  return { kind: "sent", name: event.type, event: { ...event, move: event.type }, sent: event };
}

interface Node {
  readonly invoke: readonly { readonly id: string; readonly src: unknown }[];
  readonly states: Readonly<Record<string, Node>>;
}

function noteIds({ invoke, states }: Node): void {
  for (const { id, src } of invoke) idOf.set(String(src), id);
  for (const state of Object.values(states)) noteIds(state);
}
