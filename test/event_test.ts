/** Rows written and read: every type comes back, and what a newer build writes passes through. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import { DETAIL, type EventType, recordedMs, type Row, ROW_VERSION, rowOf } from "../src/event.ts";
import { decodeRow, encodeRow, ROW_FIELDS } from "../src/row_text.ts";
import { aRow, T0 } from "./support/build.ts";

const TYPES = Object.keys(DETAIL) as EventType[];

describe("encodeRow() and decodeRow()", () => {
  it("bring every row back, whatever it carries", () => {
    fc.assert(fc.property(anyRow(), fc.nat(), (row, fence) => {
      const read = readBack(row, fence);
      assert.ok(typeof read !== "string", String(read));
      const { type, task, dueMs, decidedMs, detail } = row;
      assert.deepEqual(read, {
        id: `${T0}-0`,
        version: ROW_VERSION,
        type,
        task,
        dueMs,
        decidedMs,
        fence,
        detail: JSON.parse(JSON.stringify(detail)),
      });
    }));
  });

  it("give each type another name on the wire", () => {
    const wire = TYPES.map((type) => encodeRow({ ...aRow(), type } as Row)[0]);
    assert.equal(new Set(wire).size, TYPES.length);
  });

  it("write an empty payload as nothing", () => {
    assert.deepEqual(encodeRow(aRow({ dueMs: T0, decidedMs: T0 + 12 })), [
      "p",
      String(T0),
      "12",
      "",
    ]);
  });

  it("let types and fields through that a newer build writes", () => {
    const fields = ["v", "2", "t", "fire.teleported", "k", "a", "d", "", "m", "5", "f", "1"];
    const row = decodeRow(`${T0}-3`, [...fields, "p", '{"to":"mars"}', "z", "new"]);
    assert.deepEqual(row, {
      id: `${T0}-3`,
      version: 2,
      type: "fire.teleported",
      task: "a",
      dueMs: null,
      decidedMs: 5,
      fence: 1,
      detail: { to: "mars" },
    });
  });

  it("do not mind the order of the fields, or a payload that is left out", () => {
    const fields = ["f", "1", "m", "5", "d", "7", "k", "a", "t", "p", "v", "1"];
    const row = decodeRow("1-0", fields);
    assert.ok(typeof row !== "string");
    assert.deepEqual([row.type, row.dueMs, row.decidedMs, row.detail], [
      "fire.published",
      7,
      12,
      {},
    ]);
  });

  it("say why an entry is not a row", () => {
    const good = { v: "1", t: "p", k: "a", d: "7", m: "5", f: "1", p: "" };
    const cases: readonly [Partial<Record<keyof typeof good, string | null>>, RegExp][] = [
      [{ v: null }, /fields v, t, k, m and f, got t, k/],
      [{ t: null }, /expected an entry with the fields/],
      [{ f: null }, /expected an entry with the fields/],
      [{ d: "soon" }, /whole numbers .*got 1, soon/],
      [{ m: "0.5" }, /whole numbers/],
      [{ f: "x" }, /whole numbers/],
      [{ p: "{" }, /JSON object in p, got {/],
      [{ p: "[]" }, /JSON object/],
      [{ p: "null" }, /JSON object/],
      [{ p: "7" }, /JSON object/],
    ];
    for (const [change, why] of cases) {
      const fields = Object.entries({ ...good, ...change })
        .flatMap(([name, value]) => value === null ? [] : [name, value]);
      const read = decodeRow("1-0", fields);
      assert.ok(typeof read === "string", JSON.stringify(change));
      assert.match(read, why);
    }
    assert.match(String(decodeRow("1-0", ["job", "x"])), /got job/);
  });
});

describe("rowOf()", () => {
  it("narrows a row of the type asked for, and keeps fields that it does not know", () => {
    const row = readBack({
      ...aRow(),
      type: "fire.acked",
      detail: { by: "result", worker: "w1", mood: "fine" },
    }, 1);
    assert.ok(typeof row !== "string");
    assert.deepEqual(rowOf(row, "fire.acked")?.detail, {
      by: "result",
      worker: "w1",
      mood: "fine",
    });
    assert.equal(rowOf(row, "fire.taken"), null);
  });

  it("is null for a detail that is not what the type has", () => {
    const row = readBack({ ...aRow(), type: "fire.acked", detail: {} } as unknown as Row, 1);
    assert.ok(typeof row !== "string");
    assert.equal(rowOf(row, "fire.acked"), null);
  });
});

describe("recordedMs()", () => {
  it("is the first part of the stream id", () => {
    const row = decodeRow(`${T0 + 7}-12`, ["v", "1", "t", "p", "k", "a", "m", "0", "f", "1"]);
    assert.ok(typeof row !== "string");
    assert.equal(recordedMs(row), T0 + 7);
  });
});

/** As a script puts it into the stream. */
function readBack(row: Row, fence: number) {
  const [type, due, decided, payload] = encodeRow(row);
  const values = [String(ROW_VERSION), type, row.task, due, decided, String(fence), payload];
  return decodeRow(`${T0}-0`, ROW_FIELDS.flatMap((name, index) => [name, values[index]!]));
}

/** Rows of every type; their details are any JSON, since a newer build may add to them. */
function anyRow(): fc.Arbitrary<Row> {
  const ms = fc.integer({ min: -1e12, max: 1e13 });
  const detail = fc.dictionary(
    fc.string().filter((name) => name !== "__proto__"),
    fc.jsonValue(),
  );
  return fc.record({
    type: fc.constantFrom(...TYPES),
    task: fc.stringMatching(/^[A-Za-z0-9_.:-]*$/),
    dueMs: fc.option(ms),
    decidedMs: ms,
    detail,
  }) as unknown as fc.Arbitrary<Row>;
}
