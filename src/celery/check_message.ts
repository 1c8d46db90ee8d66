/**
 * What a worker would make of a message. Some defects end the worker, which first puts the message
 * back for the next one to die of; others are dropped with a line in a log that nobody reads.
 */

import { MessageError } from "../errors.ts";
import { bodyText } from "./body.ts";
import { isObject, parseJson } from "./json.ts";

type Members = Readonly<Record<string, unknown>>;

/**
 * Refuses a list element that a worker would die of, discard, or run without ever saying how it went.
 * @throws {MessageError} names the first defect
 */
export function checkMessage(text: string): void {
  const envelope = parseJson(text);
  demand(isObject(envelope), "the element", "a JSON object", text);
  const { headers, properties, body } = envelope;
  demand(typeof body === "string", "body", "text", body);
  const type = envelope["content-type"];
  demand(type === "application/json", "content-type", "application/json", type);
  const encoding = envelope["content-encoding"];
  demand(encoding === undefined || encoding === "utf-8", "content-encoding", "utf-8", encoding);
  demand(isObject(headers), "headers", "an object", headers);
  demand(isObject(properties), "properties", "an object", properties);
  checkHeaders(headers);
  checkProperties(properties);
  checkBody(body, properties["body_encoding"]);
}

function checkHeaders(headers: Members): void {
  const { task, id, eta, expires, timelimit, compression, retries } = headers;
  demand(isText(task), "headers.task", "a task's name", task);
  demand(isText(id), "headers.id", "text", id);
  demand(isAbsent(eta) || isTime(eta), "headers.eta", TIME_WORDS, eta);
  demand(isAbsent(expires) || isTime(expires), "headers.expires", TIME_WORDS, expires);
  demand(
    isAbsent(timelimit) || isLimits(timelimit),
    "headers.timelimit",
    "[hard, soft]",
    timelimit,
  );
  demand(isAbsent(compression), "headers.compression", "absent", compression);
  demand(isAbsent(retries) || Number.isInteger(retries), "headers.retries", "a count", retries);
}

function checkProperties(properties: Members): void {
  const { delivery_tag: tag, delivery_info: info, priority } = properties;
  demand(isText(tag), "properties.delivery_tag", "text", tag);
  demand(isObject(info), "properties.delivery_info", "an object", info);
  // A named exchange drops the message where it has no binding, without a word.
  demand(info["exchange"] === "", "delivery_info.exchange", "empty", info["exchange"]);
  demand(isText(info["routing_key"]), "delivery_info.routing_key", "a queue", info["routing_key"]);
  demand(
    isAbsent(priority) || Number.isInteger(priority),
    "properties.priority",
    "0 to 9",
    priority,
  );
}

function checkBody(body: string, encoding: unknown): void {
  const text = bodyText(body, encoding);
  demand(text !== null, "body", "base64 of UTF-8", body);
  const parts = parseJson(text);
  demand(Array.isArray(parts) && parts.length === 3, "body", "JSON [args, kwargs, embed]", text);
  const [args, kwargs, embed] = parts as unknown[];
  demand(Array.isArray(args), "the body's args", "an array", args);
  demand(isObject(kwargs), "the body's kwargs", "an object", kwargs);
  demand(isAbsent(embed) || isObject(embed), "the body's embed", "an object", embed);
}

const TIME_WORDS = "null or a time such as 2026-11-24T18:51:45.971398+00:00";
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d$/;

function isTime(value: unknown): boolean {
  if (typeof value !== "string" || !TIME.test(value) || Number.isNaN(Date.parse(value))) {
    return false;
  }
  // JavaScript takes 30 February for 2 March, and 24:00 for the next day; Python takes neither.
  const local = value.slice(0, "2026-11-24T18:51:45".length);
  return new Date(`${local}Z`).toISOString().startsWith(local);
}

function isLimits(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 &&
    value.every((limit) => limit === null || typeof limit === "number");
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function demand(condition: boolean, what: string, wanted: string, got: unknown): asserts condition {
  if (condition) return;
  const shown = (JSON.stringify(got) ?? "nothing").slice(0, 80);
  throw new MessageError(
    `expected ${what} of the message to be ${wanted}, got ${shown}; a worker would discard it or die of it`,
  );
}
