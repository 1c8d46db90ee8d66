/** A task with everything filled in, so that a test of messages states only what matters. */

import type { Task } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";

export function aTask(own: Partial<Task> = {}): Task {
  return {
    name: "check.echo",
    celeryTask: "check.echo",
    queue: "maintenance",
    trigger: { kind: "every", everyMs: 1000, phaseMs: 0 },
    args: [],
    kwargs: {},
    expiresMs: null,
    priority: null,
    headers: {},
    timeLimitS: null,
    softTimeLimitS: null,
    ignoreResult: false,
    importance: "critical",
    policies: NO_POLICIES,
    catchUp: { policy: "latest", windowMs: 60_000, cap: 1 },
    takeByMs: 60_000,
    giveUpMs: 604_800_000,
    ...own,
  };
}
