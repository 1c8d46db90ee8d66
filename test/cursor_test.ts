/** Cursors as text. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import { decodeCursor, encodeCursor, LOG_CURSOR } from "../src/cursor.ts";
import { TASK_NAME } from "../src/fire.ts";

describe("encodeCursor() and decodeCursor()", () => {
  it("bring every cursor back", () => {
    const ms = fc.integer({ min: -1e12, max: 1e13 });
    const pending = fc.record(
      { notBeforeMs: ms, by: fc.stringMatching(/^[a-z]{1,10}(:[a-z_.]{1,10})?$/) },
      { noNullPrototype: true },
    );
    const cursor = fc.record(
      { dueMs: ms, revision: fc.stringMatching(/^[0-9a-z.]{1,20}$/), pending },
      { noNullPrototype: true, requiredKeys: ["dueMs", "revision"] },
    );
    fc.assert(fc.property(cursor, (each) => {
      assert.deepEqual(decodeCursor(encodeCursor(each)), each);
    }));
  });

  it("refuse what is not a cursor", () => {
    for (
      const text of [
        "",
        "5",
        "5 ",
        "soon a.b",
        "0.5 a.b",
        "5 a.b 6",
        "5 a.b 6 ",
        "5 a.b soon by",
        "5 a.b 6 by x",
      ]
    ) {
      assert.throws(() => decodeCursor(text), /expected a cursor/, `"${text}"`);
    }
  });
});

describe("LOG_CURSOR", () => {
  it("has names that no task can have", () => {
    for (const each of Object.values(LOG_CURSOR)) assert.doesNotMatch(each, TASK_NAME);
  });
});
