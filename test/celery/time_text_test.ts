/** Time texts: one form written, every form of Celery read. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseTimeText, timeText } from "../../src/celery/time_text.ts";

/** Years 1000 to 9999, as far as four digits go; with room for a step of some milliseconds. */
const anyMs = fc.integer({
  min: Date.UTC(1000, 0, 2),
  max: Date.UTC(9999, 11, 30),
});

describe("timeText()", () => {
  it("writes six digits and an offset, whatever was asked before", () => {
    fc.assert(fc.property(anyMs, fc.integer({ min: -3, max: 3 }), (timeMs, stepMs) => {
      for (const ms of [timeMs, timeMs + stepMs]) {
        assert.equal(timeText(ms), new Date(ms).toISOString().replace("Z", "000+00:00"));
      }
    }));
  });

  it("turns the day at midnight", () => {
    const midnight = Date.UTC(2027, 0, 1);
    assert.equal(timeText(midnight - 1), "2026-12-31T23:59:59.999000+00:00");
    assert.equal(timeText(midnight), "2027-01-01T00:00:00.000000+00:00");
  });
});

describe("parseTimeText()", () => {
  it("reads back what was written", () => {
    fc.assert(fc.property(anyMs, (timeMs) => parseTimeText(timeText(timeMs)) === timeMs));
  });

  it("takes a time without an offset for UTC, wherever it is read", () => {
    assert.equal(parseTimeText("2026-11-24T18:51:45.971398"), 1795546305971);
    assert.equal(parseTimeText("2026-11-24T18:51:45"), 1795546305000);
  });

  it("is null for what is no such text", () => {
    for (
      const value of ["", "tomorrow", "2026-11-24", "2026-13-01T00:00:00Z", 17, null, undefined]
    ) {
      assert.equal(parseTimeText(value), null);
    }
  });
});
