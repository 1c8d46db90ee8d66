/** The journal's vocabulary: what can happen, and the rows that say so. How they are written: `row_text.ts`. */

import { z } from "zod";

/** The version that this build writes. Readers take rows of any version. */
export const ROW_VERSION = 1;

/** How far something is throttled: a queue under pressure, an objective that burns. */
export type Level = "normal" | "slowed" | "paused";

const by = z.string();
/** The few numbers and names that a decision was based on. */
const facts = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));
const level = z.enum(["normal", "slowed", "paused"]);
/** What somebody asked for is known by this name. */
const request = { request: z.string() };
const outcome = z.enum(["success", "failure", "revoked", "lost", "unknown"]);

/** How a run can end, as `fire.finished` says it. */
export const OUTCOMES: ReadonlySet<unknown> = new Set(outcome.options);

/**
 * The packed payload of each type of row. Loose: fields that a newer build adds pass through.
 * Times are Unix milliseconds.
 */
export const DETAIL = {
  /** The next row of a fire implies this one, and does without it. */
  "fire.due": z.looseObject({}),
  "fire.delayed": z.looseObject({
    /** Asked again then; `null` while it waits for something else than a time. */
    untilMs: z.int().nullable(),
    /** What it waits for, in a word, where that is no time. */
    cause: z.string().optional(),
    by,
    reason: z.string(),
    facts: facts.optional(),
  }),
  "fire.skipped": z.looseObject({ by, reason: z.string(), facts: facts.optional() }),
  /**
   * `attempt` is absent for the first. `notBeforeMs`: for a fire that was held, until when.
   * `notes`: what policies had to say although they let it pass, by their names.
   */
  "fire.published": z.looseObject({
    attempt: z.int().optional(),
    notBeforeMs: z.int().optional(),
    notes: z.record(z.string(), z.string()).optional(),
  }),
  /** A worker has reserved or started it. `by`: `unacked`, `event` or `result`. */
  "fire.taken": z.looseObject({ by, worker: z.string().optional() }),
  /** Nobody took it by `takeByMs`: an alarm, not an end. */
  "fire.overdue": z.looseObject({ takeByMs: z.int() }),
  "fire.redelivered": z.looseObject({ deliveries: z.int() }),
  /** The message has left the broker for good. `by`: `result`, `event` or `broker`. */
  "fire.acked": z.looseObject({ by, worker: z.string().optional() }),
  "fire.finished": z.looseObject({ outcome, runtimeMs: z.number().optional() }),
  /** `ttl`: its own `expires` passed; `unacknowledged`: given up. `by`: `worker` or `beat`. */
  "fire.expired": z.looseObject({ reason: z.enum(["ttl", "unacknowledged"]), by }),
  /** Evidence for a fire that is closed; changes nothing. */
  "fire.late_ack": z.looseObject({ by, outcome: outcome.optional() }),
  /** First seen, or seen again after an absence: it fires from `dueMs` (now) on, never the past. */
  "task.known": z.looseObject({
    revision: z.string(),
    definition: z.record(z.string(), z.unknown()),
  }),
  "task.changed": z.looseObject({
    revision: z.string(),
    definition: z.record(z.string(), z.unknown()),
  }),
  "task.retired": z.looseObject({}),
  /** Due times in [fromMs, toMs] that a policy let go, all for one reason. */
  "task.dropped": z.looseObject({
    fromMs: z.int(),
    toMs: z.int(),
    count: z.int(),
    by,
    reason: z.string(),
  }),
  "term.started": z.looseObject({
    owner: z.string(),
    epoch: z.string(),
    build: z.string(),
    tzdata: z.string().optional(),
  }),
  "term.ended": z.looseObject({ owner: z.string(), reason: z.string() }),
  /**
   * Beat's keys are not those that this replica had seen: somebody emptied Redis, or a replica of Redis
   * brought a history of before back.
   */
  "term.history_lost": z.looseObject({ owner: z.string(), reason: z.string() }),
  /**
   * Rows that this replica had seen are gone: a replica of Redis was promoted before it had them, or
   * the append-only file was cut. They were `fromId` (the newest that stayed) to `toId`, exclusive
   * and inclusive. What they decided is decided anew, with the same ids.
   */
  "term.history_shortened": z.looseObject({
    owner: z.string(),
    fromId: z.string(),
    toId: z.string(),
  }),
  /** A throttle moved. `key`: `queue:<queue>` or `slo:<objective>`. */
  "level.changed": z.looseObject({
    key: z.string(),
    from: level,
    to: level,
    reason: z.string(),
    facts: facts.optional(),
  }),
  /** A changed configuration was taken; lists of entry names. */
  "control.reloaded": z.looseObject({
    added: z.array(z.string()),
    changed: z.array(z.string()),
    retired: z.array(z.string()),
  }),
  /** A changed configuration was refused; the old one keeps running. */
  "control.reload_refused": z.looseObject({ problems: z.array(z.string()) }),
  /**
   * Somebody's request was taken up. `entryId`: its id in the stream of requests, which says when it
   * was asked. Of a backfill: how many `fires` it wants, of which due times (Unix milliseconds), and
   * how many a second. Of a trigger: its arguments where they are not the declared ones, as JSON that
   * is cut after 1,000 characters; and whether the policies might refuse it.
   */
  "control.requested": z.looseObject({
    ...request,
    kind: z.string(),
    who: z.string(),
    note: z.string(),
    entryId: z.string(),
    fires: z.int().optional(),
    fromMs: z.int().optional(),
    toMs: z.int().optional(),
    rate: z.number().optional(),
    args: z.string().optional(),
    kwargs: z.string().optional(),
    isObeying: z.boolean().optional(),
  }),
  /**
   * What became of it. `repeated`: one of the same id, of the entry `firstId`, had been taken up
   * before, and nothing was done. `passed`: due times that needed no publish after all.
   */
  "control.answered": z.looseObject({
    ...request,
    entryId: z.string(),
    firstId: z.string().optional(),
    result: z.enum(["done", "refused", "repeated"]),
    reason: z.string().optional(),
    published: z.int().optional(),
    passed: z.int().optional(),
  }),
  /** From `decidedMs` on, due times are skipped; of all tasks, where the row names none. */
  "control.paused": z.looseObject({ ...request, who: z.string(), note: z.string() }),
  /** What came due up to `decidedMs` is not fired. */
  "control.resumed": z.looseObject({
    ...request,
    who: z.string(),
    note: z.string(),
    sinceMs: z.int(),
  }),
  /**
   * What folding all rows before `cutId` (the first that stays; `rows` so many) gives: written before
   * those are cut off. `state`: see `audit/snapshot.ts`; `checksum`: `audit/snapshot_parts.ts`. `part`:
   * it is one of several rows, of a snapshot that was begun at `sinceMs`.
   */
  "journal.snapshot": z.looseObject({
    cutId: z.string(),
    rows: z.int(),
    checksum: z.string(),
    state: z.record(z.string(), z.unknown()),
    part: z.looseObject({ index: z.int(), count: z.int(), sinceMs: z.int() }).optional(),
  }),
} as const;

