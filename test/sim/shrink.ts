/** Makes a failing plan small: the same invariant must still fail. */

import type { Fault, Plan } from "./plan.ts";
import { runSafely } from "./replay.ts";
import type { Finding } from "./watcher.ts";

/** Runs that one shrinking may cost. */
const RUNS_MAX = 250;

export interface Shrunk {
  readonly plan: Plan;
  readonly finding: Finding;
}

/** @param finding what `plan` was found to break */
export function shrink(plan: Plan, finding: Finding): Shrunk {
  let best: Shrunk = { plan, finding };
  let runs = 0;
  const fails = (candidate: Plan): boolean => {
    if (runs++ >= RUNS_MAX) return false;
    const found = runSafely(candidate).findings[0];
    if (found === undefined || found.invariant !== finding.invariant) return false;
    best = { plan: candidate, finding: found };
    return true;
  };
  cutAfter(best, fails);
  for (let before = ""; before !== JSON.stringify(best.plan);) {
    before = JSON.stringify(best.plan);
    lessOf(best.plan.faults, (faults) => fails({ ...best.plan, faults }));
    lessOf(best.plan.tasks, (tasks) => tasks.length > 0 && fails({ ...best.plan, tasks }));
    while (best.plan.replicas.length > 1) {
      if (!fails({ ...best.plan, replicas: best.plan.replicas.slice(0, -1) })) break;
    }
    while (best.plan.workers > 0 && fails({ ...best.plan, workers: best.plan.workers - 1 }));
    fails({ ...best.plan, replicas: best.plan.replicas.map(() => ({ offsetMs: 0, rate: 1 })) });
    for (let index = 0; index < best.plan.faults.length; index++) {
      fails({
        ...best.plan,
        faults: best.plan.faults.map((each, at) => at === index ? rounded(each) : each),
      });
    }
  }
  return best;
}

/** What comes after the failing step does not matter. */
function cutAfter({ plan, finding }: Shrunk, fails: (plan: Plan) => boolean): void {
  if (finding.atMs >= plan.durationMs) return;
  const durationMs = Math.ceil(finding.atMs) + 1;
  fails({
    ...plan,
    durationMs,
    isCut: true,
    faults: plan.faults.filter(({ atMs }) => atMs < durationMs),
  });
}

/** Delta debugging: leaves out halves, then quarters, and so on down to single items. */
function lessOf<T>(items: readonly T[], fails: (items: readonly T[]) => boolean): void {
  let kept = items;
  for (
    let size = Math.ceil(kept.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let start = 0; start < kept.length;) {
      const without = [...kept.slice(0, start), ...kept.slice(start + size)];
      if (fails(without)) kept = without;
      else start += size;
    }
  }
}

/** To whole seconds, where that is another plan. */
function rounded(fault: Fault): Fault {
  return { ...fault, atMs: Math.round(fault.atMs / 1000) * 1000 };
}

/** `i1_redis_clock_remove`: what failed, and of what. */
export function nameOf({ plan, finding }: Shrunk): string {
  const kinds = [...new Set(plan.faults.map(({ kind }) => kind))].slice(0, 4);
  return [finding.invariant.toLowerCase(), ...kinds].join("_");
}
