import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { once } from "../../src/triggers/once.ts";

describe("once()", () => {
  const atMs = Date.UTC(2026, 0);
  const trigger = once({ atMs });

  it("is due at its instant and never again", () => {
    assert.equal(trigger.next(atMs - 1), atMs);
    assert.equal(trigger.next(atMs), null);
    assert.equal(trigger.last(atMs - 1), null);
    assert.equal(trigger.last(atMs), atMs);
    assert.equal(trigger.last(atMs + 1e9), atMs);
  });

  it("counts itself in (after, until]", () => {
    assert.equal(trigger.count(atMs - 1, atMs), 1);
    assert.equal(trigger.count(atMs, atMs + 1), 0);
    assert.equal(trigger.count(atMs - 2, atMs - 1), 0);
  });

  it("refuses what is no instant", () => {
    for (const wrong of [NaN, Infinity, 0.5, 9e15]) {
      assert.throws(() => once({ atMs: wrong }), /`atMs`.*whole number/);
    }
  });
});
