/**
 * What people ask of the leader, as it stands in the stream of requests: read loosely and checked
 * here, because anyone may append to it.
 */

import { z } from "zod";
import { TASK_NAME } from "./fire.ts";

/** The version that this build writes. */
const VERSION = 1;

/** What a request may be called; it stands in fire ids and in cursors. */
export const REQUEST_ID = /^[A-Za-z0-9_.:-]{1,64}$/;

/** Longer texts are refused unread. Arguments may take a mebibyte. Characters. */
const REQUEST_TEXT_MAX = 2_097_152;

/** The most due times of one backfill. */
export const BACKFILL_MAX = 10_000;

/** Fires a second of one backfill, at the most and where nothing is said. */
export const RATE_MAX = 1_000;
export const RATE_DEFAULT = 10;

export const NOTE_MAX = 500;

const id = z.string().regex(REQUEST_ID, {
  error: "expected 1 to 64 letters, digits, `_`, `.`, `:` and `-`",
});
const task = z.string().max(255).regex(TASK_NAME, { error: "expected the name of a task" });
/** Control characters would steer the terminal of whoever reads it. */
const line = (max: number) =>
  z.string().max(max).regex(/^\P{Cc}*$/u, { error: "expected one line" });
const head = { v: z.int().min(1), id, who: line(200), note: line(NOTE_MAX) };

const shape = z.discriminatedUnion("kind", [
  z.object({
    ...head,
    kind: z.literal("trigger"),
    task,
    /** As declared where they are absent. */
    args: z.array(z.unknown()).optional(),
    kwargs: z.record(z.string(), z.unknown()).optional(),
    /** Whether the policies of the task may refuse it. */
    isObeying: z.boolean(),
  }),
  z.object({
    ...head,
    kind: z.literal("backfill"),
    task,
    /** Due times and how often each was published before, in order. Unix milliseconds. */
    fires: z.array(z.tuple([z.int(), z.int().min(0)])).min(1).max(BACKFILL_MAX)
      .refine((fires) => fires.every(([dueMs], at) => at === 0 || fires[at - 1]![0] < dueMs), {
        error: "expected due times in order, each once",
      }),
    /** Fires a second. */
    rate: z.number().positive().max(RATE_MAX),
    /** The newest row of the journal that says which due times these are. */
    readId: z.string().regex(/^\d+-\d+$/, { error: "expected the id of a row" }).optional(),
  }),
  z.object({ ...head, kind: z.literal("pause"), task: task.nullable() }),
  z.object({ ...head, kind: z.literal("resume"), task: task.nullable() }),
]);

/** What somebody wants done. A `task` of `null` stands for all of them. */
export type Request = z.infer<typeof shape>;
export type RequestOf<K extends Request["kind"]> = Extract<Request, { kind: K }>;

/** An entry of the stream. */
export interface RequestEntry {
  /** Its stream id: the first part is when it was asked, by the server's clock. */
  readonly id: string;
  /** `null` where the entry has no such field. */
  readonly text: string | null;
}

/** @throws {ZodError} for what no reader would take */
export function encodeRequest(request: OmitVersion<Request>): string {
  return JSON.stringify(shape.parse({ v: VERSION, ...request }));
}

type OmitVersion<T> = T extends unknown ? Omit<T, "v"> : never;

/** A request, or a sentence on why an entry is none; `id` is what it calls itself, if that can be read. */
export function decodeRequest(
  { text }: RequestEntry,
): { readonly request: Request } | { readonly problem: string; readonly id: string | null } {
  if (text === null) return { problem: "it has no field `q`", id: null };
  if (text.length > REQUEST_TEXT_MAX) {
    return { problem: `it is longer than ${REQUEST_TEXT_MAX} characters`, id: null };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: "it is no JSON", id: null };
  }
  const parsed = shape.safeParse(value);
  if (parsed.success) return { request: parsed.data };
  const named = z.looseObject({ id }).safeParse(value);
  const [issue] = parsed.error.issues;
  const problem = `${issue?.path.join(".") || "it"}: ${issue?.message ?? "cannot be read"}`;
  return { problem: problem.slice(0, 300), id: named.success ? named.data.id : null };
}

/** The stream of what people ask for. Anyone may append to it; the leader reads. */
export interface Requests {
  /**
   * Entries after `id`, oldest first.
   * @throws {JournalUnavailableError}
   */
  after(id: string, limit: number): Promise<readonly RequestEntry[]>;
  /** The entry of this id; `null` where it is gone. @throws {JournalUnavailableError} */
  at(id: string): Promise<RequestEntry | null>;
  /**
   * Appends a request.
   *
   * @param keepFromId what is older may be trimmed
   * @returns its id in the stream: the server's time
   * @throws {JournalUnavailableError} it may be there all the same: append it again under the same id
   */
  append(text: string, keepFromId: string): Promise<string>;
}
