/** What revisions mean: which declared task, due when; and from when on its due times count. */

import type { CursorBook } from "./books.ts";
import { definitionText, sorted } from "./books.ts";
import type { Instants } from "./instants.ts";
import { instantsOf } from "./instants.ts";
import type { LedgerRow } from "./ledger.ts";
import type { PlannedTask } from "./schedule.ts";
import { triggerSpec } from "./schedule.ts";

/** A revision that a replica may run, and what it means. */
export interface Edition {
  readonly planned: PlannedTask;
  readonly instants: Instants;
}

export interface Editions {
  /** A task as it may be declared from now on. */
  declare(planned: PlannedTask): void;
  /** All that a task may have been declared as. */
  declared(task: string): readonly PlannedTask[];
  of(task: string, revision: string): Edition | undefined;
  /** Takes in what a row declares. @returns false where nobody has declared that */
  learn(row: LedgerRow): boolean;
  /**
   * Why the due times of a task must not count from where a row says; `null` where they may.
   *
   * @param before its cursor until then
   * @param newestMs the server's time at the newest row. Unix milliseconds.
   */
  whyNotFrom(row: LedgerRow, before: CursorBook | undefined, newestMs: number): string | null;
}

export function editionsOf(): Editions {
  const declared = new Map<string, PlannedTask[]>();
  const editions = new Map<string, Edition>();
  const of = (task: string, revision: string) => editions.get(`${task} ${revision}`);

  function rhythmOf(task: string, revision: string): string | null {
    const edition = of(task, revision);
    return edition === undefined ? null : JSON.stringify(triggerSpec(edition.planned.rhythm));
  }

  return {
    declare(planned) {
      const known = declared.get(planned.name);
      if (known === undefined) declared.set(planned.name, [planned]);
      else known.push(planned);
    },
    declared: (task) => declared.get(task) ?? [],
    of,
    learn({ task, detail }) {
      const revision = String(detail.revision);
      if (of(task, revision) !== undefined) return true;
      const definition = JSON.stringify(sorted(detail.definition));
      // Another edition of the same definition differs in its arguments, which stay out of the journal.
      const planned = declared.get(task)?.find((each) => definitionText(each) === definition);
      if (planned === undefined) return false;
      editions.set(`${task} ${revision}`, { planned, instants: instantsOf(planned.rhythm) });
      return true;
    },
    whyNotFrom({ task, detail, decidedMs, ...row }, before, newestMs) {
      const dueMs = row.dueMs!;
      const rhythm = rhythmOf(task, String(detail.revision));
      if (before !== undefined && rhythmOf(task, before.revision) === rhythm) {
        return dueMs === before.dueMs ? null : `it was at ${before.dueMs}, and has the same rhythm`;
      }
      if (dueMs < decidedMs) return `it begins before ${decidedMs}`;
      const lastMs = Math.max(decidedMs, newestMs, before?.dueMs ?? 0);
      return dueMs > lastMs ? `it begins after ${lastMs}` : null;
    },
  };
}
