/** A few seeds of the simulation, and all that it found before. `deno task sim` runs many. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Plan } from "./plan.ts";
import { KINDS, planOf } from "./plan.ts";
import { runSafely } from "./replay.ts";

const OPTIONS = { durationMs: 600_000, tasks: 50 };
const SEEDS = 30;

const REGRESSIONS = new URL("./regressions/", import.meta.url);

describe("a simulated world", () => {
  it(`keeps every invariant: ${SEEDS} seeds of ten minutes`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { findings } = runSafely(planOf(seed, OPTIONS));
      assert.deepEqual(findings, [], `seed ${seed}: deno task sim tell ${seed} --minutes 10`);
    }
  });

  it("runs the same way each time", () => {
    const [one, other] = [runSafely(planOf(7, OPTIONS)), runSafely(planOf(7, OPTIONS))];
    assert.deepEqual([one.traceHash, one.steps], [other.traceHash, other.steps]);
    assert.deepEqual(one.story(), other.story());
  });

  it("draws every kind of fault", () => {
    const plans = Array.from({ length: SEEDS }, (_, index) => planOf(index + 1, OPTIONS));
    const drawn = new Set(plans.flatMap(({ faults }) => faults.map(({ kind }) => kind)));
    assert.deepEqual(KINDS.filter((kind) => !drawn.has(kind)), []);
  });

  it("draws the same faults where one is left out", () => {
    const plan = planOf(11, OPTIONS);
    const { story } = runSafely({ ...plan, faults: [] });
    const { story: same } = runSafely({ ...plan, faults: [] });
    assert.deepEqual(story(), same());
  });
});

describe("what the simulation found", () => {
  for (const { name } of Deno.readDirSync(REGRESSIONS)) {
    it(`stays mended: ${name}`, () => {
      const text = Deno.readTextFileSync(new URL(name, REGRESSIONS));
      const { plan } = JSON.parse(text) as { plan: Plan };
      assert.deepEqual(runSafely(plan).findings, []);
    });
  }
});
