/** What workers and the result backend say over pub/sub. It may get lost; nothing depends on it. */

import type { Redis } from "ioredis";
import { decodeEvents } from "../celery/worker_event.ts";
import { systemClock, waitFor } from "../clock.ts";
import { JournalUnavailableError } from "../errors.ts";
import type { Hint } from "../sensors.ts";
import type { RedisEndpoint, Transport } from "../settings.ts";
import { ask, connect } from "./client.ts";

/** How often a connection that only listens is asked whether it still stands. Milliseconds. */
const PING_MS = 1_000;
/** Who may not listen may be allowed to later: until then, asked again after this. Milliseconds. */
const REFUSED_MS = 60_000;

export interface ListenOptions {
  readonly broker: RedisEndpoint;
  /** `null` where results are not in a Redis. */
  readonly backend: RedisEndpoint | null;
  readonly transport: Transport;
  /** @see `ConnectOptions` */
  readonly commandTimeoutMs: number;
  /** Called once for what this Redis user may not listen to. */
  readonly onRefused?: (what: string, error: JournalUnavailableError) => void;
}

/** Calls `onHint` until `signal` is aborted. */
export function listenTo(
  options: ListenOptions,
  onHint: (hint: Hint) => void,
  signal: AbortSignal,
): void {
  const { broker, backend, transport, commandTimeoutMs, onRefused = () => {} } = options;
  const events = subscribe(broker, {
    ...{ commandTimeoutMs, onRefused, what: "events of workers" },
    name: "beat-events",
    patterns: eventPatterns(broker, transport),
    onMessage: (_channel, text) => decodeEvents(text).forEach(onHint),
    onLine: (isUp) => onHint({ kind: "line", isUp }),
  }, signal);
  void keepAlive(events, signal);
  if (backend === null) return;
  const prefix = `${transport.resultKeyPrefix}celery-task-meta-`;
  const results = subscribe(backend, {
    ...{ commandTimeoutMs, onRefused, what: "results as they come" },
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

interface Subscription extends Pick<Required<ListenOptions>, "commandTimeoutMs" | "onRefused"> {
  readonly name: string;
  /** What is listened to, for people. */
  readonly what: string;
  readonly patterns: readonly string[];
  readonly onMessage: (channel: string, text: string) => void;
  readonly onLine: (isUp: boolean) => void;
}

/** A connection of its own: it can do nothing else. Subscribes anew each time that it comes back. */
function subscribe(endpoint: RedisEndpoint, wanted: Subscription, signal: AbortSignal): Redis {
  const { commandTimeoutMs, name, what, patterns, onMessage, onLine, onRefused } = wanted;
  const client = connect(endpoint, { commandTimeoutMs, name });
  let isRefused = false;
  const listen = async (line: AbortSignal): Promise<void> => {
    while (!line.aborted) {
      try {
        await ask(client, () => client.psubscribe(...patterns));
        isRefused = false;
        return onLine(true);
      } catch (error) {
        if (line.aborted) return;
        const isFinal = error instanceof JournalUnavailableError && error.retry === "fatal";
        if (!isFinal) return client.disconnect(true);
        if (!isRefused) onRefused(what, error);
        isRefused = true;
        await waitFor(systemClock, REFUSED_MS, line);
      }
    }
  };
  let line = new AbortController();
  client.on("ready", () => {
    line = new AbortController();
    void listen(AbortSignal.any([signal, line.signal]));
  });
  client.on("close", () => {
    line.abort();
    onLine(false);
  });
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
