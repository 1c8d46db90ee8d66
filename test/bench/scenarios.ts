/** What is measured: each scenario starts its own Redis and its own Beat. */

import { Redis } from "ioredis";
import type { Rig } from "./bench_beat.ts";
import { lastId, pause, quantiles, rowsSince, startRig, usageOf } from "./bench_beat.ts";

/** Names of figures to what they came to, in the order to print them. */
export type Figures = Readonly<Record<string, string>>;

const QUEUE = "bench";

/** Demand far above what goes through, and nothing let go: the rate is Beat's and Redis' own. */
export async function limit(seconds: number): Promise<Figures> {
  const catchup = { policy: "all", window: "1d", cap: 100_000 };
  const tasks = many(20_000, { every: 0.1, catchup });
  return await measured(tasks, seconds, (window) => ({
    "fires due each second": "200000",
    ...ratesOf(window),
    ...usageFigures(window),
  }));
}

/** A demand at the first goal. */
export async function sustained(seconds: number): Promise<Figures> {
  return await measured(many(20_000, { every: 1 }), seconds, (window) => ({
    "fires due each second": "20000",
    ...ratesOf(window),
    ...latenessFigures(window.fires),
    ...usageFigures(window),
  }));
}

/** A demand that is met, as on a busy day. */
export async function lateness(seconds: number): Promise<Figures> {
  return await measured(many(1_000, { every: 1 }), seconds, (window) => ({
    "fires due each second": "1000",
    ...ratesOf(window),
    ...latenessFigures(window.fires),
    ...usageFigures(window),
  }));
}

/** All at once, six times a minute. */
export async function herd(seconds: number): Promise<Figures> {
  const count = 10_000;
  const tasks = many(count, { cron: "*/10 * * * * *" });
  return await measured(tasks, Math.max(seconds, 21), ({ fires }) => {
    const spans = [...Map.groupBy(fires, ({ dueMs }) => dueMs).values()]
      .filter((burst) => burst.length === count)
      .map((burst) => Math.max(...burst.map(({ atMs, dueMs }) => atMs - dueMs)));
    return {
      "tasks due at the same second": String(count),
      "whole bursts seen": String(spans.length),
      "last publish after the due time, worst burst": `${Math.max(...spans)} ms`,
      ...latenessFigures(fires),
    };
  });
}

/** Publishing with a consumer that takes and answers at once, as fast as one connection can. */
export async function acks(seconds: number): Promise<Figures> {
  const rig = await startRig(many(5_000, { every: 1 }));
  const stopped = new AbortController();
  const consuming = consume(rig.url, stopped.signal);
  try {
    await pause(3_000);
    const fromId = await lastId(rig.client);
    await pause(seconds * 1_000);
    const acked = await rowsSince(rig.client, fromId, "a");
    const fires = await rowsSince(rig.client, fromId, "p");
    return {
      "fires due each second": "5000",
      "fires published": `${rate(fires.length, seconds)}/s`,
      "fires acked": `${rate(acked.length, seconds)}/s`,
      "from due to acked": spanOf(acked),
      "Beat resident": `${Math.round(usageOf(rig.pids.beat).residentMiB)} MiB`,
    };
  } finally {
    stopped.abort();
    await consuming;
    await rig.stop();
  }
}

interface Window {
  readonly seconds: number;
  readonly fires: readonly { atMs: number; dueMs: number }[];
  readonly beatCpuMs: number;
  readonly redisCpuMs: number;
  readonly residentMiB: number;
  readonly readyMs: number;
}

async function measured(
  tasks: Readonly<Record<string, unknown>>,
  seconds: number,
  figures: (window: Window) => Figures,
): Promise<Figures> {
  const rig = await startRig(tasks);
  try {
    await pause(2_000); // The first fires compile what the later ones run.
    return figures(await windowOf(rig, seconds));
  } finally {
    await rig.stop();
  }
}

async function windowOf(rig: Rig, seconds: number): Promise<Window> {
  const fromId = await lastId(rig.client);
  const [beat, redis, startMs] = [
    usageOf(rig.pids.beat),
    usageOf(rig.pids.redis),
    performance.now(),
  ];
  await pause(seconds * 1_000);
  const [beatEnd, redisEnd] = [usageOf(rig.pids.beat), usageOf(rig.pids.redis)];
  const takenS = (performance.now() - startMs) / 1_000;
  const untilMs = parseInt(fromId) + takenS * 1_000;
  const rows = await rowsSince(rig.client, fromId, "p");
  return {
    seconds: takenS,
    fires: rows.filter(({ atMs }) => atMs <= untilMs),
    beatCpuMs: beatEnd.cpuMs - beat.cpuMs,
    redisCpuMs: redisEnd.cpuMs - redis.cpuMs,
    residentMiB: beatEnd.residentMiB,
    readyMs: rig.readyMs,
  };
}

function ratesOf({ fires, seconds, readyMs }: Window): Figures {
  return {
    "first fire after start of the process": `${Math.round(readyMs)} ms`,
    "fires published": `${rate(fires.length, seconds)}/s over ${seconds.toFixed(1)} s`,
  };
}

function usageFigures({ fires, beatCpuMs, redisCpuMs, residentMiB, seconds }: Window): Figures {
  const each = (cpuMs: number) => `${(cpuMs * 1_000 / fires.length).toFixed(1)} µs`;
  return {
    "CPU per fire, Beat": each(beatCpuMs),
    "CPU per fire, Redis": each(redisCpuMs),
    "Beat's share of a core": `${(beatCpuMs / seconds / 10).toFixed(1)} %`,
    "Beat resident": `${Math.round(residentMiB)} MiB`,
  };
}

function latenessFigures(fires: Window["fires"]): Figures {
  return { "lateness p50 / p99 / max": spanOf(fires) };
}

function spanOf(rows: Window["fires"]): string {
  const { p50, p99, max } = quantiles(rows.map(({ atMs, dueMs }) => atMs - dueMs));
  return `${p50} / ${p99} / ${max} ms`;
}

function rate(count: number, seconds: number): string {
  return Math.round(count / seconds).toLocaleString("en-US");
}

function many(count: number, trigger: Record<string, unknown>): Record<string, unknown> {
  const task = { task: "bench.noop", queue: QUEUE, ...trigger };
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`b${String(index).padStart(5, "0")}`, task]),
  );
}

async function consume(url: string, signal: AbortSignal): Promise<void> {
  const client = new Redis(url);
  while (!signal.aborted) {
    const messages = await client.rpop(QUEUE, 500);
    if (messages === null) {
      await pause(5);
      continue;
    }
    const done = new Date().toISOString().replace("Z", "000");
    const results = client.pipeline();
    for (const message of messages) {
      const { id } = JSON.parse(message).headers;
      const result = {
        status: "SUCCESS",
        result: null,
        traceback: null,
        children: [],
        date_done: done,
        task_id: id,
      };
      results.setex(`celery-task-meta-${id}`, 600, JSON.stringify(result));
    }
    await results.exec();
  }
  client.disconnect();
}
