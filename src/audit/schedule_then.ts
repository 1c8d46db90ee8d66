/** What a task was declared to be at an instant, from the rows that declare it. Pure. */

import type { JournalRow } from "../event.ts";
import { recordedMs } from "../event.ts";
import type { TriggerSpec } from "../task.ts";
import type { Trigger } from "../triggers/mod.ts";
import { triggerOf } from "../triggers/mod.ts";

/** As much of a task as its story needs. */
export interface Declared {
  readonly spec: TriggerSpec;
  readonly queue: string;
  readonly expiresMs: number | null;
}

/** How a task stood at an instant. */
export type ScheduleThen =
  /** `sinceMs`: due times after it count; `null` where it is today's and the journal does not say. */
  | {
    readonly kind: "on";
    readonly declared: Declared;
    readonly trigger: Trigger;
    readonly sinceMs: number | null;
    /** When a row changed it afterwards, and `null` where none is known. */
    readonly changedMs: number | null;
  }
  /** A row took it out of the schedule, and none brought it back until then. */
  | { readonly kind: "retired"; readonly sinceMs: number; readonly declared: Declared | null }
  /** It was declared later for the first time that is known. */
  | { readonly kind: "not yet"; readonly knownMs: number; readonly declared: Declared | null }
  | { readonly kind: "unknown" };

/**
 * @param rows in order; of the task, at least the last `task.*` row that declares or retires it
 *   before `atMs`, and those after that were read
 * @param today what the configuration says now; `null` where it does not have the task, or has it off
 */
export function scheduleAt(
  rows: readonly JournalRow[],
  atMs: number,
  today: Declared | null,
): ScheduleThen {
  const own = rows.filter(({ type }) => DECLARES.has(type) || type === "task.retired");
  const inForce = own.findLast((row) => startOf(row) < atMs);
  const later = own.find((row) => startOf(row) >= atMs);
  if (inForce?.type === "task.retired") {
    const before = own.findLast((row) => DECLARES.has(row.type) && startOf(row) < atMs);
    return {
      kind: "retired",
      sinceMs: recordedMs(inForce),
      declared: before === undefined ? null : declaredOf(before),
    };
  }
  if (inForce === undefined && later?.type === "task.known") {
    return { kind: "not yet", knownMs: startOf(later), declared: declaredOf(later) };
  }
  // Changed since, and what it was before is not among the rows: today's would be another one.
  if (inForce === undefined && later !== undefined) return { kind: "unknown" };
  const declared = (inForce === undefined ? null : declaredOf(inForce)) ?? today;
  if (declared === null) return { kind: "unknown" };
  return {
    kind: "on",
    declared,
    trigger: triggerOf(declared.spec),
    sinceMs: inForce === undefined ? null : startOf(inForce),
    changedMs: later === undefined ? null : recordedMs(later),
  };
}

/** Rows that say what a task is; the cursor that they set is in `dueMs`. */
export const DECLARES: ReadonlySet<string> = new Set(["task.known", "task.changed"]);

/** Due times after it are under this row. Unix milliseconds. */
function startOf(row: JournalRow): number {
  return DECLARES.has(row.type) ? row.dueMs ?? recordedMs(row) : recordedMs(row);
}

/** `null` where another build wrote what this one does not understand. */
export function declaredOf(row: JournalRow): Declared | null {
  const { definition } = row.detail;
  if (definition === null || typeof definition !== "object") return null;
  const { trigger, queue, expiresMs } = definition as Record<string, unknown>;
  const spec = trigger as TriggerSpec;
  try {
    triggerOf(spec);
  } catch {
    return null;
  }
  return {
    spec,
    queue: typeof queue === "string" ? queue : "",
    expiresMs: typeof expiresMs === "number" ? expiresMs : null,
  };
}
