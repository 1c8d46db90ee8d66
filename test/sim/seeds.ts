/** Runs many seeds, on several processes; a failing one is told, shrunk and kept. */

import type { Outcome } from "./world.ts";
import { planOf } from "./plan.ts";
import type { Plan, PlanOptions } from "./plan.ts";
import { runSafely } from "./replay.ts";

export interface SeedsOptions {
  readonly seeds: number;
  readonly from: number;
  readonly hours?: number;
  readonly days?: number;
  readonly minutes?: number;
  readonly tasks: number;
  readonly jobs: number;
  readonly shrink: boolean;
}

const MINUTE_MS = 60_000;

export function planOptionsOf({ hours, days, minutes, tasks }: SeedsOptions): PlanOptions {
  const total = (days ?? 0) * 1_440 + (hours ?? 0) * 60 + (minutes ?? 0);
  return { durationMs: (total === 0 ? 60 : total) * MINUTE_MS, tasks };
}

/** Every so many seeds, one is run twice. */
const TWICE_EVERY = 10;

/** @returns how many seeds failed, as an exit code */
export function runSeeds(options: SeedsOptions): number {
  const { seeds, from } = options;
  const startMs = performance.now();
  let failed = 0;
  let steps = 0;
  for (let seed = from; seed < from + seeds; seed++) {
    const plan = planOf(seed, planOptionsOf(options));
    const outcome = runSafely(plan);
    steps += outcome.steps;
    if (seed % TWICE_EVERY === 0) checkRepeats(plan, outcome);
    if (outcome.findings.length === 0) continue;
    failed++;
    const { invariant, what, atMs, step } = outcome.findings[0]!;
    console.log(
      `seed ${seed}: ${invariant} at ${(atMs / 1000).toFixed(3)} s, step ${step}: ${what}`,
    );
  }
  const seconds = (performance.now() - startMs) / 1000;
  console.log(
    `${seeds} seeds, ${failed} failed, ${steps} events, ${seconds.toFixed(1)} s ` +
      `(${(seconds / seeds).toFixed(2)} s a seed)`,
  );
  return failed > 0 ? 1 : 0;
}

function checkRepeats(plan: Plan, outcome: Outcome): void {
  const again = runSafely(plan);
  if (again.traceHash !== outcome.traceHash) {
    throw new Error(`seed ${plan.seed} ran another way the second time`);
  }
}
