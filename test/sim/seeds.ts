/** Runs many seeds, on several processes; a failing one is told, shrunk and kept. */

import type { PlanOptions } from "./plan.ts";
import { planOf } from "./plan.ts";
import { runSafely } from "./replay.ts";
import { nameOf, shrink } from "./shrink.ts";
import type { Shrunk } from "./shrink.ts";
import { inTask } from "./timeline.ts";

export interface SeedsOptions {
  readonly seeds: number;
  readonly from: number;
  readonly hours?: number;
  readonly days?: number;
  readonly minutes?: number;
  readonly tasks: number;
  readonly jobs: number;
  readonly shrink: boolean;
  readonly first?: boolean;
}

const MINUTE_MS = 60_000;

function planOptionsOf({ hours = 0, days = 0, minutes = 0, tasks }: SeedsOptions): PlanOptions {
  const total = days * 1_440 + hours * 60 + minutes;
  return { durationMs: (total === 0 ? 60 : total) * MINUTE_MS, tasks };
}

/** Every so many seeds, one is run twice. */
const TWICE_EVERY = 10;

/** @returns an exit code: 3 where an invariant did not hold */
export async function runSeeds(options: SeedsOptions): Promise<number> {
  const startMs = performance.now();
  const code = options.jobs > 1 ? await runJobs(options) : await runHere(options);
  const seconds = (performance.now() - startMs) / 1000;
  if (options.jobs > 1) {
    console.log(
      `${options.seeds} seeds in ${seconds.toFixed(0)} s: ${code === 0 ? "all hold" : "FAILED"}`,
    );
  }
  return code;
}

/** Each process takes a part of the seeds. */
async function runJobs(options: SeedsOptions): Promise<number> {
  const share = Math.ceil(options.seeds / options.jobs);
  const codes = await Promise.all(Array.from({ length: options.jobs }, async (_, job) => {
    const from = options.from + job * share;
    const seeds = Math.min(share, options.from + options.seeds - from);
    if (seeds <= 0) return 0;
    const process = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-q",
        // Most objects live for one event: with more room for the young, fewer are moved for nothing.
        "--v8-flags=--min-semi-space-size=32",
        "-P=sim",
        import.meta.resolve("./main.ts"),
        ...argsOf({ ...options, from, seeds }),
      ],
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
    return (await process.status).code;
  }));
  return Math.max(...codes);
}

function argsOf(options: SeedsOptions): string[] {
  const { seeds, from, tasks } = options;
  const minutes = planOptionsOf(options).durationMs / MINUTE_MS;
  const args = { seeds, from, tasks, minutes, jobs: 1 };
  const flags = Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return options.shrink ? flags : [...flags, "--no-shrink"];
}

async function runHere(options: SeedsOptions): Promise<number> {
  const { seeds, from } = options;
  const uncaught = catchRejections();
  const startMs = performance.now();
  const kinds = new Map<string, number>();
  let [failed, events, fires] = [0, 0, 0];
  for (let seed = from; seed < from + seeds; seed++) {
    const plan = planOf(seed, planOptionsOf(options));
    const outcome = await inTask(() => runSafely(plan));
    events += outcome.steps;
    fires += outcome.counts["fire.published"] ?? 0;
    for (const { kind } of plan.faults) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    if (seed % TWICE_EVERY === 0) {
      const again = await inTask(() => runSafely(plan));
      if (again.traceHash !== outcome.traceHash) {
        failed++;
        console.log(`seed ${seed}: ran another way the second time`);
      }
    }
    for (const reason of await uncaught.take()) {
      failed++;
      console.log(`seed ${seed}: nobody caught ${reason instanceof Error ? reason.stack : reason}`);
    }
    const finding = outcome.findings[0];
    if (finding === undefined) continue;
    failed++;
    tellFailure(seed, { plan, finding });
    if (options.shrink) keep(await inTask(() => shrink(plan, finding)));
    if (options.first === true) break;
  }
  const seconds = (performance.now() - startMs) / 1000;
  const faults = [...kinds.values()].reduce((sum, count) => sum + count, 0);
  console.log(
    `seeds ${from} to ${from + seeds - 1}: ${failed} failed; ${fires} fires, ${faults} faults of ` +
      `${kinds.size} kinds, ${events} events; ${(seconds / seeds).toFixed(2)} s a seed`,
  );
  return failed > 0 ? 3 : 0;
}

/** A promise that is rejected unheard would end a process of Beat, and hides that a rule has a defect. */
function catchRejections(): { take(): Promise<readonly unknown[]> } {
  let reasons: unknown[] = [];
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    reasons.push(event.reason);
  });
  return {
    async take() {
      // They are told of between two tasks of the event loop.
      await inTask(() => {});
      const taken = reasons;
      reasons = [];
      return taken;
    },
  };
}

function tellFailure(seed: number, { finding: { invariant, what, atMs, step } }: Shrunk): void {
  console.log(`seed ${seed}: ${invariant} at ${(atMs / 1000).toFixed(3)} s, step ${step}: ${what}`);
}

function keep(shrunk: Shrunk): void {
  const { plan, finding } = shrunk;
  const file = new URL(`./regressions/${nameOf(shrunk)}.json`, import.meta.url);
  const { invariant, what, step } = finding;
  const text = JSON.stringify({ seed: plan.seed, invariant, step, what, plan }, null, 2);
  Deno.mkdirSync(new URL("./regressions/", import.meta.url), { recursive: true });
  Deno.writeTextFileSync(file, `${text}\n`);
  const parts = [`${plan.faults.length} faults`, `${plan.tasks.length} tasks`];
  console.log(`  shrunk to ${parts.join(", ")}: ${file.pathname}`);
}
