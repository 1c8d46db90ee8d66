/** Whether a message says what its task declares: where it goes, what it carries, and until when it counts. */

import { listOf } from "./books.ts";
import type { Push } from "./ledger.ts";
import type { PlannedTask } from "./schedule.ts";

export interface Letters {
  /**
   * Why a message must not be as it is; `null` where it may.
   *
   * @param revision that of its task; `null` where any that was declared will do
   */
  whyNot(push: Push, planned: PlannedTask, revision: string | null): string | null;
}

export interface LetterParts {
  /** Stands between a queue and its priority step. */
  readonly sep: string;
  /** A task as it was ever declared. */
  declared(task: string): readonly PlannedTask[];
}

export function lettersOf({ sep, declared }: LetterParts): Letters {
  /** What the messages of a task's revision carry, and whose it is. */
  const bodies = new Map<string, string>();
  const owners = new Map<string, string>();

  /** Each edit of a task draws other arguments. */
  function wrongBody({ body }: Push, { name }: PlannedTask, revision: string): string | null {
    const owner = `${name} ${revision.split(".")[1]}`;
    const known = bodies.get(owner);
    if (known === body) return null;
    if (known !== undefined) return "it has other arguments than those before it";
    const other = owners.get(`${name} ${body}`);
    bodies.set(owner, body);
    owners.set(`${name} ${body}`, owner);
    return other === undefined ? unknownBody(body, name) : `it has the arguments of ${other}`;
  }

  function unknownBody(body: string, name: string): string | null {
    const [args] = JSON.parse(atob(body));
    const isDeclared = declared(name).some(({ edition }) => edition === args[0]);
    return isDeclared ? null : `nobody declared its arguments: ${args}`;
  }

  return {
    whyNot(push, planned, revision) {
      const list = listOf(planned, sep);
      if (push.list !== list) return `it went to ${push.list}, not to ${list}`;
      const [says, right] = [JSON.stringify(push.says), JSON.stringify(rightOf(push, planned))];
      if (says !== right) return `it says ${says}, and should say ${right}`;
      return revision === null
        ? unknownBody(push.body, planned.name)
        : wrongBody(push, planned, revision);
    },
  };
}

function rightOf({ row, taskId }: Push, planned: PlannedTask): Push["says"] {
  const { name, queue, priority, expiresMs, ignoreResult } = planned;
  return {
    ...{ name, celeryTask: "work", queue, priority: priority ?? 0, ignoreResult },
    ...{ rootId: taskId, correlationId: taskId, retries: 0, eta: null },
    dueMs: row.dueMs!,
    publishedMs: row.decidedMs,
    expiresMs: expiresMs === null ? null : row.decidedMs + expiresMs,
  };
}
