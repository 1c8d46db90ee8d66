/** Result documents (`celery-task-meta-…`), as far as Beat looks at them. */

import type { TaskResult } from "../sensors.ts";
import { isObject, membersOf, parseJson } from "./json.ts";
import { parseTimeText } from "./time_text.ts";

/** After these nothing more comes, but for the same once again. RETRY and a task's own states go on. */
const FINAL = new Set(["SUCCESS", "FAILURE", "REVOKED"]);

/** `null` when `text` is no result document. */
export function decodeResult(text: string): TaskResult | null {
  const document = parseJson(text);
  return isObject(document) ? resultOf(document) : null;
}

/**
 * A document of which only both ends were read. Celery's backends write the state first, and behind the
 * result when it was done (`_get_result_meta`).
 *
 * @returns `null` where it begins otherwise
 */
export function decodeLongResult(head: string, tail: string): TaskResult | null {
  const [, status] = /^\{"status": ?"(\w+)"/.exec(head) ?? [];
  const lastOf = (name: string) =>
    [...tail.matchAll(new RegExp(`[{,] ?"${name}": ?"([^"\\\\]*)"`, "g"))].at(-1)?.[1];
  return resultOf({ status, date_done: lastOf("date_done"), worker: lastOf("worker") });
}

function resultOf(document: Readonly<Record<string, unknown>>): TaskResult | null {
  const { status, result, date_done: done, worker } = document;
  if (typeof status !== "string" || status === "") return null;
  return {
    status,
    doneMs: FINAL.has(status) ? parseTimeText(done) : null,
    revokedAs: status === "REVOKED" ? reasonOf(result) : null,
    worker: nameOf(worker) ?? (status === "STARTED" ? nameOf(membersOf(result)["hostname"]) : null),
  };
}

/** `exc_message` is the exception's arguments, or in some versions the first of them. */
function reasonOf(result: unknown): string | null {
  const message = membersOf(result)["exc_message"];
  return nameOf(Array.isArray(message) ? message[0] : message);
}

/** `worker` only stands in documents of an app with `result_extended`. */
function nameOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
