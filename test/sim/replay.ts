/** Runs a plan in a pure world, and tells what happened. */

import type { Plan } from "./plan.ts";
import { inPureWorld } from "./purity.ts";
import type { OnTold, Outcome } from "./world.ts";
import { runPlan } from "./world.ts";

/** An error that the world throws is a finding, too. */
export function runSafely(plan: Plan, onTold: OnTold | null = null): Outcome {
  try {
    return inPureWorld(() => runPlan(plan, onTold));
  } catch (error) {
    const what = error instanceof Error ? error.stack ?? error.message : String(error);
    const finding = { invariant: "world", what, step: -1, atMs: 0 };
    return {
      findings: [finding],
      steps: 0,
      traceHash: 0,
      counts: {},
      rows: () => [],
    };
  }
}

/** @returns an exit code: 3 where an invariant does not hold */
export function replayFile(path: string): number {
  const { plan } = JSON.parse(Deno.readTextFileSync(path)) as { plan: Plan };
  return tellPlan(plan);
}

export function tellPlan(plan: Plan): number {
  const outcome = runSafely(plan, (line) => console.log(line));
  for (const { invariant, what, atMs, step } of outcome.findings) {
    console.log(`${invariant} at ${(atMs / 1000).toFixed(3)} s, step ${step}: ${what}`);
  }
  return outcome.findings.length > 0 ? 3 : 0;
}
