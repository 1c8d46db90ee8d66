/** The ids of fires, and the numbers that are made of them. */

import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import assert from "node:assert/strict";
import { fireIdOf, fraction } from "../src/fire.ts";

describe("fraction()", () => {
  it("is from 0 to below 1, and the same each time", () => {
    fc.assert(fc.property(fc.string(), (id) => {
      const value = fraction(id);
      assert.ok(value >= 0 && value < 1);
      assert.equal(fraction(id), value);
    }));
  });

  it("never changes: a running fleet and a replay of last year depend on it", () => {
    assert.equal(fraction(""), 2_872_998_923 / 2 ** 32);
    assert.equal(fraction("beat/report@1767225600000"), 2_268_814_556 / 2 ** 32);
  });

  /** Names and times as they come: they differ in their last digits only. */
  const crowds: [string, (index: number) => string][] = [
    ["names with numbers", (index) => `beat/report.${index}`],
    [
      "the minutes of a task",
      (index) => `beat/${fireIdOf("report", 1_767_225_600_000 + index * 60_000)}`,
    ],
    [
      "the names of tasks due at once",
      (index) => `beat/${fireIdOf(`sync.${index}`, 1_767_225_600_000)}`,
    ],
    ["short names", (index) => index.toString(36)],
  ];
  for (const [name, idOf] of crowds) {
    it(`spreads ${name} as chance would`, () => {
      const [count, bins] = [20_000, 100];
      const sizes = new Array<number>(bins).fill(0);
      for (let index = 0; index < count; index++) {
        sizes[Math.floor(fraction(idOf(index)) * bins)]! += 1;
      }
      const expected = count / bins;
      const chiSquare = sizes.reduce((sum, size) => sum + (size - expected) ** 2 / expected, 0);
      // 99 degrees of freedom: chance is between these in all but one of some ten thousand crowds.
      assert.ok(chiSquare > 50 && chiSquare < 160, `chi square ${chiSquare}`);
    });
  }
});
