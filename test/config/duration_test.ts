import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";

import { formatDuration, parseDuration } from "../../src/config/duration.ts";

describe("parseDuration()", () => {
  const cases: [string | number, number | null][] = [
    ["15m", 900_000],
    ["1h30m", 5_400_000],
    ["1h 30m", 5_400_000],
    ["500ms", 500],
    ["1.5h", 5_400_000],
    ["2w1d", 1_296_000_000],
    ["0.07s", 70],
    ["0s", 0],
    ["90", 90_000],
    [90, 90_000],
    [0.07, 70],
    [0.3333, 333.3],
    ["", null],
    ["1x", null],
    ["m", null],
    ["-5s", null],
    ["5m1h", null],
    ["1h1h", null],
    ["1e3", null],
    [".5s", null],
    [-1, null],
    [NaN, null],
    [Infinity, null],
  ];
  for (const [text, expected] of cases) {
    it(`reads ${JSON.stringify(text)} (${typeof text})`, () => {
      assert.equal(parseDuration(text), expected);
    });
  }

  it("reads back whatever formatDuration() writes", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 1e12 }), (durationMs) => {
      assert.equal(parseDuration(formatDuration(durationMs)), durationMs);
    }));
  });

  it("reads a sum of units as their sum", () => {
    const part = fc.integer({ min: 0, max: 1000 });
    fc.assert(fc.property(part, part, part, part, (days, hours, minutes, ms) => {
      const text = `${days}d${hours}h${minutes}m${ms}ms`;
      const sum = days * 86_400_000 + hours * 3_600_000 + minutes * 60_000 + ms;
      assert.equal(parseDuration(text), sum);
    }));
  });
});
