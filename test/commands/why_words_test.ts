import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Cause } from "../../src/audit/cause.ts";
import { scheduleAt } from "../../src/audit/schedule_then.ts";
import type { RowContext } from "../../src/commands/why_words.ts";
import {
  awaitedText,
  causeText,
  leadingText,
  rowSentence,
  scheduleSentences,
} from "../../src/commands/why_words.ts";
import type { JournalRow } from "../../src/event.ts";
import { T0 } from "../support/build.ts";

const OWNERS = new Map([[1, "host:1:a"]]);

function schedule(expression: string, tz: string, dueMs: number): string[] {
  const spec = { kind: "cron", expression, tz } as const;
  const then = scheduleAt([], dueMs, { spec, queue: "q", expiresMs: null });
  return scheduleSentences(then, dueMs, true).map(({ text }) => text);
}

describe("scheduleSentences()", () => {
  const cases: [string, string, string, string, RegExp | null][] = [
    ["UTC has no word on it", "0 3 * * *", "UTC", "2026-03-08T03:00Z", null],
    [
      "elsewhere the local time",
      "0 3 * * *",
      "America/New_York",
      "2026-07-01T07:00Z",
      /^that was 2026-07-01T03:00:00 by the clock of its zone$/,
    ],
    [
      "a reading that the clocks went over",
      "30 2 * * *",
      "America/New_York",
      "2026-03-08T07:00Z",
      /^2026-03-08T02:30:00 did not exist there: the clocks went forward/,
    ],
    [
      "a reading that came twice",
      "30 1 * * *",
      "America/New_York",
      "2026-11-01T05:30Z",
      /^2026-11-01T01:30:00 came twice there: the clocks went back, and this is the first/,
    ],
  ];
  for (const [name, expression, tz, due, wanted] of cases) {
    it(`tells ${name}`, () => {
      const [by, note] = schedule(expression, tz, Date.parse(due));
      assert.ok(by!.startsWith(`due by cron ${expression} ${tz} (as the configuration says now`));
      if (wanted === null) assert.equal(note, undefined);
      else assert.match(note!, wanted);
    });
  }
});

describe("rowSentence()", () => {
  const context: RowContext = {
    ...{ publishedMs: T0 + 4, owners: OWNERS, queue: "maintenance", expiresMs: 2_000 },
    taskIdOf: () => "the-id",
  };
  const tell = (type: string, detail: Record<string, unknown> = {}, atMs = 1_004) => {
    const row: JournalRow = {
      ...{ id: `${T0 + atMs}-0`, version: 1, type, task: "report", dueMs: T0 },
      ...{ decidedMs: T0 + atMs, fence: 1, detail },
    };
    return rowSentence(row, context).text;
  };
  const cases: [string, string, RegExp][] = [
    [
      "a publish",
      tell("fire.published", {}, 4),
      /^published to queue maintenance, 4 ms after it was due, by host:1:a \(fence 1\) as Celery task the-id; it expires at 2026-01-01T00:00:02.004Z$/,
    ],
    ["a new attempt", tell("fire.published", { attempt: 1 }), /^published anew \(attempt 2\) to/],
    [
      "a take",
      tell("fire.taken", { by: "unacked", worker: "io@host" }),
      /^io@host took it, 1 s after the publish; seen by the broker \(reserved\)$/,
    ],
    [
      "an ack",
      tell("fire.acked", { by: "result" }),
      /^a worker acknowledged it, 1 s .* its result$/,
    ],
    ["an end", tell("fire.finished", { outcome: "failure", runtimeMs: 50 }), /failure, ran 50 ms$/],
    ["an expiry", tell("fire.expired", { reason: "ttl", by: "beat" }), /^expired: its own end/],
    ["a redelivery", tell("fire.redelivered", { deliveries: 2 }), /^delivered again, 2 times now/],
    ["what a newer build wrote", tell("fire.lent", { to: "x" }), /^fire\.lent \{"to":"x"\}$/],
    [
      "a row that is not as it should be",
      tell("fire.taken", { by: 5 }),
      /^fire\.taken \{"by":5\}$/,
    ],
  ];
  for (const [name, said, wanted] of cases) it(`tells ${name}`, () => assert.match(said, wanted));
});

describe("what a story ends with", () => {
  const look = { list: "maintenance", wrongType: null, depth: 1, oldestMs: T0, workers: [] };
  const span = { fromMs: T0, untilMs: T0 + 60_000 };
  const causes: [Cause, RegExp][] = [
    [
      { kind: "nobody led", ...span, sameOwner: false },
      /^Beat was not running from .* to .*Z: nobo/,
    ],
    [
      { kind: "nobody led", ...span, sameOwner: true },
      /the same replica led again: .* set forward$/,
    ],
    [
      { kind: "nobody led", fromMs: T0, untilMs: null, sameOwner: false },
      /^Beat is not running: nobody has led since .*; start it with `beat run`$/,
    ],
    [
      { kind: "nobody led", fromMs: null, untilMs: null, sameOwner: false },
      /^no Beat has ever led in this namespace of this broker: see/,
    ],
    [
      { kind: "clock behind", byMs: 3_600_000 },
      /^the clock of Redis is 1 h behind what was decided/,
    ],
    [
      { kind: "no worker", isThen: false },
      /^no worker consumes maintenance: start one with -Q main/,
    ],
    [
      { kind: "no list", type: "string" },
      /^nothing can be published to maintenance: its key holds a string, not a list; move/,
    ],
    [{ kind: "switched off", sinceMs: T0, by: "X=false" }, /switched off at .*: now by X=false$/],
    [
      { kind: "waits behind", heldMs: T0, by: "window" },
      /^window holds the fire that was due at 2026-01-01T00:00:00Z, and those after it follow/,
    ],
  ];
  for (const [cause, wanted] of causes) {
    it(`is the cause: ${cause.kind}, ${wanted}`, () =>
      assert.match(causeText(cause, look), wanted));
  }

  it("is who led, and what is awaited", () => {
    const vacant = { kind: "vacant", fence: 1, fromMs: T0, reason: "stopped" } as const;
    assert.match(
      leadingText({ ...vacant, untilMs: null, nextFence: null }, OWNERS),
      /^nobody led: host:1:a \(fence 1\) ended at .* \(stopped\); nobody has led since$/,
    );
    assert.match(
      awaitedText({ what: "take", untilMs: T0, then: "expire" }),
      /^awaited: a worker to take it, until 2026-01-01T00:00:00.000Z; after that it expires$/,
    );
  });
});
