/** What must not travel in a task's message, told before anything is built: arguments, headers and names. */

import type { Task } from "../task.ts";
import { bodyOf } from "./body.ts";

/** The most that one message's encoded arguments may take; each waits in the memory of Redis. Bytes. */
export const BODY_MAX = 1_048_576;

/** Those of one message, in JSON; retries and chains carry none of them. Characters. */
const HEADERS_MAX = 65_536;

/** Deeper than any argument needs to be, and far from where Python's parser gives up. */
const DEPTH_MAX = 100;

/** A century: `expires` stays a year that Python can write. Milliseconds. */
const EXPIRES_MAX_MS = 100 * 366 * 86_400_000;

/** Everything that keeps a task from having a message that works, in words; empty when nothing does. */
export function checkTask(task: Task): string[] {
  if (passed.has(task)) return [];
  const problems = [
    ...checkName("celeryTask", task.celeryTask),
    ...checkQueue(task.queue),
    ...checkNumbers(task),
    ...checkArguments(task.args, task.kwargs, task.headers),
  ];
  if (problems.length === 0) passed.add(task);
  return problems;
}

/** Loading checks a task, and making its message does: it is the same task, and frozen in between. */
const passed = new WeakSet<Task>();

/**
 * Values that JSON loses or changes on the way, values that Kombu takes for something else, and
 * headers that are not the user's to set; in words, each with its path.
 */
export function checkArguments(
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, unknown>>,
): string[] {
  const problems: string[] = [];
  checkValue(args, "args", [], problems);
  checkValue(kwargs, "kwargs", [], problems);
  const isEncodable = problems.length === 0;
  if (!Array.isArray(args)) problems.push(`expected \`args\` to be a list, got ${wordOf(args)}`);
  if (Array.isArray(kwargs) || kwargs === null || typeof kwargs !== "object") {
    problems.push(`expected \`kwargs\` to be a mapping, got ${wordOf(kwargs)}`);
  }
  for (const [name, value] of Object.entries(headers)) {
    problems.push(...checkHeaderName(name));
    checkValue(value, `headers.${name}`, [], problems);
  }
  if (isEncodable) problems.push(...checkSize(args, kwargs));
  if (problems.length === 0 && JSON.stringify(headers).length > HEADERS_MAX) {
    problems.push(
      `expected \`headers\` to take at most ${HEADERS_MAX} characters as JSON; pass such data as an argument`,
    );
  }
  return problems;
}

function checkSize(args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>): string[] {
  // A character takes three bytes of UTF-8 at the most, and base64 makes four of them.
  const longestSize = 4 * (JSON.stringify([args, kwargs]).length + 100);
  if (longestSize <= BODY_MAX) return [];
  const size = bodyOf(args, kwargs).length;
  if (size <= BODY_MAX) return [];
  return [
    `expected \`args\` and \`kwargs\` to take at most ${BODY_MAX} bytes when encoded, got ${size}; ` +
    `pass a key or a path to the data instead`,
  ];
}

function checkValue(
  value: unknown,
  path: string,
  parents: readonly object[],
  problems: string[],
): void {
  if (value === null || typeof value === "boolean") return;
  const problem = typeof value === "number"
    ? checkNumber(value)
    : typeof value === "string"
    ? checkText(value)
    : typeof value === "object"
    ? checkObject(value, parents)
    : `to be JSON, got ${wordOf(value)}`;
  if (problem !== null) {
    problems.push(`expected \`${path}\` ${problem}`);
    return;
  }
  if (typeof value !== "object") return;
  const inside = [...parents, value];
  // By index and not by key: a hole in an array would pass unseen and travel as `null`.
  const members: Iterable<[string, unknown]> = Array.isArray(value)
    ? Array.from(value, (item, index): [string, unknown] => [`${path}[${index}]`, item])
    : Object.entries(value).map(([key, item]): [string, unknown] => [`${path}.${key}`, item]);
  for (const [memberPath, item] of members) checkValue(item, memberPath, inside, problems);
}

function checkNumber(value: number): string | null {
  if (!Number.isFinite(value)) {
    return `to be a finite number, got ${value}, which JSON cannot write`;
  }
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return null;
  return `to be an integer within 2^53, got ${value}, which has lost digits; write it as text`;
}

