/** What a declared task is: plain data, frozen after loading. How it is declared is `config/`. */

import { createHash } from "node:crypto";

/** When a task is due, as data. `triggers/mod.ts` makes the function of it. */
export type TriggerSpec =
  /** Every `everyMs` (may be fractional, at least 10) from the epoch plus `phaseMs`. */
  | { readonly kind: "every"; readonly everyMs: number; readonly phaseMs: number }
  /** A cron expression of 5 or 6 fields, or a nickname, read in the IANA zone `tz`. */
  | { readonly kind: "cron"; readonly expression: string; readonly tz: string }
  /** Celery's `crontab`: day of month AND day of week, weekday 0 to 6. */
  | {
    readonly kind: "crontab";
    readonly minute: string;
    readonly hour: string;
    readonly dayOfWeek: string;
    readonly dayOfMonth: string;
    readonly monthOfYear: string;
    readonly tz: string;
  }
  /** Once, at `atMs`. */
  | { readonly kind: "at"; readonly atMs: number };

/** How much a task may be held back: `critical` never, `deferrable` for long. */
export type Importance = "critical" | "normal" | "deferrable";

/** What to do with due times that passed while nobody was looking. */
export interface CatchUp {
  readonly policy: "skip" | "latest" | "all";
  /** Fires later than this are dropped. Milliseconds. */
  readonly windowMs: number;
  /** The most fires that `all` sends for one gap; the newest are kept. */
  readonly cap: number;
}

export interface Task {
  /** The entry's name; unique. Two entries may share one `celeryTask`. */
  readonly name: string;
  /** The name under which workers have registered it. */
  readonly celeryTask: string;
  readonly queue: string;
  readonly trigger: TriggerSpec;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** Added to the publish time, as Celery does; `null` for never. Milliseconds. */
  readonly expiresMs: number | null;
  /** 0 to 9, 0 served first on Redis; `null` for Celery's default, 0. */
  readonly priority: number | null;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Celery's hard and soft time limits in seconds; `null` for none. */
  readonly timeLimitS: number | null;
  readonly softTimeLimitS: number | null;
  readonly ignoreResult: boolean;
  readonly importance: Importance;
  readonly catchUp: CatchUp;
  /** After publishing: raise `fire.overdue` when nobody took it for so long. Milliseconds. */
  readonly takeByMs: number;
  /** After publishing: give the fire up as unacknowledged. Milliseconds. */
  readonly giveUpMs: number;
}

/**
 * The revision of a task: two hashes with a dot between them, the first of when it is due, the second
 * of all else that decides what is published. A change of the first starts the cursor anew.
 */
export function revisionOf(task: Task): string {
  const { trigger, ...rest } = task;
  return `${digestOf(trigger)}.${digestOf(rest)}`;
}

/** Whether two revisions mean the same due times. */
export function hasSameTrigger(one: string, other: string): boolean {
  return one.split(".")[0] === other.split(".")[0];
}

/** Eight hex digits that stand for a value. */
export function digestOf(value: unknown): string {
  return createHash("sha1").update(canonicalJson(value)).digest("hex").slice(0, 8);
}

/**
 * JSON with sorted keys, so that equal values have equal texts. By hand: a replacer that rebuilds each
 * object costs thousands of tasks half a second.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  const members = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(members).filter((key) => members[key] !== undefined).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(members[key])}`).join()}}`;
}
