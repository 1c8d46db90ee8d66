/** What is measured: each scenario starts its own Redis and its own Beat. */

import { Redis } from "ioredis";
import type { BenchRow, Rig } from "./bench_beat.ts";
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

/** A demand that is met, as on a busy day: all of it at one instant, and even over the second. */
export async function lateness(seconds: number): Promise<Figures> {
  const figures = (window: Window) => ({
    "fires due each second": "1000",
    ...ratesOf(window),
    ...latenessFigures(window.fires),
    ...usageFigures(window),
  });
  const crowd = await measured(many(1_000, { every: 1 }), seconds, figures);
  const even = await measured(many(1_000, { every: 1, phase: "auto" }), seconds, figures);
  return { ...titled("at one instant", crowd), ...titled("phase auto", even) };
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

/** An hour in the dark; what is on time goes out meanwhile. */
export async function backlog(): Promise<Figures> {
  const latest = await darkHour("latest");
  const all = await darkHour({ policy: "all", window: "2h", cap: 20 });
  return { ...titled("latest", latest), ...titled("all, cap 20", all) };
}

const HOUR_MS = 3_600_000;

async function darkHour(catchup: unknown): Promise<Figures> {
  const late = many(10_000, { every: 10, catchup });
  const prompt = Object.fromEntries(
    Object.entries(many(20, { every: 1, queue: "prompt" })).map((
      [name, task],
    ) => [`p${name}`, task]),
  );
  const rig = await startRig({ ...late, ...prompt });
  try {
    let fromId = "";
    await rig.interrupt(async () => {
      const cursors = Object.entries(await rig.client.hgetall("beat:cursors"))
        .filter(([task]) => task in late)
        .map(([task, text]): [string, string] => {
          const [dueMs, revision] = text.split(" ");
          return [task, `${Number(dueMs) - HOUR_MS} ${revision}`];
        });
      await rig.client.hset("beat:cursors", new Map(cursors));
      fromId = await lastId(rig.client);
    });
    await pause(12_000);
    return await darkFigures(rig, fromId);
  } finally {
    await rig.stop();
  }
}

async function darkFigures(rig: Rig, fromId: string): Promise<Figures> {
  const [started] = await rowsSince(rig.client, fromId, "term.started");
  const fires = await rowsSince(rig.client, fromId, "p");
  const dropped = await rowsSince(rig.client, fromId, "task.dropped");
  const atMs = started!.atMs;
  const old = [...fires, ...dropped].filter(({ task, dueMs }) => task[0] === "b" && dueMs <= atMs);
  const prompt = fires.filter(({ task, dueMs }) => task[0] === "p" && dueMs > atMs);
  const lastMs = old.reduce((last, row) => Math.max(last, row.atMs), 0);
  return {
    "fires due in the dark": (10_000 * HOUR_MS / 10_000).toLocaleString("en-US"),
    "tasks decided": String(new Set(old.map(({ task }) => task)).size),
    "rows that decided them": String(old.length),
    "decided after the term began": `${lastMs - atMs} ms`,
    "new fires of other tasks, lateness p50 / p99 / max": spanOf(prompt),
    "new fires of other tasks": String(prompt.length),
    "Beat resident": `${Math.round(usageOf(rig.pids.beat).residentMiB)} MiB`,
  };
}

function titled(title: string, figures: Figures): Figures {
  const entries = Object.entries(figures);
  return Object.fromEntries(entries.map(([name, value]) => [`${title}: ${name}`, value]));
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
  readonly fires: readonly BenchRow[];
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

function many(count: number, own: Record<string, unknown>): Record<string, unknown> {
  const task = { task: "bench.noop", queue: QUEUE, ...own };
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
