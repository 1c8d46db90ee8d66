/** What may hold a task back, as `beat validate` and `beat tasks` say it. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";

import { policyTexts } from "../../src/commands/policy_text.ts";
import type { PolicySpecs } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import { specOf } from "../support/calendars.ts";

const JITTER = { kind: "fixed", maxMs: 90_000, seed: "beat", place: null } as const;
const SESSION = { match: "any", leadMs: 0, lagMs: 0, unknown: "fire" } as const;

const CASES: readonly [Partial<PolicySpecs>, string[]][] = [
  [{}, []],
  [{ window: { name: "off_peak", from: "22:00", to: "06:00", tz: "UTC", days: [1, 2] } }, [
    "window off_peak (22:00 to 06:00 UTC mon, tue)",
  ]],
  [{ jitter: JITTER }, ["jitter up to 1m30s, the same for each fire"]],
  [{ jitter: { ...JITTER, kind: "per-fire" } }, ["jitter up to 1m30s, another for each fire"]],
  [{ jitter: { ...JITTER, kind: "even", place: { group: "g", index: 2, count: 5 } } }, [
    "jitter up to 1m30s, place 3 of 5 in g",
  ]],
  [{ overlap: "wait", session: { ...SESSION, calendars: [specOf("XNYS")] } }, [
    "session XNYS",
    "overlap wait",
  ]],
  [{
    session: { ...SESSION, match: "all", lagMs: 60_000, calendars: ["XNYS", "XLON"].map(specOf) },
  }, [
    "session XNYS and XLON, until 1m after the close",
  ]],
];

describe("policyTexts()", () => {
  for (const [own, expected] of CASES) {
    it(`says ${expected.join("; ") || "nothing of no policies"}`, () =>
      assert.deepEqual(policyTexts({ policies: { ...NO_POLICIES, ...own } }), expected));
  }
});
