/** Which level follows: no flapping, whatever is read. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Standing } from "../../src/levels/move.ts";
import { pressureAfter, sloAfter } from "../../src/levels/move.ts";
import { T0 } from "../support/build.ts";

const LEAST_MS = 30_000;
const FIRST: Standing = { level: "normal", sinceMs: null };

/** The times at which the level changes, over readings 5 s apart. */
function changesOf<T>(
  readings: readonly T[],
  after: (
    standing: Standing,
    type: T,
    dwell: { nowMs: number; leastMs: number },
  ) => Standing["level"],
): { atMs: number; from: string; to: string }[] {
  const changes: { atMs: number; from: string; to: string }[] = [];
  let standing = FIRST;
  readings.forEach((type, index) => {
    const nowMs = T0 + index * 5_000;
    const level = after(standing, type, { nowMs, leastMs: LEAST_MS });
    if (level === standing.level) return;
    changes.push({ atMs: nowMs, from: standing.level, to: level });
    standing = { level, sinceMs: nowMs };
  });
  return changes;
}

const STANDS = ["LOW", "BETWEEN", "HIGH", "OVER"] as const;
const FLAMES = ["CALM", "BURNING", "BLAZING"] as const;
const RANK = ["normal", "slowed", "paused"];

describe("pressureAfter()", () => {
  it("moves at once where no level was ever another", () => {
    const dwell = { nowMs: T0, leastMs: LEAST_MS };
    assert.equal(pressureAfter(FIRST, "HIGH", dwell), "slowed");
    assert.equal(pressureAfter(FIRST, "OVER", dwell), "paused");
    assert.equal(pressureAfter(FIRST, "BETWEEN", dwell), "normal");
  });

  it("goes through slowed on the way back, and only below the low mark to normal", () => {
    const at = (sinceS: number) => ({ nowMs: T0 + sinceS * 1_000, leastMs: LEAST_MS });
    const paused: Standing = { level: "paused", sinceMs: T0 };
    const slowed: Standing = { level: "slowed", sinceMs: T0 };
    assert.equal(pressureAfter(paused, "LOW", at(29)), "paused");
    assert.equal(pressureAfter(paused, "HIGH", at(30)), "paused");
    assert.equal(pressureAfter(paused, "LOW", at(30)), "slowed");
    assert.equal(pressureAfter(slowed, "BETWEEN", at(30)), "slowed");
    assert.equal(pressureAfter(slowed, "LOW", at(30)), "normal");
  });

  it("does not wait for hours where the clock was set back", () => {
    const slowed: Standing = { level: "slowed", sinceMs: T0 + 3_600_000 };
    assert.equal(pressureAfter(slowed, "LOW", { nowMs: T0, leastMs: LEAST_MS }), "normal");
  });

  it("changes at most once in a dwell time, and never between two marks", () => {
    fc.assert(fc.property(fc.array(fc.constantFrom(...STANDS), { maxLength: 200 }), (readings) => {
      const changes = changesOf(readings, pressureAfter);
      changes.forEach(({ atMs, from, to }, index) => {
        const before = changes[index - 1]?.atMs ?? -Infinity;
        assert.ok(atMs - before >= LEAST_MS);
        const type = readings[(atMs - T0) / 5_000]!;
        if (type === "BETWEEN") assert.deepEqual([from, to], ["paused", "slowed"]);
      });
    }));
  });

  it("ends where a steady reading says, whatever was before", () => {
    const ends = { LOW: "normal", OVER: "paused" } as const;
    fc.assert(fc.property(
      fc.array(fc.constantFrom(...STANDS), { maxLength: 50 }),
      fc.constantFrom("LOW" as const, "OVER" as const),
      (before, last) => {
        const changes = changesOf([...before, ...Array(20).fill(last)], pressureAfter);
        assert.equal(changes.at(-1)?.to ?? "normal", ends[last]);
      },
    ));
  });
});

describe("sloAfter()", () => {
  it("rises at once, and falls a step at a time after it was held", () => {
    fc.assert(fc.property(fc.array(fc.constantFrom(...FLAMES), { maxLength: 200 }), (readings) => {
      const changes = changesOf(readings, sloAfter);
      changes.forEach(({ atMs, from, to }, index) => {
        const step = RANK.indexOf(to) - RANK.indexOf(from);
        if (step > 0) return;
        assert.equal(step, -1);
        assert.ok(atMs - changes[index - 1]!.atMs >= LEAST_MS);
      });
    }));
  });
});
