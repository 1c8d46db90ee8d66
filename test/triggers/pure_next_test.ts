/** What may be asked at any moment, by anyone, after any restart: the answer is the same. */

import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import assert from "node:assert/strict";
import { cron } from "../../src/triggers/cron.ts";
import type { Trigger } from "../../src/triggers/mod.ts";
import { CHANGES, nameOf } from "./changes.ts";
import { randomCron } from "./random_cron.ts";

const HOUR_MS = 3_600_000;
const zones = [
  ...new Set(CHANGES.map(({ tz }) => tz)),
  "UTC",
  "Asia/Kathmandu",
  "Africa/Casablanca",
];
const zone = fc.constantFrom(...zones);
const instant = fc.integer({ min: Date.UTC(1965, 0), max: Date.UTC(2120, 0) });
/** Instants near a change are rare among all instants. */
const nearChange = fc.tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -30, max: 30 }))
  .map(([{ atMs }, hours]) => atMs + hours * HOUR_MS / 4);

/** The trigger, or `null` for a date that never comes. */
function triggerOrNull(expression: string, tz: string): Trigger | null {
  try {
    return cron({ expression, tz });
  } catch (error) {
    assert.match(String(error), /a date that comes/);
    return null;
  }
}

describe("cron() is pure: next", () => {
  it("lies after the start, and is the same for each start before it", () => {
    const part = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(
        fc.tuple(randomCron, zone, fc.oneof(instant, nearChange), fc.array(part), fc.boolean()),
        ([{ text }, tz, startMs, parts, hasSeconds]) => {
          const expression = hasSeconds ? `*/7 ${text}` : text;
          const dueMs = triggerOrNull(expression, tz)?.next(startMs) ?? null;
          if (dueMs === null) return;
          assert.ok(dueMs > startMs, `${dueMs} > ${startMs}`);
          const starts = parts.map((each) => startMs + Math.floor(each * (dueMs - startMs)));
          for (const askedMs of [...starts, dueMs - 1, dueMs - 1000, startMs + 0.5]) {
            if (askedMs < startMs || askedMs >= dueMs) continue;
            // A trigger of its own for each question, as a new leader would have it.
            assert.equal(cron({ expression, tz }).next(askedMs), dueMs, `after ${askedMs}`);
          }
        },
      ),
      { numRuns: 1500 },
    );
  });

  for (const change of CHANGES) {
    it(`is the same at every second of a day of change: ${nameOf(change)}`, () => {
      const expressions = ["30 2 * * *", "0 0 * * *", "*/20 * * * *", "15,45 0-3/2 * * *"];
      for (const expression of expressions) {
        const trigger = cron({ expression, tz: change.tz });
        const endMs = change.atMs + 14 * HOUR_MS;
        let dueMs = trigger.next(change.atMs - 14 * HOUR_MS)!;
        for (let atMs = change.atMs - 14 * HOUR_MS; atMs < endMs; atMs += 1000) {
          const nextMs = trigger.next(atMs)!;
          // Plain comparisons: an assertion for each of a million seconds would take a minute.
          if (atMs < dueMs ? nextMs !== dueMs : nextMs <= atMs || atMs !== dueMs) {
            assert.fail(`${expression} after ${atMs}: ${nextMs}, before that ${dueMs}`);
          }
          dueMs = nextMs;
        }
      }
    });
  }
});

describe("cron() agrees with itself: last and count", () => {
  it("are what a walk by next finds", () => {
    fc.assert(
      fc.property(randomCron, zone, fc.oneof(instant, nearChange), ({ text }, tz, startMs) => {
        const trigger = triggerOrNull(text, tz);
        if (trigger === null) return;
        let previousMs = trigger.last(startMs);
        let atMs = startMs;
        for (let steps = 1; steps <= 60; steps++) {
          const dueMs: number = trigger.next(atMs)!;
          assert.equal(trigger.last(dueMs), dueMs);
          assert.equal(trigger.last(dueMs - 1), previousMs);
          assert.equal(trigger.count(startMs, dueMs), steps);
          assert.equal(trigger.count(startMs, dueMs - 1), steps - 1);
          assert.ok(trigger.explain!(dueMs) !== null);
          [previousMs, atMs] = [dueMs, dueMs];
        }
      }),
      { numRuns: 400 },
    );
  });

  it("count() of parts adds up over years of seconds, and takes no longer for them", () => {
    const trigger = cron({ expression: "* * * * * *", tz: "America/New_York" });
    const fromMs = Date.UTC(1990, 0);
    const untilMs = Date.UTC(2090, 0);
    assert.equal(trigger.count(fromMs, untilMs), (untilMs - fromMs) / 1000);
    fc.assert(
      fc.property(randomCron, zone, fc.array(instant, { minLength: 3, maxLength: 3 }), (
        { text },
        tz,
        instants,
      ) => {
        const trigger = triggerOrNull(text, tz);
        const [a, b, c] = instants.sort((x, y) => x - y) as [number, number, number];
        if (trigger === null) return;
        assert.equal(trigger.count(a, b) + trigger.count(b, c), trigger.count(a, c));
        assert.equal(trigger.count(c, a), 0);
      }),
      { numRuns: 300 },
    );
  });
});
