/** The audit of a long journal: the whole process of `beat audit`, as a person waits for it. */

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
    for (let each = 0; each < RUNS; each++) runs.push(await runAudit(redis.url, journal));
    const fastest = runs.reduce((one, other) => one.wallMs < other.wallMs ? one : other);
    const walls = runs.map(({ wallMs }) => `${(wallMs / 1_000).toFixed(1)} s`);
    return {
      "rows": journal.rows.toLocaleString("en-US"),
      "fires": journal.fires.toLocaleString("en-US"),
      "beat audit --verify, each run": walls.join(", "),
      "rows each second": Math.round(journal.rows / fastest.wallMs * 1_000).toLocaleString("en-US"),
      "peak resident": `${Math.round(Math.max(...runs.map(({ peakMiB }) => peakMiB)))} MiB`,
    };
  } finally {
    await redis.stop();
  }
}

/** @throws {Error} when it finds anything: the journal is a clean one */
async function runAudit(
  url: string,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<{ wallMs: number; peakMiB: number }> {
  const window = [
    "--since",
    new Date(fromMs).toISOString(),
    "--until",
    new Date(toMs).toISOString(),
  ];
  const startedMs = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-P=beat", "src/main.ts", "audit", "--verify", "--json", ...window],
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
  if (code !== 0) throw new Error(`expected no finding, got ${code}: ${text.slice(0, 500)}`);
  return { wallMs, peakMiB };
}