export type EventType = keyof typeof DETAIL;
export type FireEventType = Extract<EventType, `fire.${string}`>;
export type Detail<T extends EventType> = z.infer<(typeof DETAIL)[T]>;

/** Whether this build knows rows of a type. */
export function isEventType(type: string): type is EventType {
  return Object.hasOwn(DETAIL, type);
}

/** A row to write. `task` is empty and `dueMs` null where the row is not about a task or a fire. */
export type Row<T extends EventType = EventType> = {
  [K in T]: {
    readonly type: K;
    readonly task: string;
    /** The nominal time; for `task.*` rows the cursor that they set. */
    readonly dueMs: number | null;
    /** The tick's own, corrected time; the stream id has the server's. */
    readonly decidedMs: number;
    readonly detail: Detail<K>;
  };
}[T];

/** A row as read. `type` may be one that this build does not know: it is kept and passed over. */
export interface JournalRow {
  /** The stream id. Its first part is the server's time in milliseconds. */
  readonly id: string;
  readonly version: number;
  readonly type: string;
  readonly task: string;
  readonly dueMs: number | null;
  readonly decidedMs: number;
  readonly fence: number;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Which attempt at a fire a row is about; 0 for the first. */
export function attemptOf({ detail: { attempt } }: Pick<JournalRow, "detail">): number {
  return typeof attempt === "number" ? attempt : 0;
}

/** Before every row. */
export const NO_ID = "0-0";

/** Below zero where the stream id `one` comes before `other`, 0 where they are equal. */
export function compareIds(one: string, other: string): number {
  return millisecondsOf(one) - millisecondsOf(other) || sequenceOf(one) - sequenceOf(other);
}

/** Server time of a row. Unix milliseconds. */
export function recordedMs(row: JournalRow): number {
  return millisecondsOf(row.id);
}

/** The first part of a stream id: the server's time, Unix milliseconds. */
export function millisecondsOf(id: string): number {
  return Number(id.slice(0, id.indexOf("-")));
}

function sequenceOf(id: string): number {
  return Number(id.slice(id.indexOf("-") + 1));
}

/** `row` narrowed to `type`, with its detail checked; `null` when it is another or malformed. */
export function rowOf<T extends EventType>(
  row: JournalRow,
  type: T,
): (JournalRow & { readonly detail: Detail<T> }) | null {
  if (row.type !== type) return null;
  const parsed = DETAIL[type].safeParse(row.detail);
  return parsed.success ? { ...row, detail: parsed.data as Detail<T> } : null;
}
