import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";

import { parseDotenv } from "../../src/config/dotenv.ts";

function valuesOf(text: string, outside: Record<string, string> = {}): Record<string, string> {
  const { assignments, unreadable } = parseDotenv(text, (name) => outside[name]);
  assert.deepEqual(unreadable, []);
  return Object.fromEntries(assignments.map(({ name, value }) => [name, value]));
}

describe("parseDotenv()", () => {
  const cases: [string, string, Record<string, string>][] = [
    ["plain values", "A=1\nB = two words \n", { A: "1", B: "two words" }],
    ["comments and empty lines", "# c\n\n  # d\nA=1 # why\n#B=2\n", { A: "1" }],
    ["a hash inside a word", "A=#1\nB=a#b", { A: "#1", B: "a#b" }],
    ["nothing but a comment behind the sign", "A= # nothing", { A: "" }],
    ["export", "export A=1\n  export\tB=2", { A: "1", B: "2" }],
    ["single quotes, to the letter", "A='a # b ${C} \\n' # c", { A: "a # b ${C} \\n" }],
    ["double quotes, with escapes", 'A="a\\tb\\n\\"c\\" # d"', { A: 'a\tb\n"c" # d' }],
    ["escapes as python-dotenv does", `A='a\\\\b\\'c\\d'\nB="it\\'s\\a\\b\\f\\v\\d"`, {
      A: "a\\b'c\\d",
      B: "it's\x07\b\f\v\\d",
    }],
    ["values of several lines", 'A="one\ntwo"\nB=3', { A: "one\ntwo", B: "3" }],
    ["Windows line ends and a mark at the start", "\uFEFFA=1\r\nB=2\r\n", { A: "1", B: "2" }],
    ["the later of two", "A=1\nA=2", { A: "2" }],
    ["an empty value", "A=\nB=''", { A: "", B: "" }],
    ["JSON without quotes", 'A={"b":["c"]}', { A: '{"b":["c"]}' }],
    ["names set above", "A=1\nB=x${A}y", { A: "1", B: "x1y" }],
    ["names set nowhere", "B=x${A}y${C:-z}", { B: "xyz" }],
  ];
  for (const [what, text, expected] of cases) {
    it(`reads ${what}`, () => assert.deepEqual(valuesOf(text), expected));
  }

  it("reads names set elsewhere", () => {
    assert.deepEqual(valuesOf("URL=redis://:${PW}@h", { PW: "p" }), { URL: "redis://:p@h" });
  });

  it("gives each assignment its line, and goes on behind what it cannot read", () => {
    const text = 'A="1\n2"\nhunter2 is no assignment\nB="open\nC=3\nD=\'4\' hunter2\nE=5';
    const { assignments, unreadable } = parseDotenv(text, () => undefined);
    assert.deepEqual(assignments.map(({ name, line }) => [name, line]), [
      ["A", 1],
      ["C", 5],
      ["E", 7],
    ]);
    assert.deepEqual(unreadable.map(({ line }) => line), [3, 4, 6]);
    assert.doesNotMatch(JSON.stringify(unreadable), /hunter2/);
  });

  it("gives back any value in single quotes, and any text it is given ends", () => {
    fc.assert(fc.property(fc.string(), (value) => {
      const safe = value.replaceAll(/['\r\\]/g, "");
      assert.deepEqual(valuesOf(`X='${safe}'\nY=1`), { X: safe, Y: "1" });
    }));
    fc.assert(fc.property(
      fc.string({ unit: fc.constantFrom("A", "=", "'", '"', "\n", " ", "#", "\\", "$", "{") }),
      (text) => void parseDotenv(text, () => undefined),
    ));
  });
});
