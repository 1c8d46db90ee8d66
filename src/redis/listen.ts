/** What workers and the result backend say over pub/sub. It may get lost; nothing depends on it. */

import type { Redis } from "ioredis";
import { decodeEvents } from "../celery/worker_event.ts";
import { systemClock } from "../clock.ts";
import type { Hint } from "../sensors.ts";
import type { RedisEndpoint, Transport } from "../settings.ts";
import { connect } from "./client.ts";

/** How often a connection that only listens is asked whether it still stands. Milliseconds. */
const PING_MS = 1_000;

export interface ListenOptions {
  readonly broker: RedisEndpoint;
  readonly backend: RedisEndpoint | null;
  readonly transport: Transport;
  readonly commandTimeoutMs: number;
}

/** Calls `onHint` until `signal` is aborted. */
export function listenTo(
  options: ListenOptions,
  onHint: (hint: Hint) => void,
  signal: AbortSignal,
): void {
  const { broker, backend, transport, commandTimeoutMs } = options;
  const events = subscribe(broker, {
    commandTimeoutMs,
    name: "beat-events",
    patterns: eventPatterns(broker, transport),
    onMessage: (_channel, text) => decodeEvents(text).forEach(onHint),
    onLine: (isUp) => onHint({ kind: "line", isUp }),
  }, signal);
  void keepAlive(events, signal);
  if (backend === null) return;
  const prefix = `${transport.resultKeyPrefix}celery-task-meta-`;
  const results = subscribe(backend, {
    commandTimeoutMs,
    name: "beat-result-hints",
    patterns: [`${escapeGlob(prefix)}*`],
    onMessage: (channel) => onHint({ kind: "result", taskId: channel.slice(prefix.length) }),
    onLine: () => {},
  }, signal);
  void keepAlive(results, signal);
}

/** Under Sentinel, Kombu before 5.4 forgot to put the database's number in. */
function eventPatterns(broker: RedisEndpoint, { globalKeyPrefix }: Transport): string[] {
  const prefix = escapeGlob(globalKeyPrefix);
  const named = `${prefix}/${broker.database}.celeryev/*`;
  return broker.sentinelMaster === null ? [named] : [named, `${prefix}/{db}.celeryev/*`];
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, "\\$&");
}

interface Subscription {
  readonly commandTimeoutMs: number;
  readonly name: string;
  readonly patterns: readonly string[];
  readonly onMessage: (channel: string, text: string) => void;
  readonly onLine: (isUp: boolean) => void;
}

/** A connection of its own: it can do nothing else. Subscribes anew each time that it comes back. */
function subscribe(endpoint: RedisEndpoint, wanted: Subscription, signal: AbortSignal): Redis {
  const { commandTimeoutMs, name, patterns, onMessage, onLine } = wanted;
  const client = connect(endpoint, { commandTimeoutMs, name });
  client.on("ready", () => {
    client.psubscribe(...patterns).then(() => onLine(true)).catch(() => client.disconnect(true));
  });
  client.on("close", () => onLine(false));
  client.on("pmessage", (_pattern, channel: string, text: string) => {
    if (!signal.aborted) onMessage(channel, text);
  });
  const end = () => client.disconnect();
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
  return client;
}

/** A dead connection looks just like workers that say nothing, and those count as gone after a while. */
async function keepAlive(client: Redis, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await systemClock.sleep(PING_MS, signal);
    if (signal.aborted || client.status !== "ready") continue;
    await client.ping().catch(() => {
      if (!signal.aborted) client.disconnect(true);
    });
  }
}
