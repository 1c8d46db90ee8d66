/** Questions to a long journal: the whole process of `beat audit` and of SQL, as a person waits for it. */

import { startRedis } from "../support/redis_server.ts";
import { writeJournal } from "./audit_journal.ts";
import { residentPeakMiB } from "./bench_beat.ts";
import type { Figures } from "./scenarios.ts";

const ROWS = 1_000_000;
const RUNS = 3;
const PROJECT = new URL("../../", import.meta.url).pathname;

/** A million rows, and a tenth of them: memory must not follow. */
export async function audit(): Promise<Figures> {
  const large = await auditOf(ROWS);
  const small = await auditOf(ROWS / 10);
  return {
    ...large,
    "peak resident, a tenth of the rows": small["peak resident"]!,
  };
}

async function auditOf(rows: number): Promise<Figures> {
  const redis = await startRedis();
  try {
    const journal = await writeJournal(redis.client(), rows);
    const runs = [];
    const questions = [];
    const starts = [];
    const empty = new URL("/1", redis.url).href;
    for (let each = 0; each < RUNS; each++) {
      runs.push(await runBeat(redis.url, "beat", auditArgs(journal)));
      questions.push(await runBeat(redis.url, "sql", SQL_ARGS));
      starts.push(await runBeat(empty, "sql", SQL_ARGS));
    }
    const fastest = runs.reduce((one, other) => one.wallMs < other.wallMs ? one : other);
    const walls = (each: readonly Run[]) =>
      each.map(({ wallMs }) => `${(wallMs / 1_000).toFixed(1)} s`).join(", ");
    return {
      "rows": journal.rows.toLocaleString("en-US"),
      "fires": journal.fires.toLocaleString("en-US"),
      "beat audit --verify, each run": walls(runs),
      "beat audit sql, each run": walls(questions),
      "  of an empty journal: its start": walls(starts),
      "rows each second": Math.round(journal.rows / fastest.wallMs * 1_000).toLocaleString("en-US"),
      "peak resident": `${Math.round(Math.max(...runs.map(({ peakMiB }) => peakMiB)))} MiB`,
    };
  } finally {
    await redis.stop();
  }
}

interface Run {
  readonly wallMs: number;
  readonly peakMiB: number;
}

function auditArgs({ fromMs, toMs }: { fromMs: number; toMs: number }): string[] {
  const [since, until] = [fromMs, toMs].map((ms) => new Date(ms).toISOString());
  return ["audit", "--verify", "--json", "--since", since!, "--until", until!];
}

const SQL_ARGS = [
  ...["audit", "sql"],
  "select task, count(*) as runs, median(runtime_ms) as p50, max(late_ms) as latest " +
  "from fires group by task order by p50 desc limit 10",
];

/** @throws {Error} when the audit finds anything: the journal is a clean one */
async function runBeat(url: string, permissions: string, args: readonly string[]): Promise<Run> {
  const startedMs = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-prompt", `-P=${permissions}`, "src/main.ts", ...args],
    cwd: PROJECT,
    env: { CELERY_BROKER_URL: url, MINSY_ENV_FILES: "" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let peakMiB = 0;
  const watch = setInterval(() => peakMiB = Math.max(peakMiB, residentPeakMiB(child.pid)), 100);
  const text = await new Response(child.stdout).text();
  const { code } = await child.status;
  clearInterval(watch);
  const wallMs = performance.now() - startedMs;
  if (code !== 0) throw new Error(`expected 0, got ${code}: ${text.slice(0, 500)}`);
  return { wallMs, peakMiB };
}
