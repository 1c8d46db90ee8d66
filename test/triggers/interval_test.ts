/** Intervals: anchored to the epoch, exact over any length of time, fractions included. */

import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import assert from "node:assert/strict";
import { TriggerError } from "../../src/errors.ts";
import { interval } from "../../src/triggers/interval.ts";

const NOW_MS = Date.UTC(2026, 5, 1);
const everyMs = fc.oneof(
  fc.double({ min: 10, max: 1e6, noNaN: true }),
  fc.integer({ min: 10, max: 90_000_000 }),
  fc.integer({ min: 100, max: 100_000 }).map((tenths) => tenths / 10),
  fc.integer({ min: 1, max: 300 }).map((perMinute) => 60_000 / perMinute),
);
const phaseMs = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_600_000 }));
const askedMs = fc.oneof(
  fc.integer({ min: NOW_MS - 1e12, max: NOW_MS + 1e12 }),
  fc.integer({ min: -1e9, max: 1e9 }),
  fc.double({ min: 0, max: NOW_MS, noNaN: true }),
);

describe("interval()", () => {
  it("is due at floor(k * everyMs) + phaseMs, and at nothing between", () => {
    fc.assert(
      fc.property(everyMs, phaseMs, fc.integer({ min: 1, max: 5e7 }), (everyMs, phaseMs, k) => {
        const trigger = interval({ everyMs, phaseMs });
        const due = (index: number) => Math.floor(index * everyMs) + phaseMs;
        assert.equal(trigger.next(due(k) - 1), due(k));
        assert.equal(trigger.next(due(k)), due(k + 1));
        assert.equal(trigger.last(due(k)), due(k));
        assert.equal(trigger.last(due(k) - 1), due(k - 1));
        assert.equal(trigger.count(due(k), due(k + 1000)), 1000);
        assert.equal(trigger.count(due(k) - 1, due(k + 1000) - 1), 1000);
      }),
      { numRuns: 2000 },
    );
  });

  it("has a next that rises and does not depend on when it is asked", () => {
    fc.assert(
      fc.property(everyMs, phaseMs, askedMs, fc.double({ min: 0, max: 1, noNaN: true }), (
        everyMs,
        phaseMs,
        startMs,
        part,
      ) => {
        const trigger = interval({ everyMs, phaseMs });
        const dueMs = trigger.next(startMs)!;
        assert.ok(Number.isInteger(dueMs) && dueMs > startMs);
        const betweenMs = startMs + part * (dueMs - startMs);
        if (betweenMs < dueMs) assert.equal(trigger.next(betweenMs), dueMs);
        const lastMs = trigger.last(startMs)!;
        assert.ok(lastMs <= startMs);
        assert.equal(trigger.next(lastMs), dueMs);
        assert.equal(trigger.count(lastMs, startMs), 0);
        assert.equal(trigger.count(startMs, dueMs), 1);
        assert.equal(trigger.count(dueMs, startMs), 0);
      }),
      { numRuns: 2000 },
    );
  });

  it("does not drift: a walk of a day by thirds of a second is 259,200 steps", () => {
    const trigger = interval({ everyMs: 1000 / 3, phaseMs: 0 });
    let atMs = NOW_MS;
    for (let step = 0; step < 259_200; step++) atMs = trigger.next(atMs)!;
    assert.ok(Math.abs(atMs - (NOW_MS + 86_400_000)) <= 1, `off by ${atMs - NOW_MS - 86_400_000}`);
    assert.equal(trigger.count(NOW_MS, atMs), 259_200);
  });

  it("adds the phase", () => {
    const trigger = interval({ everyMs: 60_000, phaseMs: 7_000 });
    assert.equal(trigger.next(NOW_MS), NOW_MS + 7_000);
    assert.equal(trigger.last(NOW_MS), NOW_MS - 53_000);
  });

  it("never says minus zero", () => {
    assert.ok(Object.is(interval({ everyMs: 1000, phaseMs: 0 }).next(-1), 0));
  });

  it("has nothing left at the end of time", () => {
    const trigger = interval({ everyMs: 1e15, phaseMs: 0 });
    assert.equal(trigger.next(8e15), null);
    assert.equal(trigger.last(-8e15), -8e15);
    assert.equal(trigger.last(-8.5e15), null);
  });

  for (const everyMs of [9.99, 0, -1000, NaN, Infinity]) {
    it(`refuses an interval of ${everyMs}`, () =>
      assert.throws(() => interval({ everyMs, phaseMs: 0 }), (error) => {
        assert.ok(error instanceof TriggerError);
        assert.match(error.message, /`everyMs`.*at least 10/);
        return true;
      }));
  }
  for (const phaseMs of [0.5, NaN, Infinity]) {
    it(`refuses a phase of ${phaseMs}`, () =>
      assert.throws(() => interval({ everyMs: 1000, phaseMs }), /`phaseMs`.*whole/));
  }
});
