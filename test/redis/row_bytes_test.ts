/** Rows as bytes: each entry is there once, and what stands in a line is what the entry says. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { decodeRow, LINE_FIELDS, VALUE_END } from "../../src/row_text.ts";
import type { Entry } from "../../src/redis/entry_parser.ts";
import { rowBytesParser } from "../../src/redis/row_bytes.ts";
import { answerOf } from "../support/redis_answer.ts";

const NAMES = ["v", "t", "k", "d", "m", "f", "p"];

const number = fc.oneof(
  fc.integer().map(String),
  fc.constantFrom("", "007", "1e3", "-0", "-", "123456789012345", "1234567890123456", " 5", "x"),
);
const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.constantFrom(
    "a.task",
    "ein.für.東京",
    "with\x1fdelimiter",
    "two\nlines",
    "two\r\nlines",
    "\0",
  ),
);
const type = fc.oneof(fc.constantFrom("p", "a", "task.known", "task.changed", ""), text);
const payload = fc.oneof(
  fc.constant(""),
  fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.stringify(value)),
  fc.constantFrom("[]", "{", "null", "{} ", "{no}"),
);
const values = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constant("1"), type, text, number, number, number, payload) },
  {
    weight: 1,
    arbitrary: fc.tuple(...[..."1p"].map(fc.constant), text, ...Array(3).fill(number), payload),
  },
) as fc.Arbitrary<string[]>;
const fields = fc.oneof(
  { weight: 4, arbitrary: values.map((all) => NAMES.flatMap((name, at) => [name, all[at]!])) },
  { weight: 1, arbitrary: fc.array(text, { maxLength: 40 }) },
);
const entries = fc.array(fields, { maxLength: 6 })
  .map((all) => all.map((each, at): Entry => [`17955703800${at}0-${at}`, each]));

describe("rowBytesParser()", () => {
  it("has each entry of an answer that comes in pieces, and of the one behind it", () => {
    const answers = fc.array(entries, { maxLength: 4 });
    fc.assert(fc.property(answers, fc.array(fc.nat({ max: 90 })), (wanted, sizes) => {
      const parser = rowBytesParser();
      for (const answer of wanted) {
        let bytes = Buffer.from(answerOf(answer));
        for (const size of sizes) {
          const piece = bytes.subarray(0, Math.min(size, bytes.length - 1));
          assert.equal(parser.push(piece), null);
          bytes = bytes.subarray(piece.length);
        }
        const got = parser.push(bytes)!;
        assert.equal(got.count, answer.length);
        assert.equal(got.lastId, answer.at(-1)?.[0] ?? "");
        const lines = answer.filter(isLine);
        assert.deepEqual(Buffer.from(got.lines).toString(), lines.map(lineOf).join(""));
        assert.deepEqual(got.others, answer.filter((entry) => !isLine(entry)));
      }
    }));
  });

  it("takes most rows for lines, and none for one that could not be read", () => {
    let [lines, all] = [0, 0];
    fc.assert(fc.property(values, (own) => {
      const entry: Entry = ["1-0", NAMES.flatMap((name, at) => [name, own[at]!])];
      all++;
      if (!isLine(entry)) return;
      lines++;
      const row = decodeRow(...entry);
      assert.ok(typeof row !== "string" || /JSON object/.test(row), String(row));
    }));
    assert.ok(lines > all / 20, `${lines} of ${all}`);
  });

  it("keeps texts that are no UTF-8, and very long ones, out of the lines", () => {
    const rowOf = (task: string): Entry => [
      "1-0",
      NAMES.flatMap((name, at) => [name, ["1", "p", task, "1", "1", "1", ""][at]!]),
    ];
    const bytes = Buffer.from(answerOf([rowOf("xx")]));
    bytes.set([0xc3, 0x28], bytes.indexOf("xx"));
    const got = rowBytesParser().push(bytes)!;
    assert.deepEqual([got.lines.length, got.others], [0, [rowOf("\ufffd(")]]);
    const long = [rowOf("x".repeat(2_000_000)), rowOf("y")];
    const { others, lines } = rowBytesParser().push(Buffer.from(answerOf(long)))!;
    assert.deepEqual(others, [long[0]]);
    assert.equal(Buffer.from(lines).toString(), lineOf(long[1]!));
  });

  it("does not take another kind of answer for entries", () => {
    const push = (text: string) => rowBytesParser().push(Buffer.from(text));
    assert.throws(() => push("+OK\r\n"), /expected entries/);
    assert.throws(() => push("*01\r\n"), /expected entries/);
    assert.throws(() => push("*1\r\n*2\r\n$-1\r\n"), /expected entries/);
    assert.throws(() => push("-ERR no\r\n"), { message: "ERR no", name: "ReplyError" });
    assert.equal(push("-ERR n"), null);
  });
});

/** Written down once more, on strings. */
function isLine([, fields]: Entry): boolean {
  const own = fields.filter((_, at) => at % 2 === 1);
  const [v, t, , d, m, f, p] = own as [string, string, string, string, string, string, string];
  const isWhole = (value: string) => /^-?\d{1,15}$/.test(value);
  return fields.length === 14 && NAMES.every((name, at) => fields[2 * at] === name) &&
    t !== "" && (d === "" || isWhole(d)) && [v, m, f].every(isWhole) &&
    // deno-lint-ignore no-control-regex
    /^(\{[^]*\})?$/.test(p) && !/[\x00-\x1f]/.test(own.join(""));
}

function lineOf([id, fields]: Entry): string {
  const valueOf = (name: string) => fields[2 * NAMES.indexOf(name) + 1];
  return `${
    [...id.split("-"), ...LINE_FIELDS.slice(2).map(valueOf)].join(String.fromCharCode(VALUE_END))
  }\n`;
}
