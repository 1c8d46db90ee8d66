import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import { canonicalJson, hasSameTrigger, revisionOf } from "../src/task.ts";
import { aTask } from "./support/build.ts";

describe("revisionOf()", () => {
  it("stays what it was: another text would declare every task anew", () => {
    const own = { args: [1, "ä", null, [true]], kwargs: { b: { d: 0.5, c: [] }, a: "x" } };
    assert.equal(revisionOf(aTask()), "a46c77ed.ac1ef4c6");
    assert.equal(revisionOf(aTask(own)), "a46c77ed.ee484760");
  });

  it("tells a change of the trigger from one of anything else", () => {
    const before = revisionOf(aTask());
    assert.ok(hasSameTrigger(before, revisionOf(aTask({ args: [1] }))));
    const trigger = { kind: "every", everyMs: 2_000, phaseMs: 0 } as const;
    assert.ok(!hasSameTrigger(before, revisionOf(aTask({ trigger }))));
  });
});

describe("canonicalJson()", () => {
  it("is JSON of the same value, whatever the order of keys", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      assert.equal(canonicalJson(turned(value)), text);
    }));
  });

  it("leaves out what JSON leaves out", () => {
    assert.equal(canonicalJson({ b: undefined, a: [undefined, 1] }), '{"a":[null,1]}');
  });
});

/** With the keys of each object in the opposite order. */
function turned(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(turned);
  const entries = Object.entries(value).map(([key, each]) => [key, turned(each)] as const);
  return Object.fromEntries(entries.reverse());
}
