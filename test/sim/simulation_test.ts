/** A few seeds of the simulation, and all that it found before. `deno task sim` runs many. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Plan } from "./plan.ts";
import { KINDS, planOf } from "./plan.ts";
import { runSafely } from "./replay.ts";
import { inTask } from "./timeline.ts";

const OPTIONS = { durationMs: 600_000, tasks: 50 };
const SEEDS = 30;

const REGRESSIONS = new URL("./regressions/", import.meta.url);

describe("a simulated world", () => {
  it(`keeps every invariant: ${SEEDS} seeds of ten minutes`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { findings, counts } = await inTask(() => runSafely(planOf(seed, OPTIONS)));
      assert.deepEqual(findings, [], `seed ${seed}: deno task sim tell ${seed} --minutes 10`);
      assert.ok(counts["fire.published"]! > 0, `seed ${seed} publishes nothing`);
    }
  });

  it("runs the same way each time", async () => {
    const run = async () => {
      const story: string[] = [];
      const told = (line: string) => void story.push(line);
      const { traceHash, steps } = await inTask(() => runSafely(planOf(7, OPTIONS), told));
      return { traceHash, steps, story };
    };
    const once = await run();
    assert.ok(once.story.length > 50);
    assert.deepEqual(await run(), once);
    const { traceHash } = await inTask(() => runSafely(planOf(7, OPTIONS)));
    assert.equal(traceHash, once.traceHash, "being told changes nothing");
  });

  it("refuses to run where it would stand still", async () => {
    await Promise.resolve();
    const { findings } = runSafely(planOf(1, OPTIONS));
    assert.match(findings[0]!.what, /inTask/);
  });

  it("draws every kind of fault", () => {
    const plans = Array.from({ length: SEEDS }, (_, index) => planOf(index + 1, OPTIONS));
    const drawn = new Set(plans.flatMap(({ faults }) => faults.map(({ kind }) => kind)));
    assert.deepEqual(KINDS.filter((kind) => !drawn.has(kind)), []);
  });

  it("draws nothing anew where a fault is left out", async () => {
    const plan = planOf(11, OPTIONS);
    const last = plan.faults.at(-1)!;
    const without = { ...plan, faults: plan.faults.slice(0, -1) };
    const run = async (each: Plan) => {
      const before: string[] = [];
      await inTask(() =>
        runSafely(each, (line) => {
          if (Number(line.slice(0, 10)) * 1000 < last.atMs) before.push(line);
        })
      );
      return before;
    };
    const same = await run(plan);
    assert.ok(same.length > 50);
    assert.deepEqual(await run(without), same);
  });
});

describe("what the simulation found", () => {
  for (const { name } of Deno.readDirSync(REGRESSIONS)) {
    it(`stays mended: ${name}`, async () => {
      const text = Deno.readTextFileSync(new URL(name, REGRESSIONS));
      const { plan } = JSON.parse(text) as { plan: Plan };
      assert.deepEqual((await inTask(() => runSafely(plan))).findings, []);
    });
  }
});
