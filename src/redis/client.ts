/**
 * The connection to Redis. It comes back by itself, but repeats nothing: a command either has its
 * answer or fails, and who asked decides. No command waits for a connection.
 */

import { readFileSync } from "node:fs";
import type { RedisOptions } from "ioredis";
import { Redis } from "ioredis";
import { ConfigError } from "../errors.ts";
import type { RedisEndpoint } from "../settings.ts";
import { describeEndpoint } from "../settings.ts";
import {
  isConsequence,
  isForAnotherServer,
  isTimeout,
  unavailable,
  withoutArguments,
} from "./errors.ts";
import { followMaster, sentinelOptions, sentinelTrouble } from "./sentinels.ts";

/** As much of a pino logger as a connection needs. */
export interface ConnectionLog {
  warn(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
}

export interface ConnectOptions {
  /** A command without an answer for so long has failed. Keep it below half the lease. */
  readonly commandTimeoutMs: number;
  /** Shown by CLIENT LIST; no spaces. */
  readonly name: string;
  readonly log?: ConnectionLog;
  /** Subscribe again after a lost connection. @default false */
  readonly isResubscribing?: boolean;
}

/** At most five tries a second, then slower. */
const RECONNECT_MIN_MS = 200;
const RECONNECT_MAX_MS = 2_000;
/** How long a dead connection may take to say goodbye before it is cut. */
const GOODBYE_MS = 100;
const KEEP_ALIVE_MS = 10_000;
const SILENT = "it takes connections and does not answer";

interface Line {
  readonly where: string;
  /** Why the connection is down; `null` while it is up or was never tried. */
  lastError: Error | null;
  /** The master's name, where sentinels are asked for it. */
  readonly master: string | null;
}
const lines = new WeakMap<Redis, Line>();

/**
 * Starts connecting and returns at once; {@link untilReady} waits for the first success.
 * @param create makes the client; a simulated world has another
 * @throws {ConfigError} when a certificate cannot be read
 */
export function connect(
  endpoint: RedisEndpoint,
  options: ConnectOptions,
  create: (options: RedisOptions) => Redis = (options) => new Redis(options),
): Redis {
  const client = create(redisOptions(endpoint, options));
  const master = endpoint.sentinelMaster;
  watch(client, { where: describeEndpoint(endpoint), lastError: null, master }, options.log);
  if (master !== null) followMaster(client, endpoint, options.commandTimeoutMs);
  return client;
}

/**
 * Resolves once commands can be sent.
 * @throws {JournalUnavailableError} when `signal` is aborted before; it says why the connection failed
 */
export function untilReady(client: Redis, signal: AbortSignal): Promise<void> {
  if (isUsable(client)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const finish = () => {
      client.off("ready", finish);
      client.off("end", finish);
      signal.removeEventListener("abort", finish);
      if (isUsable(client)) resolve();
      else {
        const isSilent = client.status === "connect";
        const error = new Error(isSilent ? SILENT : "not connected");
        reject(unavailable(error, whereOf(client), lastErrorOf(client)));
      }
    };
    client.on("ready", finish);
    client.on("end", finish);
    signal.addEventListener("abort", finish);
    if (signal.aborted || client.status === "end") finish();
  });
}

/**
 * Resolves once the first attempt to connect has ended, well or not, or `signal` is aborted: a question
 * before that would be refused although nothing is wrong.
 */
export function untilTried(client: Redis, signal: AbortSignal): Promise<void> {
  if (isUsable(client) || lastErrorOf(client) !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      for (const event of ["ready", "close", "end"]) client.off(event, finish);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    for (const event of ["ready", "close", "end"]) client.on(event, finish);
    signal.addEventListener("abort", finish);
    if (signal.aborted || client.status === "end") finish();
  });
}

/** A connection that is being given up still calls itself ready. */
export function isUsable(client: Redis): boolean {
  return client.status === "ready" && client.stream.writable;
}

/**
 * Puts one question to Redis.
 * @throws {JournalUnavailableError} for whatever goes wrong
 */
export async function ask<T>(client: Redis, question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    // A connection that does not answer is not trusted with the next question either.
    if (isTimeout(error) && client.status === "ready") client.disconnect(true);
    throw unavailable(error, whereOf(client), lastErrorOf(client) ?? notReady(client));
  }
}

