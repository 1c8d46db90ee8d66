/** A Redis, a folder with a configuration, and Beats that run on them: what end-to-end tests begin with. */

import type { Redis } from "ioredis";
import type { Entry, JournalReader } from "./oracle.ts";
import { dueTimes, journalReader } from "./oracle.ts";
import type { RedisServer, RedisServerOptions } from "./redis_server.ts";
import { startRedis } from "./redis_server.ts";
import type { RunningBeat } from "./running_beat.ts";
import { runBeat } from "./running_beat.ts";
import { until } from "./until.ts";

/** The seven built-in entries, off. */
export const SEVEN_OFF: Readonly<Record<string, string>> = {
  POSTGRES_BACKUP_ENABLED: "false",
  USER_EMAIL_CSV_EXPORT_ENABLED: "false",
  BACKTEST_STALE_JOB_CLEANUP_ENABLED: "false",
  PAPER_TRADING_ENABLED: "false",
  NOTIFICATIONS_ENABLED: "false",
  TRADING_APPROVAL_ENABLED: "false",
};

/** Sends all that was missed, however long that was. */
export const ALL = "defaults: { catchup: { policy: all, window: 1h, cap: 100000 } }";

export interface StageOptions {
  readonly redis?: RedisServerOptions;
  /** What follows `version: 1` in `env/beat.yaml`. */
  readonly yaml: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Stage {
  readonly redis: RedisServer;
  /** Sees what Redis holds, past Beat. */
  readonly client: Redis;
  readonly journal: JournalReader;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Starts a Beat on it; `close` ends those that are left. */
  beat(env?: Readonly<Record<string, string>>, args?: readonly string[]): RunningBeat;
  writeYaml(yaml: string): Promise<void>;
  /** Waits until every due time of `entries` up to `untilMs` has been decided. */
  decided(entries: readonly Entry[], untilMs: number, timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

export async function openStage({ redis: options, yaml, env = {} }: StageOptions): Promise<Stage> {
  const redis = await startRedis(options);
  const cwd = await Deno.makeTempDir({ prefix: "beat-stage-" });
  await Deno.mkdir(`${cwd}/env`);
  const writeYaml = (text: string) =>
    Deno.writeTextFile(`${cwd}/env/beat.yaml`, `version: 1\n${text}\n`);
  await writeYaml(yaml);
  const client = redis.client();
  const beats: RunningBeat[] = [];
  const all = { CELERY_BROKER_URL: redis.url, CELERY_RESULT_BACKEND: redis.url, ...env };
  return {
    redis,
    client,
    journal: journalReader(client),
    cwd,
    env: all,
    beat(more = {}, args = ["run"]) {
      const beat = runBeat({ args, cwd, env: { ...all, ...more } });
      beats.push(beat);
      return beat;
    },
    writeYaml,
    decided: (entries, untilMs, timeoutMs = 30_000) =>
      until(async () => {
        const cursors = await client.hgetall("beat:cursors");
        return entries.every(({ name, everyS }) => {
          // Long enough before to hold one due time at least.
          const fromMs = untilMs - Math.ceil(Number(everyS) * 1_000) - 1;
          const last = dueTimes(everyS, fromMs, untilMs).at(-1)!;
          return Number(cursors[name]?.split(" ")[0]) >= last;
        });
      }, timeoutMs),
    async close() {
      await Promise.all(beats.map((beat) => beat.kill()));
      await redis.stop();
      await Deno.remove(cwd, { recursive: true });
    },
  };
}

/** Tasks of one queue, each due so often. Seconds, as YAML has them. */
export function entriesEvery(...periodsS: readonly string[]): readonly Entry[] {
  return periodsS.map((everyS, index) => ({
    name: `task${index}`,
    celeryTask: "check.echo",
    queue: "queue",
    everyS,
  }));
}

/** Entries as `beat.yaml` declares them. */
export function yamlOf(entries: readonly (Entry & { readonly extra?: string })[]): string {
  return entries.map(({ name, celeryTask, queue, everyS, extra = "" }) =>
    `  ${name}: { task: ${celeryTask}, queue: ${queue}, every: ${everyS}${extra} }`
  ).join("\n");
}
