/** Events that workers publish on `/{db}.celeryev/*`: hints, which may get lost. */

import type { Hint } from "../sensors.ts";
import { bodyText } from "./body.ts";
import { membersOf, parseJson } from "./json.ts";

type EventHint = Extract<Hint, { kind: "event" }>;

const TASK_EVENT = new Map<string, EventHint["type"]>([
  ["task-received", "received"],
  ["task-started", "started"],
  ["task-succeeded", "succeeded"],
  ["task-failed", "failed"],
  ["task-retried", "retried"],
  ["task-rejected", "rejected"],
  ["task-revoked", "revoked"],
]);

const WORKER_IS_ONLINE = new Map([
  ["worker-online", true],
  ["worker-heartbeat", true],
  ["worker-offline", false],
]);

/**
 * The hints in one payload: one event, or a batch of them. Events that say nothing to Beat, and
 * whatever is no event, give none.
 */
export function decodeEvents(text: string): Hint[] {
  const { body, properties } = membersOf(parseJson(text));
  if (typeof body !== "string") return [];
  const decoded = bodyText(body, membersOf(properties)["body_encoding"]);
  const events = decoded === null ? null : parseJson(decoded);
  return (Array.isArray(events) ? events : [events]).flatMap((event) => hintOf(membersOf(event)));
}

function hintOf(event: Readonly<Record<string, unknown>>): Hint[] {
  const { type, hostname: worker, uuid, timestamp, runtime, pid, processed, freq } = event;
  if (typeof type !== "string" || typeof worker !== "string") return [];
  const isOnline = WORKER_IS_ONLINE.get(type);
  if (isOnline !== undefined) {
    return [{
      kind: "worker",
      worker,
      isOnline,
      ...(typeof pid === "number" ? { processId: pid } : {}),
      ...(typeof processed === "number" ? { processed } : {}),
      ...(typeof freq === "number" ? { beatMs: Math.round(freq * 1000) } : {}),
    }];
  }
  const taskEvent = TASK_EVENT.get(type);
  if (taskEvent === undefined || typeof uuid !== "string" || typeof timestamp !== "number") {
    return [];
  }
  return [{
    kind: "event",
    taskId: uuid,
    type: taskEvent,
    worker,
    atMs: Math.floor(timestamp * 1000),
    runtimeMs: typeof runtime === "number" ? Math.round(runtime * 1000) : null,
    isExpired: event["expired"] === true,
  }];
}
