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
    assert.deepEqual(tableLines(["name", "state"], rows, { paint: plain, width: Infinity }), [
      "name                state",
      "report              on",
      "a.much.longer.name  off",
    ]);
  });

  const day = "2026-01-31T08:00:00.000Z";
  const wide = [
    [{ text: "maintenance.user_email_csv_export" }, { text: day }, { text: "cron 0 3 * * * UTC" }],
  ];
  const told = (width: number, spare: string[] = []) =>
    tableLines(["name", "due", "trigger"], wide, { paint: plain, width }, spare);

  it("cuts the widest cells where the line is longer than the terminal", () => {
    assert.equal(told(75)[1], `maintenance.user_email_csv_e…  ${day}  cron 0 3 * * * UTC`);
  });

  it("leaves out what can be spared, and says so, before a time or a name is cut short", () => {
    assert.deepEqual(told(69, ["trigger"]), [
      "name                               due",
      `maintenance.user_email_csv_export  ${day}`,
      "(not wide enough for trigger)",
    ]);
    assert.deepEqual(told(79, ["trigger"]), told(79));
  });

  it("is wider than the terminal rather than unreadable", () => {
    assert.equal(told(3)[1], `maintenance.user_email_…  ${day}  cron 0 3 * * * UTC`);
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
