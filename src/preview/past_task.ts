/** A task as the journal says that it was, made ready to be decided about again. */

import type { ReadyTask } from "../core/roster.ts";
import { gateOf } from "../policies/mod.ts";
import { policiesOf } from "../policies/order.ts";
import type { Task } from "../task.ts";
import { NO_POLICIES } from "../task.ts";
import { triggerOf } from "../triggers/mod.ts";

/** Nothing is sent: a message would need the arguments, which are not in the journal. */
const NO_MESSAGE = { size: 0, render: () => "" };

/**
 * @param definition of a row that declares it (`core/reconcile.ts: definitionOf`)
 * @returns `null` where another build wrote what this one does not understand
 */
export function pastTask(name: string, revision: string, definition: unknown): ReadyTask | null {
  if (definition === null || typeof definition !== "object") return null;
  const { policies, ...rest } = definition as Partial<Task>;
  const task = {
    ...rest,
    // A build before the policies wrote none.
    policies: { ...NO_POLICIES, ...policies },
    ...{ name, args: [], kwargs: {}, headers: {} },
  } as Task;
  try {
    const trigger = triggerOf(task.trigger);
    const { policy, windowMs, cap } = task.catchUp;
    const isKnown = trigger !== undefined && ["skip", "latest", "all"].includes(policy) &&
      [windowMs, cap, task.takeByMs, task.giveUpMs].every(Number.isFinite);
    if (!isKnown) return null;
    const gate = gateOf(policiesOf(task));
    return { task, trigger, gate, template: NO_MESSAGE, list: task.queue, revision };
  } catch {
    return null;
  }
}
