/** What must not travel: arguments that change on the way, and messages that a worker discards or dies of. */

import type { Task } from "../task.ts";

/** Everything that keeps `task` from having a message that works, in words; empty when nothing does. */
export function checkTask(task: Task): string[] {
  return checkArguments(task.args, task.kwargs, task.headers);
}

export function checkArguments(
  _args: readonly unknown[],
  _kwargs: Readonly<Record<string, unknown>>,
  _headers: Readonly<Record<string, unknown>>,
): string[] {
  return [];
}

/** @throws {MessageError} */
export function checkMessage(_text: string): void {}