function checkText(value: string): string | null {
  if (value.isWellFormed()) return null;
  return `to be well-formed text, got half a surrogate pair, which Python cannot print or store`;
}

function checkObject(value: object, parents: readonly object[]): string | null {
  if (parents.includes(value)) return `to be JSON, got an object that contains itself`;
  if (parents.length >= DEPTH_MAX) return `to be nested at most ${DEPTH_MAX} deep`;
  if (Array.isArray(value)) return null;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return `to be JSON, got ${wordOf(value)}; write it as text or as a number`;
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
    return `to be JSON, got an object with a function toJSON`;
  }
  const keys = Object.keys(value);
  if (!keys.every((key) => key.isWellFormed())) return `to have well-formed keys`;
  if (keys.length === 2 && keys.includes("__type__") && keys.includes("__value__")) {
    return `not to have exactly the keys __type__ and __value__, which workers turn into something else`;
  }
  return null;
}

function wordOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Object.getPrototypeOf(value) === Object.prototype) return "a mapping";
  return `an object of class ${value.constructor?.name ?? "null"}`;
}

/** Celery's and Beat's own headers, and everything that a header would hide in a running task's request. */
const RESERVED_HEADERS = new Set([
  // The protocol's.
  ...["lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries"],
  ...["timelimit", "root_id", "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result"],
  ...["replaced_task_nesting", "stamped_headers", "stamps", "compression", "redelivered"],
  // Headers become attributes of `self.request`, beside and above these.
  ...["args", "kwargs", "callbacks", "errbacks", "chain", "chord", "children", "taskset", "utc"],
  ...["correlation_id", "delivery_info", "reply_to", "properties", "headers", "hostname"],
  ...["called_directly", "is_eager", "logfile", "loglevel", "get", "update", "clear", "task_id"],
  ...["execution_options", "as_execution_options"],
  "periodic_task_name",
]);

function checkHeaderName(name: string): string[] {
  if (name === "" || !name.isWellFormed() || CONTROL.test(name)) {
    return [`expected a header's name to be text without control characters, got ${quote(name)}`];
  }
  if (!RESERVED_HEADERS.has(name) && !name.startsWith("_") && !/^x-beat-/i.test(name)) return [];
  return [`expected \`headers\` not to have ${quote(name)}, which is Celery's or Beat's own`];
}

/** Bytes that no name has on purpose; Kombu's own separator (06 16) is among them. */
// deno-lint-ignore no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Long enough for any name, short enough for a log line. Characters. */
const NAME_MAX = 255;

function checkName(field: string, name: string): string[] {
  // With a blank at an end it is a name that no worker has, and looks like one that some have.
  const isTrimmed = name !== "" && name === name.trim();
  if (isTrimmed && name.length <= NAME_MAX && name.isWellFormed() && !CONTROL.test(name)) return [];
  return [
    `expected \`${field}\` to be text of 1 to ${NAME_MAX} characters without control characters and ` +
    `without blanks at its ends, got ${quote(name)}`,
  ];
}

/** Keys of Celery that are no lists. A list in the place of one stops every worker of the database. */
const CELERY_KEY = /^(unacked|_kombu\.|celery-task-meta-|celery-taskset-meta-)/;

function checkQueue(queue: string): string[] {
  const problems = checkName("queue", queue);
  if (CELERY_KEY.test(queue)) {
    problems.push(`expected \`queue\` not to be one of Celery's own keys, got ${quote(queue)}`);
  }
  return problems;
}

function checkNumbers(task: Task): string[] {
  const { expiresMs, priority, timeLimitS, softTimeLimitS } = task;
  const problems: string[] = [];
  const isIn = (value: number, least: number, most: number) =>
    Number.isSafeInteger(value) && value >= least && value <= most;
  if (expiresMs !== null && !isIn(expiresMs, 1, EXPIRES_MAX_MS)) {
    problems.push(`expected \`expires\` to be 1 ms to a century, got ${expiresMs} ms`);
  }
  if (priority !== null && !isIn(priority, 0, 9)) {
    problems.push(`expected \`priority\` to be 0 to 9, got ${priority}`);
  }
  for (const [field, value] of Object.entries({ timeLimitS, softTimeLimitS })) {
    if (value !== null && !(Number.isFinite(value) && value > 0)) {
      problems.push(`expected \`${field}\` to be a number of seconds above 0, got ${value}`);
    }
  }
  return problems;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
