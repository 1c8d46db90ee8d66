/** Burn rates, and what the rules make of them. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Sample } from "../../src/levels/burn.ts";
import { burning, keepSamples } from "../../src/levels/burn.ts";
import type { BurnRule } from "../../src/level.ts";
import { T0 } from "../support/build.ts";

const MINUTE_MS = 60_000;
const RULES: readonly BurnRule[] = [
  { level: "paused", burn: 14.4, longMs: 60 * MINUTE_MS, shortMs: 5 * MINUTE_MS },
  { level: "slowed", burn: 6, longMs: 60 * MINUTE_MS, shortMs: 5 * MINUTE_MS },
];
const OBJECTIVE = { target: 0.999, rules: RULES, minEvents: 10 };

/** A sample a minute, with the bad ones of `badAt(minutes ago)` among a thousand. */
function anHour(badAt: (minutesAgo: number) => number): Sample[] {
  return Array.from({ length: 60 }, (_, at) => {
    const minutesAgo = 59 - at;
    return { atMs: T0 - minutesAgo * MINUTE_MS, events: 1_000, bad: badAt(minutesAgo) };
  });
}

describe("burning()", () => {
  it("is calm while the budget lasts", () => {
    assert.equal(burning(anHour(() => 1), OBJECTIVE, "normal", T0).type, "CALM");
  });

  it("tells the burn rate of both windows", () => {
    const { longBurn, shortBurn, reason } = burning(anHour(() => 20), OBJECTIVE, "normal", T0);
    assert.deepEqual([longBurn, shortBurn], [20, 20]);
    assert.equal(reason, "burn rate 20 over 60 min and 20 over 5 min (rule 14.4)");
  });

  it("burns by the fiercest rule that both windows are over", () => {
    const type = (bad: number) => burning(anHour(() => bad), OBJECTIVE, "normal", T0).type;
    assert.deepEqual([5, 6, 14, 15].map(type), ["CALM", "BURNING", "BURNING", "BLAZING"]);
  });

  it("does not burn for what is over, nor for what has just begun", () => {
    const over = anHour((ago) => ago >= 5 ? 100 : 0);
    const begun = anHour((ago) => ago < 3 ? 100 : 0);
    assert.equal(burning(over, OBJECTIVE, "normal", T0).type, "CALM");
    assert.equal(burning(begun, OBJECTIVE, "normal", T0).type, "CALM");
  });

  it("burns on, once raised, until the short window is at half the rate", () => {
    const type = (bad: number) => burning(anHour(() => bad), OBJECTIVE, "slowed", T0).type;
    assert.deepEqual([2, 3, 5].map(type), ["CALM", "BURNING", "BURNING"]);
  });

  it("stays raised where nothing was counted yet, until the short window is over", () => {
    const none = (minutes: number) => {
      const samples = [0, 1].map((at) => ({
        atMs: T0 - at * minutes * MINUTE_MS,
        events: 0,
        bad: 0,
      }));
      return samples.reverse();
    };
    const type = (minutes: number) => burning(none(minutes), OBJECTIVE, "slowed", T0).type;
    assert.deepEqual([1, 4, 5, 9].map(type), ["BURNING", "BURNING", "CALM", "CALM"]);
    assert.equal(burning(none(1), OBJECTIVE, "normal", T0).type, "CALM");
    assert.equal(burning(none(1), OBJECTIVE, "paused", T0).type, "BLAZING");
  });

  it("makes nothing of a few events", () => {
    const few = [{ atMs: T0, events: 9, bad: 9 }];
    assert.equal(burning(few, OBJECTIVE, "normal", T0).type, "CALM");
    assert.equal(burning([{ ...few[0]!, events: 10 }], OBJECTIVE, "normal", T0).type, "BLAZING");
    // Nor does a raised level fall because there are fewer.
    assert.equal(burning(few, OBJECTIVE, "paused", T0).type, "BLAZING");
  });

  it("never burns without a bad event, and never stays calm when all are", () => {
    const samples = fc.array(
      fc.record({
        minutesAgo: fc.integer({ min: 0, max: 59 }),
        events: fc.integer({ min: 10, max: 999 }),
      }),
      { minLength: 1 },
    );
    fc.assert(fc.property(samples, fc.constantFrom(0, 1), (drawn, share) => {
      const all = [...drawn, { minutesAgo: 0, events: 10 }].map(({ minutesAgo, events }) => ({
        atMs: T0 - minutesAgo * MINUTE_MS,
        events,
        bad: share * events,
      }));
      const { type } = burning(all, OBJECTIVE, "normal", T0);
      assert.equal(type, share === 0 ? "CALM" : "BLAZING");
    }));
  });
});

describe("keepSamples()", () => {
  it("keeps what the longest window reaches, and nothing that is yet to come", () => {
    const at = (atMs: number) => ({ atMs, events: 1, bad: 0 });
    const old = [at(T0 - 60 * MINUTE_MS), at(T0 - 60 * MINUTE_MS + 1), at(T0 + 1)];
    assert.deepEqual(keepSamples(old, at(T0), RULES), [old[1], at(T0)]);
  });
});
