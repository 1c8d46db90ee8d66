/**
 * What the world has seen Beat record: each row of the journal as it was appended, read without Beat's
 * own decoders, and whether it survived. Rows that a rollback took away stay here, marked.
 */

import type { StreamEntry } from "./redis_values.ts";

export interface LedgerRow {
  /** The stream id. */
  readonly id: string;
  /** As they stand in the stream. */
  readonly fields: readonly string[];
  /** The server's time when it was written. Unix milliseconds. */
  readonly serverMs: number;
  readonly type: string;
  readonly task: string;
  readonly dueMs: number | null;
  readonly decidedMs: number;
  readonly fence: number;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly version: number;
  /** Time of the world. Milliseconds since the start. */
  readonly atMs: number;
  /** Not in the history that survived. */
  isLost: boolean;
}

/** A message that was pushed. */
export interface Push {
  readonly row: LedgerRow;
  readonly list: string;
  readonly taskId: string;
  readonly tag: string;
  readonly body: string;
  readonly says: MessageHead;
}

/** What a message says beside its ids and arguments. Times are Unix milliseconds. */
export interface MessageHead {
  /** Of the schedule's entry. */
  readonly name: string;
  readonly celeryTask: string;
  readonly queue: string;
  readonly priority: number;
  readonly ignoreResult: boolean;
  /** Those of a message that nobody has retried, and that none went before. */
  readonly rootId: string;
  readonly correlationId: string;
  readonly retries: number;
  readonly eta: string | null;
  readonly dueMs: number;
  readonly publishedMs: number;
  /** Its own end; `null` for none. */
  readonly expiresMs: number | null;
}

/** What the message of a published row is called: it says which attempt it is, other rows of the fire do not. */
export function publishName({ task, dueMs, detail }: LedgerRow): string {
  return detail.attempt === undefined ? `${task}@${dueMs}` : `${task}@${dueMs}#${detail.attempt}`;
}

const LONG_NAME: Readonly<Record<string, string>> = {
  p: "fire.published",
  t: "fire.taken",
  a: "fire.acked",
  f: "fire.finished",
  x: "fire.expired",
};

export function ledgerRow(entry: StreamEntry, atMs: number): LedgerRow {
  const { fields } = entry;
  const type = fieldOf(fields, "t") ?? "";
  const due = fieldOf(fields, "d") ?? "";
  const dueMs = due === "" ? null : Number(due);
  const payload = fieldOf(fields, "p") ?? "";
  return {
    id: entry.id,
    fields,
    serverMs: entry.ms,
    type: LONG_NAME[type] ?? type,
    task: fieldOf(fields, "k") ?? "",
    dueMs,
    decidedMs: Number(fieldOf(fields, "m")) + (dueMs ?? 0),
    fence: Number(fieldOf(fields, "f")),
    version: Number(fieldOf(fields, "v")),
    detail: payload === "" ? {} : JSON.parse(payload),
    atMs,
    isLost: false,
  };
}

function fieldOf(fields: readonly string[], name: string): string | undefined {
  for (let index = fields.length - fields.length % 2 - 2; index >= 0; index -= 2) {
    if (fields[index] === name) return fields[index + 1];
  }
  return undefined;
}

/** Whether an entry says what a row of its id says. */
export function saysSame(row: LedgerRow, entry: StreamEntry): boolean {
  const { fields } = entry;
  const isCopy = fields.length === row.fields.length &&
    fields.every((each, index) => each === row.fields[index]);
  if (isCopy) return true;
  const textOf = ({ type, task, dueMs, decidedMs, fence, detail }: LedgerRow) =>
    JSON.stringify([type, task, dueMs, decidedMs, fence, detail]);
  return textOf(row) === textOf(ledgerRow(entry, row.atMs));
}

/** `null` where `text` is no message of Beat. */
export function readMessage(
  text: string,
): (Omit<Push, "row" | "list"> & { readonly fireId: string }) | null {
  const { headers, properties, body } = JSON.parse(text);
  const fireId = headers?.["x-beat-fire-id"];
  if (typeof fireId !== "string") return null;
  return {
    ...{ fireId, taskId: headers.id, tag: properties.delivery_tag, body },
    says: {
      name: headers.periodic_task_name,
      celeryTask: headers.task,
      queue: properties.delivery_info.routing_key,
      priority: properties.priority,
      ignoreResult: headers.ignore_result,
      rootId: headers.root_id,
      correlationId: properties.correlation_id,
      ...{ retries: headers.retries, eta: headers.eta },
      dueMs: Date.parse(headers["x-beat-due"]),
      publishedMs: Date.parse(headers["x-beat-published"]),
      expiresMs: headers.expires === null ? null : Date.parse(headers.expires),
    },
  };
}

/** Below zero where `one` comes before `other`. */
export function compareStreamIds(one: string, other: string): number {
  const [oneMs = 0, oneSequence = 0] = one.split("-").map(Number);
  const [otherMs = 0, otherSequence = 0] = other.split("-").map(Number);
  return oneMs - otherMs || oneSequence - otherSequence;
}
