/** Lines of segments: what is written of a row, and of an entry without a look into it. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import { lineOf, lineOfEntry } from "../../src/archive/line.ts";
import { decodeRow } from "../../src/event.ts";

describe("lineOfEntry()", () => {
  it("writes what lineOf() writes of the row, whatever stands in it", () => {
    const number = fc.oneof(
      fc.integer().map(String),
      fc.constantFrom("", "007", "1e3", "-0", "12345678901234567890", " 5", "x"),
    );
    const payload = fc.oneof(
      fc.constant(""),
      fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.stringify(value)),
      fc.constantFrom("[]", "{", "null", "{} "),
    );
    const text = fc.string({ unit: "grapheme" });
    const type = fc.oneof(fc.constantFrom("p", "a", "task.dropped"), text);
    fc.assert(
      fc.property(number, type, text, number, number, number, payload, (v, t, k, d, m, f, p) => {
        const fields = ["v", v, "t", t, "k", k, "d", d, "m", m, "f", f, "p", p];
        const row = decodeRow("1-0", fields);
        const wanted = typeof row === "string"
          ? { id: "1-0", foreign: row }
          : JSON.parse(lineOf(row));
        assert.deepEqual(JSON.parse(lineOfEntry("1-0", fields)), wanted);
      }),
    );
  });
});
