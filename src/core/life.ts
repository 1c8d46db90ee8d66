/**
 * The task machine as a table: which state follows a state and a row. The machine has neither guards
 * nor context, so a table of its steps is the machine; it is read off it once, at load, because a
 * step through `transition()` costs 8 to 16 µs and this stands on the path of every fire.
 */

import { getNextTransitions, initialTransition, type SnapshotFrom, transition } from "xstate";
import { taskMachine } from "../../machines/task.ts";
import type { OpenFire } from "../open_fire.ts";
import type { FireEventType } from "../event.ts";

/** A state of the machine, its parts joined by a dot: `published.queued`. */
export type LifeState = string;

type Snapshot = SnapshotFrom<typeof taskMachine>;

const [start] = initialTransition(taskMachine);

/** The state of a fire whose due time has not come. */
export const IDLE: LifeState = nameOf(start);

const TABLE = readTable();

/** The state after a row of `type`, or `null` when the machine refuses it. */
export function stepLife(state: LifeState, type: FireEventType): LifeState | null {
  return TABLE.get(state)?.get(type) ?? null;
}

/** Every state that the machine can reach. */
export function lifeStates(): LifeState[] {
  return [...TABLE.keys()];
}

/** The state that a published, not closed fire is in. */
export function lifeOf(open: OpenFire): LifeState {
  if (open.state === "acked") return "acked.unfinished";
  if (open.state === "taken") return "published.taken";
  return open.isOverdue ? "published.overdue" : "published.queued";
}

function readTable(): Map<LifeState, Map<FireEventType, LifeState>> {
  const table = new Map<LifeState, Map<FireEventType, LifeState>>();
  const waiting: Snapshot[] = [start];
  for (let snapshot = waiting.pop(); snapshot !== undefined; snapshot = waiting.pop()) {
    const name = nameOf(snapshot);
    if (table.has(name)) continue;
    const steps = new Map<FireEventType, LifeState>();
    table.set(name, steps);
    for (const { eventType } of getNextTransitions(snapshot)) {
      const type = eventType as FireEventType;
      const [next] = transition(taskMachine, snapshot, { type });
      steps.set(type, nameOf(next));
      waiting.push(next);
    }
  }
  return table;
}

function nameOf(snapshot: Snapshot): LifeState {
  const { value } = snapshot;
  if (typeof value === "string") return value;
  return Object.entries(value).map(([outer, inner]) => `${outer}.${inner}`).join();
}