/** Where `client` is connected to, for people; without a password. */
export function whereOf(client: Redis): string {
  const { host, port, path } = client.options;
  return lines.get(client)?.where ?? path ?? `${host}:${port}`;
}

function lastErrorOf(client: Redis): Error | null {
  return lines.get(client)?.lastError ?? null;
}

/** Connected, but the client has found it busy loading, and says so to nobody. */
function notReady(client: Redis): Error | null {
  if (client.status !== "connect") return null;
  const error = new Error("LOADING it takes connections, but is not ready");
  return Object.assign(error, { name: "ReplyError" });
}

function redisOptions(endpoint: RedisEndpoint, options: ConnectOptions): RedisOptions {
  const { commandTimeoutMs, name, isResubscribing = false } = options;
  const retryStrategy = (attempt: number) =>
    Math.min(RECONNECT_MIN_MS * 2 ** Math.min(attempt - 1, 10), RECONNECT_MAX_MS);
  return {
    ...addressOf(endpoint, { commandTimeoutMs, retryStrategy }),
    db: endpoint.database,
    ...(endpoint.username === null ? {} : { username: endpoint.username }),
    ...(endpoint.password === null ? {} : { password: endpoint.password }),
    ...(endpoint.tls === null ? {} : { tls: tlsOf(endpoint.tls) }),
    connectionName: name,
    disableClientInfo: true,
    commandTimeout: commandTimeoutMs,
    connectTimeout: commandTimeoutMs,
    disconnectTimeout: GOODBYE_MS,
    keepAlive: KEEP_ALIVE_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    maxLoadingRetryTime: RECONNECT_MIN_MS,
    autoResubscribe: isResubscribing,
    reconnectOnError: isForAnotherServer,
    retryStrategy,
  };
}

function addressOf(
  endpoint: RedisEndpoint,
  { commandTimeoutMs, retryStrategy }: Parameters<typeof sentinelOptions>[1],
): RedisOptions {
  if (endpoint.socketPath !== null) return { path: endpoint.socketPath };
  if (endpoint.sentinelMaster === null) return { ...endpoint.hosts[0] };
  return sentinelOptions(endpoint, { commandTimeoutMs, retryStrategy });
}

/** The client takes the options anew for each connection, and certificates are renewed beneath it. */
function tlsOf(tls: NonNullable<RedisEndpoint["tls"]>): NonNullable<RedisOptions["tls"]> {
  const files = [
    ["ca", "ssl_ca_certs", tls.caFile],
    ["cert", "ssl_certfile", tls.certFile],
    ["key", "ssl_keyfile", tls.keyFile],
  ] as const;
  const options = { rejectUnauthorized: tls.isVerified };
  for (const [option, parameter, path] of files) {
    if (path === null) continue;
    const get = latest(() => certificate(parameter, path));
    Object.defineProperty(options, option, { enumerable: true, get });
  }
  return options;
}

/** What `read` returned last: a file that is just being replaced does not end a connection for good. */
function latest<T>(read: () => T): () => T {
  let last = read();
  return () => {
    try {
      last = read();
    } catch {
      // It is read again at the next connection.
    }
    return last;
  };
}

function certificate(parameter: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const got = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{
      where: parameter,
      message: `expected a readable PEM file, got ${path}: ${got}`,
    }]);
  }
}

/** Says once that a connection is down, and once that it is back; keeps the reason in between. */
function watch(client: Redis, line: Line, log: ConnectionLog | undefined): void {
  lines.set(client, line);
  let sentinelError: Error | null = null;
  client.on("sentinelError", (error: Error) => sentinelError = error);
  client.on("error", (said: Error & { command?: { name: string } }) => {
    const refused = said.command?.name;
    withoutArguments(said);
    const error = line.master === null ? said : sentinelTrouble(said, sentinelError, line.master);
    if (isConsequence(error) && line.lastError !== null) return;
    const isNews = line.lastError?.message !== error.message;
    line.lastError = error;
    if (isNews) log?.warn({ redis: line.where, err: error }, "Redis connection failed");
    // Without its SELECT, the connection would go on in database 0: somebody else's.
    if (refused === "select") client.stream.destroy();
  });
  client.on("ready", () => {
    if (line.lastError !== null) log?.info({ redis: line.where }, "Redis connection is back");
    line.lastError = null;
    sentinelError = null;
  });
}
