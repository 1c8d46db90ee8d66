import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { paintFor, tableLines } from "../../src/commands/table.ts";

const plain = paintFor({ env: {}, isOutTerminal: false });
const rows = [
  [{ text: "report" }, { text: "on", colour: "green" as const }],
  [{ text: "a.much.longer.name" }, { text: "off" }],
];

describe("tableLines()", () => {
  it("makes columns as wide as their longest cell, without blanks at the end", () => {
    assert.deepEqual(tableLines(["name", "state"], rows, { paint: plain }), [
      "name                state",
      "report              on",
      "a.much.longer.name  off",
    ]);
  });

  it("cuts the widest cells where the line is longer than the terminal", () => {
    const lines = tableLines(["name", "state"], rows, { paint: plain, width: 17 });
    assert.deepEqual(lines, ["name        state", "report      on", "a.much.lo…  off"]);
  });

  it("leaves columns readable where nothing fits", () => {
    const lines = tableLines(["name", "state"], rows, { paint: plain, width: 3 });
    assert.equal(lines[2], "a.much.…  off");
  });
});

describe("paintFor()", () => {
  it("colours on a terminal only, and not against NO_COLOR", () => {
    const paint = (env: Record<string, string>, isOutTerminal: boolean) =>
      paintFor({ env, isOutTerminal })("red", "x");
    assert.equal(paint({}, true), "\u001b[31mx\u001b[39m");
    assert.equal(paint({}, false), "x");
    assert.equal(paint({ NO_COLOR: "1" }, true), "x");
    assert.equal(paint({ NO_COLOR: "" }, true), "\u001b[31mx\u001b[39m");
    assert.equal(paint({ TERM: "dumb" }, true), "x");
  });
});
