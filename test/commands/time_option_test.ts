import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { checkSpan, parseSpan, parseTimeOption } from "../../src/commands/time_option.ts";
import { UsageError } from "../../src/errors.ts";

const NOW_MS = Date.parse("2026-03-10T12:00:00Z");

const taken = [
  ["24h", "2026-03-09T12:00:00.000Z"],
  ["7d", "2026-03-03T12:00:00.000Z"],
  ["1h30m", "2026-03-10T10:30:00.000Z"],
  ["500ms", "2026-03-10T11:59:59.500Z"],
  ["2026-03-01", "2026-03-01T00:00:00.000Z"],
  ["2026-03-01T08:00:00Z", "2026-03-01T08:00:00.000Z"],
  ["2026-03-01T08:00:00.25+08:00", "2026-03-01T00:00:00.250Z"],
  ["2026-03-01 08:00Z", "2026-03-01T08:00:00.000Z"],
] as const;

const refused = [
  "",
  "yesterday",
  "24",
  "2026",
  "24 hours",
  "-1h",
  "2026-02-30",
  "2026-03-01T08:00",
];

describe("parseTimeOption()", () => {
  for (const [text, expected] of taken) {
    it(`reads ${text}`, () => {
      assert.equal(new Date(parseTimeOption("--since", text, NOW_MS)).toISOString(), expected);
    });
  }

  for (const text of refused) {
    it(`refuses "${text}", naming the option`, () => {
      assert.throws(
        () => parseTimeOption("--since", text, NOW_MS),
        (error) => error instanceof UsageError && error.message.includes("`--since`"),
      );
    });
  }
});

describe("checkSpan()", () => {
  for (
    const [since, until] of [
      ["yesterday", "1h"],
      ["2026-03-01", "24"],
      ["1h", "2h"],
      ["2026-03-02", "2026-03-01"],
    ] as const
  ) {
    it(`refuses ${since} to ${until}, whatever time it is`, () => {
      assert.throws(() => checkSpan({ since, until }), UsageError);
    });
  }

  it("leaves to parseSpan() what is right at some time", () => {
    const mixed = { since: "1h", until: "2026-03-01" };
    checkSpan(mixed);
    assert.ok(parseSpan(mixed, Date.parse("2026-03-01T00:30:00Z")));
    assert.throws(() => parseSpan(mixed, NOW_MS), UsageError);
  });
});
