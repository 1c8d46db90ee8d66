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
  | { readonly kind: "at"; readonly atMs: number }
  /** Once a trading session, `offsetMs` after its open or close; before it where that is negative. */
  | {
    readonly kind: "session";
    readonly calendar: CalendarSpec;
    readonly anchor: "open" | "close";
    readonly offsetMs: number;
  };

/**
 * When a market trades, whole, so that a task's definition says all of when it is due. Dates are
 * YYYY-MM-DD, times HH:MM in `tz`; `env/calendars/README.md` says how they are read.
 */
export interface CalendarSpec {
  /** Market identifier code. */
  readonly mic: string;
  readonly tz: string;
  /** Session dates that it speaks about, both inclusive. */
  readonly validFrom: string;
  readonly validTo: string;
  readonly sessions: readonly WeeklyHours[];
  readonly holidays: readonly string[];
  readonly specialOpens: Readonly<Record<string, string>>;
  readonly specialCloses: Readonly<Record<string, string>>;
  readonly specialSessions: Readonly<Record<string, SessionHours>>;
}

/** The hours of one session. */
export interface SessionHours {
  readonly open: string;
  /** `24:00` is midnight at the end of the session date. */
  readonly close: string;
  readonly breaks: readonly (readonly [start: string, end: string])[];
  /** -1: it opens on the calendar day before its date. */
  readonly openDayOffset?: 0 | -1 | undefined;
}

/** The hours of some days of the week (ISO, 1 is Monday), perhaps of some years only. */
export interface WeeklyHours extends SessionHours {
  readonly days: readonly number[];
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

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

/** Hours of the day in which a task may be published; outside of them a fire waits. */
export interface WindowSpec {
  /** The name under which tasks share it, or `null`. */
  readonly name: string | null;
  /** `HH:MM` in `tz`. A window whose end is before its start goes over midnight. */
  readonly from: string;
  readonly to: string;
  readonly tz: string;
  /** ISO weekdays (1 is Monday) on which the window begins; `null` for all. */
  readonly days: readonly number[] | null;
}

/** How a task's fires are spread after they are due. */
export interface JitterSpec {
  /** `fixed`: the same shift for each fire of a task; `per-fire`: another each time; `even`: by place. */
  readonly kind: "fixed" | "per-fire" | "even";
  /** The longest shift. Milliseconds. */
  readonly maxMs: number;
  /** What the hash starts from. */
  readonly seed: string;
  /** For `even`: the place among the members of its group, from 0, and how many there are. */
  readonly place: JitterPlace | null;
}

/** A place in a row of tasks that are staggered. */
export interface JitterPlace {
  readonly group: string;
  readonly index: number;
  readonly count: number;
}

/** Trading sessions outside of which a task does not fire. */
export interface SessionSpec {
  /** At least one. */
  readonly calendars: readonly CalendarSpec[];
  readonly match: "any" | "all";
  /**
   * Fires from so long before the open of a session, and until so long after its close. Breaks stay
   * as they are. Milliseconds.
   */
  readonly leadMs: number;
  readonly lagMs: number;
  /** What to do at an instant that no calendar speaks about. */
  readonly unknown: "fire" | "skip";
}

/** How the state of its queue holds a task back. */
export interface PressureSpec {
  /** `observe`: rows say what it would have done. */
  readonly mode: "observe" | "enforce";
  /** While slowed, every n-th fire goes out. At least 2. */
  readonly slowTo: number;
}

/** Degradation while a service level objective burns. */
export interface SloSpec {
  /** The objective's name. */
  readonly objective: string;
  readonly mode: "observe" | "enforce";
  /** While slowed, every n-th fire goes out. At least 2. */
  readonly slowTo: number;
}

/** What may hold a fire back, beside orders of people. */
export interface PolicySpecs {
  readonly session: SessionSpec | null;
  readonly window: WindowSpec | null;
  readonly jitter: JitterSpec | null;
  /** What to do while an earlier fire of the task runs. */
  readonly overlap: "allow" | "skip" | "wait";
  readonly pressure: PressureSpec | null;
  readonly slo: SloSpec | null;
  /** How long backpressure and degradation may hold a fire; then it goes out. Milliseconds. */
  readonly maxHoldMs: number;
}

/** Nothing holds such a task back. */
export const NO_POLICIES: PolicySpecs = {
  session: null,
  window: null,
  jitter: null,
  overlap: "allow",
  pressure: null,
  slo: null,
  maxHoldMs: 60_000,
};

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
  readonly policies: PolicySpecs;
  /** After publishing: raise `fire.overdue` when nobody took it for so long. Milliseconds. */
  readonly takeByMs: number;
  /** After publishing: give the fire up as unacknowledged. Milliseconds. */
  readonly giveUpMs: number;
}

/** The calendars that a task follows, by its trigger and its policies. */
export function calendarsOf({ trigger, policies }: Task): CalendarSpec[] {
  return [
    ...(trigger.kind === "session" ? [trigger.calendar] : []),
    ...(policies.session?.calendars ?? []),
  ];
}

/**
 * The revision of a task: two hashes with a dot between them, the first of when it is due, the second
 * of all else that decides what is published. A change of the first starts the cursor anew.
 */
export function revisionOf(task: Task): string {
  let revision = revisions.get(task);
  if (revision === undefined) {
    const { trigger, ...rest } = task;
    revisions.set(task, revision = `${digestOf(trigger)}.${digestOf(rest)}`);
  }
  return revision;
}

/** Two hashes cost much, and a task is asked for its revision at each change of the configuration. */
const revisions = new WeakMap<Task, string>();

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
