/** What Sentinel adds to a connection: where the master is, and word of another one at once. */

import type { RedisOptions } from "ioredis";
import { Redis } from "ioredis";
import type { RedisEndpoint } from "../settings.ts";

const SWITCH = "+switch-master";
/** A sentinel that is away is asked again after this; the others tell meanwhile. Milliseconds. */
const RECONNECT_MS = 5_000;

/** Options of a connection to the master that the sentinels name. */
export function sentinelOptions(
  endpoint: RedisEndpoint,
  { commandTimeoutMs, retryStrategy }: {
    commandTimeoutMs: number;
    retryStrategy: (attempt: number) => number;
  },
): RedisOptions {
  return {
    sentinels: endpoint.hosts.map(({ host, port }) => ({ host, port })),
    name: endpoint.sentinelMaster!,
    ...(endpoint.sentinelPassword === null ? {} : { sentinelPassword: endpoint.sentinelPassword }),
    role: "master",
    sentinelRetryStrategy: retryStrategy,
    // Without it, one sentinel that takes connections and says nothing would be waited for for ever.
    sentinelCommandTimeout: commandTimeoutMs,
    // As Celery does: TLS is for the master; the sentinels are asked in the clear.
    enableTLSForSentinelMode: endpoint.tls !== null,
  };
}

/**
 * Moves `client` when the sentinels have chosen another master, until `client` is closed. Else it
 * would go on with the old one until that is told, and what is written there is lost.
 *
 * The client's own detector is not used: it ends a connection for good that is just being made.
 */
export function followMaster(client: Redis, endpoint: RedisEndpoint, commandTimeoutMs: number) {
  const watchers = endpoint.hosts.map(({ host, port }) =>
    watchSwitch(client, {
      ...{ host, port },
      ...(endpoint.sentinelPassword === null ? {} : { password: endpoint.sentinelPassword }),
      connectTimeout: commandTimeoutMs,
    }, endpoint.sentinelMaster!)
  );
  client.once("end", () => watchers.forEach((watcher) => watcher.disconnect()));
}

function watchSwitch(client: Redis, options: RedisOptions, master: string): Redis {
  const watcher = new Redis({
    ...options,
    disableClientInfo: true,
    enableReadyCheck: false,
    retryStrategy: () => RECONNECT_MS,
  });
  // Who asks for the master is told what is wrong with a sentinel.
  watcher.on("error", () => {});
  watcher.on("ready", () => watcher.subscribe(SWITCH).catch(() => {}));
  watcher.on("message", (_channel, text: string) => {
    const [name, , , host, port] = text.split(" ");
    if (name === master && !leadsTo(client, host!, Number(port))) reconnect(client);
  });
  return watcher;
}

/** Each sentinel tells of a switch: where the first has moved the client, the others need not. */
function leadsTo({ status, stream }: Redis, host: string, port: number): boolean {
  return status === "ready" && stream.remoteAddress === host && stream.remotePort === port;
}

/** Not while it is connecting: it asks the sentinels anyway, and would take it for its end. */
function reconnect(client: Redis): void {
  if (client.status === "ready") client.disconnect(true);
  else if (client.status === "reconnecting") client.connect().catch(() => {});
}

/** What is wrong with the sentinels, where the client says only that none helps. @param last of them */
export function sentinelTrouble(error: Error, last: Error | null, master: string): Error {
  if (!error.message.startsWith("All sentinels are unreachable")) return error;
  // They answered, and the master that they name did not.
  if (last === null) return new Error(`the master "${master}" that the sentinels name is away`);
  const [, address, why] = /sentinel (\S+) (?:because |successfully, but )(.*)$/s
    .exec(last.message) ?? [];
  if (address === undefined || why === undefined) return last;
  if (/No such master|invalid reply/.test(why)) {
    return new Error(`sentinel ${address} knows no master "${master}"`);
  }
  return new Error(`sentinel ${address}: ${SILENCE.get(why) ?? why}`);
}

/** The client's own words for it, which say nothing. */
const SILENCE: ReadonlyMap<string, string> = new Map([
  ["Connection is closed.", "it cannot be reached"],
  ["Command timed out", "it takes connections and does not answer"],
]);
