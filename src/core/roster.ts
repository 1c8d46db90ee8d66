/** The tasks made ready to run: each with its trigger, message template, list and revision. */

import type { MessageTemplate } from "../celery/message.ts";
import { listOf, messageOf } from "../celery/message.ts";
import type { Gate } from "../policies/mod.ts";
import { gateOf } from "../policies/mod.ts";
import { policiesOf } from "../policies/order.ts";
import type { Settings } from "../settings.ts";
import type { Task } from "../task.ts";
import { revisionOf } from "../task.ts";
import type { Trigger } from "../triggers/mod.ts";
import { triggerOf } from "../triggers/mod.ts";

export interface ReadyTask {
  readonly task: Task;
  readonly trigger: Trigger;
  readonly gate: Gate;
  readonly template: MessageTemplate;
  /** The list that its messages go to, without the global key prefix. */
  readonly list: string;
  readonly revision: string;
}

/** Keyed by entry name, in the order of declaration. */
export type Roster = ReadonlyMap<string, ReadyTask>;

/**
 * @param origin who publishes, for the message's `origin` header
 * @throws {TriggerError} {MessageError} for tasks that loading should have refused
 */
export function rosterOf(
  tasks: readonly Task[],
  transport: Settings["transport"],
  origin: string,
): Roster {
  return new Map(tasks.map((task) => [task.name, {
    task,
    trigger: triggerOf(task.trigger),
    gate: gateOf(policiesOf(task)),
    template: messageOf(task, origin),
    list: listOf(task.queue, task.priority, transport),
    revision: revisionOf(task),
  }]));
}

/**
 * The gate for a single fire that somebody wants. Jitter has no say there: it keeps apart what is due at
 * once, and would object to nearly each.
 */
export function gateOfOne(task: Task): Gate {
  return gateOf(policiesOf(task).filter(({ name }) => name !== "jitter"));
}
