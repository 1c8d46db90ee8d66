/** What an earlier fire does to the next. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { AGAIN_MS, overlap } from "../../src/policies/overlap.ts";
import { T0 } from "../support/build.ts";
import { aFire, calm } from "../support/fire.ts";

const EARLIER = `check.echo@${T0 - 2000}`;
const RUNNING = calm({ running: [EARLIER, `check.echo@${T0 - 1000}`] });

describe("overlap()", () => {
  for (const mode of ["skip", "wait"] as const) {
    it(`${mode} passes where nothing runs`, () => {
      assert.deepEqual(overlap(mode).judge(aFire(), T0, calm()), { kind: "pass" });
    });
  }

  it("skips, and names the oldest that has not ended", () => {
    assert.deepEqual(overlap("skip").judge(aFire(), T0, RUNNING), {
      kind: "skip",
      reason: `${EARLIER} has not ended`,
    });
  });

  it("says the same of each fire that one earlier fire keeps out", () => {
    const judge = (dueMs: number) => overlap("skip").judge(aFire({}, dueMs), dueMs, RUNNING);
    assert.deepEqual(judge(T0), judge(T0 + 60_000));
  });

  it("waits for that fire, and looks again after a second", () => {
    assert.deepEqual(overlap("wait").judge(aFire(), T0 + 5, RUNNING), {
      kind: "wait",
      cause: EARLIER,
      againMs: T0 + 5 + AGAIN_MS,
      reason: `${EARLIER} has not ended`,
    });
  });
});
