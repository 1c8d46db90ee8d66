/** What a configuration amounts to: how to reach Redis, and how this replica behaves. Plain data. */

import type { LevelSettings } from "./level.ts";
import type { Task } from "./task.ts";

/** One Redis, as Celery users name it: `redis://`, `rediss://`, `redis+socket://` or `sentinel://`. */
export interface RedisEndpoint {
  /** Hosts in order; more than one only for Sentinel. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** The path of a Unix socket, instead of hosts. */
  readonly socketPath: string | null;
  readonly database: number;
  readonly username: string | null;
  readonly password: string | null;
  /** `null` for a plain connection. */
  readonly tls: {
    readonly caFile: string | null;
    readonly certFile: string | null;
    readonly keyFile: string | null;
    /** `ssl_cert_reqs=none` switches it off. */
    readonly isVerified: boolean;
  } | null;
  /** The name of the master where the hosts are sentinels, else `null`. */
  readonly sentinelMaster: string | null;
  readonly sentinelPassword: string | null;
}

/** Celery's Redis settings that decide where its keys are (`broker_transport_options`). */
export interface Transport {
  readonly globalKeyPrefix: string;
  /** Stands between a queue and its priority step. */
  readonly sep: string;
  readonly prioritySteps: readonly number[];
  readonly visibilityTimeoutMs: number;
  readonly unackedKey: string;
  readonly unackedIndexKey: string;
  /** `result_backend_transport_options.global_keyprefix`, as it stands before `celery-task-meta-`. */
  readonly resultKeyPrefix: string;
}

/** How long rows stay in Redis, and where they go then. */
export interface JournalSettings {
  readonly keepMs: number;
  /** Of the stream in Redis. */
  readonly maxBytes: number;
  /** A directory; relative to the working directory. */
  readonly archive: string;
}

/** What is left of a lease is never more, but where the server's clock was set back. Milliseconds. */
export const LEASE_MAX_MS = 300_000;

export interface Settings {
  readonly profile: "dev" | "test" | "prod";
  /** `null` where none is configured: only profile `dev` can embed one. */
  readonly broker: RedisEndpoint | null;
  /** `null` where results are not in a Redis. */
  readonly backend: RedisEndpoint | null;
  readonly transport: Transport;
  /** The first part of each of Beat's keys. */
  readonly namespace: string;
  readonly leaseMs: number;
  readonly journal: JournalSettings;
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "fatal";
  /** `auto`: readable on a terminal, JSON elsewhere. */
  readonly logFormat: "auto" | "json" | "text";
  /** `CELERY_TIMEZONE`: the zone of triggers that name none. */
  readonly timezone: string;
}

/** A loaded configuration. */
export interface Config {
  readonly settings: Settings;
  /** Tasks that are on, in the order of declaration. */
  readonly tasks: readonly Task[];
  readonly levels: LevelSettings;
  /** Entries that are off, and the switch that turned each off. */
  readonly off: readonly { readonly name: string; readonly by: string }[];
  /** Things that are allowed but deserve a word at start, such as an hourly interval without phase. */
  readonly hints: readonly string[];
  /** The files that were read, in order; watched for changes. */
  readonly files: readonly string[];
  /** Those of them that say something. */
  readonly written: readonly string[];
}

/** `redis://host:6379/0`, without name or password, for people to read. */
export function describeEndpoint(endpoint: RedisEndpoint): string {
  const scheme = endpoint.sentinelMaster !== null
    ? "sentinel"
    : endpoint.tls !== null
    ? "rediss"
    : "redis";
  const where = endpoint.socketPath ??
    endpoint.hosts.map(({ host, port }) => `${host}:${port}`).join(",");
  const master = endpoint.sentinelMaster === null ? "" : ` (master ${endpoint.sentinelMaster})`;
  return `${scheme}://${where}/${endpoint.database}${master}`;
}
