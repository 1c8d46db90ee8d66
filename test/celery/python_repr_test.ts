/** Printed arguments against Celery's own `saferepr`. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";
import { pythonRepr } from "../../src/celery/python_repr.ts";
import { findPython } from "../support/celery_worker.ts";
import { needs } from "../support/needs.ts";

describe("pythonRepr()", () => {
  const cases: [value: unknown, printed: string][] = [
    [{}, "{}"],
    [[], "[]"],
    [[1, "zwei", null, true, 1.5], "[1, 'zwei', None, True, 1.5]"],
    [{ a: { b: [1, {}] } }, "{'a': {'b': [1, {...}]}}"],
    [["it's"], "['it\\'s']"],
    [[0.0001, 0.00001, 1.5e-7, -0.00002], "[0.0001, 1e-05, 1.5e-07, -2e-05]"],
    [{ näme: "日本 😀" }, "{'näme': '日本 😀'}"],
  ];
  for (const [value, printed] of cases) {
    it(`prints ${printed}`, () => assert.equal(pythonRepr(value), printed));
  }

  it("is cut at 1024 characters, its brackets closed", () => {
    assert.equal(pythonRepr(["x".repeat(2_000), 1]), `['${"x".repeat(1023)}...', ...]`);
    assert.ok(pythonRepr([Array.from({ length: 5_000 }, (_, index) => index)]).endsWith(", ...]]"));
  });
});

/** Prints each line's value as Celery would for a message: one process for all samples. */
const SAFEREPR = `
import json, sys
from celery.utils.saferepr import saferepr
sys.stdout.reconfigure(encoding="utf-8")
for line in sys.stdin.buffer:
    print(json.dumps(saferepr(json.loads(line), 1024)))
`;

needs("celery").describe("pythonRepr() beside Celery", () => {
  it("prints what Celery prints", async () => {
    const text = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.stringMatching(/^[a-z' ]{0,1500}$/),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "medium" },
        fc.constantFrom(null, true, false),
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }),
        fc.double({ noNaN: true, min: -1e-3, max: 1e-3 }),
        text,
        fc.array(tie("value"), { maxLength: 6 }),
        fc.dictionary(text, tie("value"), { maxKeys: 6 }),
      ),
    }));
    const samples = fc.sample(value, 400);
    const lines = samples.map((sample) => JSON.stringify(sample));
    const printed = await printWithCelery(lines);
    assert.equal(printed.length, samples.length);
    for (const [index, line] of lines.entries()) {
      // As the worker sees it: -0 has become 0, and 1.0 has become 1.
      assert.equal(pythonRepr(JSON.parse(line)), printed[index], line);
    }
  });
});

async function printWithCelery(lines: readonly string[]): Promise<string[]> {
  const child = new Deno.Command(findPython()!, {
    args: ["-c", SAFEREPR],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const sent = writer.write(new TextEncoder().encode(lines.join("\n") + "\n"))
    .then(() => writer.close());
  const [{ stdout }] = await Promise.all([child.output(), sent]);
  return new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
}
