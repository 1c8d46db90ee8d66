/** Beat and its Redis as processes under measurement. Linux only: it reads /proc. */

import type { Redis } from "ioredis";
import { startRedis } from "../support/redis_server.ts";

export interface Rig {
  readonly url: string;
  readonly client: Redis;
  readonly pids: { readonly beat: number; readonly redis: number };
  /** From the start of the process to its first fire. Milliseconds. */
  readonly readyMs: number;
  /** Ends Beat, lets something happen to Redis, and starts Beat again. */
  interrupt(meanwhile: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

/** What a process has used. */
export interface Usage {
  /** User and system time. Milliseconds. */
  readonly cpuMs: number;
  readonly residentMiB: number;
}

const TICK_MS = 10;
const PROJECT = new URL("../../", import.meta.url).pathname;
const OFF = {
  POSTGRES_BACKUP_ENABLED: "false",
  USER_EMAIL_CSV_EXPORT_ENABLED: "false",
  BACKTEST_STALE_JOB_CLEANUP_ENABLED: "false",
  PAPER_TRADING_ENABLED: "false",
  NOTIFICATIONS_ENABLED: "false",
  TRADING_APPROVAL_ENABLED: "false",
};

/**
 * Starts a private Redis (append-only file, fsync every second) and Beat on it.
 * @param tasks entries of `beat.yaml`
 */
export async function startRig(tasks: Readonly<Record<string, unknown>>): Promise<Rig> {
  const redis = await startRedis({ isPersistent: true, fsync: "everysec" });
  const config = `${redis.dir}/beat.yaml`;
  await Deno.writeTextFile(config, JSON.stringify({ version: 1, tasks }));
  const client = redis.client();
  const startBeat = async () => {
    const startedMs = performance.now();
    const child = spawnBeat({ CELERY_BROKER_URL: redis.url, BEAT_CONFIG: config });
    const ended = child.status.then(({ code }) => {
      throw new Error(`expected Beat to run, but it ended with ${code}`);
    });
    await Promise.race([firstFire(client, await lastId(client)), ended]);
    ended.catch(() => {});
    return { child, readyMs: performance.now() - startedMs };
  };
  let beat = await startBeat();
  const endBeat = async () => {
    beat.child.kill("SIGTERM");
    await beat.child.status;
  };
  return {
    url: redis.url,
    client,
    get pids() {
      return { beat: beat.child.pid, redis: redis.pid };
    },
    get readyMs() {
      return beat.readyMs;
    },
    async interrupt(meanwhile) {
      await endBeat();
      await meanwhile();
      beat = await startBeat();
    },
    async stop() {
      await endBeat();
      await redis.stop();
    },
  };
}

function spawnBeat(env: Readonly<Record<string, string>>): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-P=beat", "src/main.ts", "run"],
    cwd: PROJECT,
    env: { ...OFF, MINSY_ENV_FILES: "", BEAT_LOG_LEVEL: "error", ...env },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
}

/** Waits until something was published. */
async function firstFire(client: Redis, fromId: string): Promise<void> {
  for (let from = fromId;;) {
    const reply = await client.xread("BLOCK", 60_000, "STREAMS", "beat:journal", from);
    if (reply === null) throw new Error("expected a fire within a minute of the start");
    for (const [, entries] of reply) {
      for (const [id, fields] of entries) {
        if (fields[fields.indexOf("t") + 1] === "p") return;
        from = id;
      }
    }
  }
}

export function usageOf(pid: number): Usage {
  const stat = procFile(pid, "stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const status = procFile(pid, "status");
  const resident = /VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? "0";
  return {
    cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    residentMiB: Number(resident) / 1024,
  };
}

/** The most memory that a process has had; 0 where it has ended. */
export function residentPeakMiB(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(procFile(pid, "status"))?.[1] ?? "0") / 1024;
}

/** Deno itself reads /proc only where it may do everything. */
function procFile(pid: number, name: string): string {
  const { stdout } = new Deno.Command("cat", { args: [`/proc/${pid}/${name}`] }).outputSync();
  return new TextDecoder().decode(stdout);
}

export interface BenchRow {
  /** The server's time. */
  readonly atMs: number;
  readonly dueMs: number;
  readonly task: string;
}

/** Rows of one wire type since `fromId`. */
export async function rowsSince(
  client: Redis,
  fromId: string,
  wireType: string,
): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (let from = `(${fromId}`;;) {
    const page = await client.xrange("beat:journal", from, "+", "COUNT", 5_000);
    for (const [id, fields] of page) {
      const value = (name: string) => fields[fields.indexOf(name) + 1]!;
      if (value("t") !== wireType) continue;
      rows.push({ atMs: parseInt(id), dueMs: Number(value("d")), task: value("k") });
    }
    if (page.length < 5_000) return rows;
    from = `(${page.at(-1)![0]}`;
  }
}

/** The id of the journal's newest entry. */
export async function lastId(client: Redis): Promise<string> {
  return (await client.xrevrange("beat:journal", "+", "-", "COUNT", 1))[0]?.[0] ?? "0-0";
}

export function quantiles(values: readonly number[]): { p50: number; p99: number; max: number } {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

export const pause = (durationMs: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, durationMs));
