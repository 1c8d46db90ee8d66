/** How Beat's own fires ended, counted as the leader settles them. */

import { entryOf } from "../fire.ts";
import type { Settlement } from "../ports.ts";

/** Ends that say something, and the bad ones of them. */
export interface Count {
  readonly events: number;
  readonly bad: number;
}

export interface Outcomes {
  note(settlement: Settlement): void;
  /** Since the start, of some tasks or of all. */
  total(tasks: readonly string[] | null): Count;
}

/** Revoked, or with an end that nobody stores: such a fire says nothing of how workers do. */
const SAYS: Readonly<Record<string, "good" | "bad">> = {
  success: "good",
  failure: "bad",
  lost: "bad",
};

/** Counts from now on. */
export function outcomes(): Outcomes {
  const byTask = new Map<string, { events: number; bad: number }>();
  return {
    note({ open, rows }) {
      // A request has a name of its own, and there is no end of them.
      const task = entryOf(open.task);
      for (const row of rows) {
        const says = row.type === "fire.finished" ? SAYS[row.detail.outcome] : undefined;
        if (says === undefined) continue;
        const count = byTask.get(task) ?? { events: 0, bad: 0 };
        count.events++;
        if (says === "bad") count.bad++;
        byTask.set(task, count);
      }
    },
    total(tasks) {
      const counts = tasks === null
        ? [...byTask.values()]
        : tasks.flatMap((task) => byTask.get(task) ?? []);
      return counts.reduce<Count>((sum, { events, bad }) => ({
        events: sum.events + events,
        bad: sum.bad + bad,
      }), { events: 0, bad: 0 });
    },
  };
}
