/** Windows against tables of instants, and against Temporal asked day by day. */

import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import assert from "node:assert/strict";
import { openingsOf, window, windowText } from "../../src/policies/window.ts";
import type { Task, WindowSpec } from "../../src/task.ts";
import { aFire, calm } from "../support/fire.ts";
import { CHANGES, nameOf } from "../triggers/changes.ts";

const HOUR_MS = 3_600_000;
const NIGHT: WindowSpec = { name: null, from: "22:00", to: "06:00", tz: "UTC", days: null };
const ms = (text: string) => Temporal.Instant.from(text).epochMilliseconds;
const textOf = (atMs: number) => Temporal.Instant.fromEpochMilliseconds(atMs).toString();

/** The start and the end of the opening that an instant lies in or before. */
function openingAt(own: Partial<WindowSpec>, at: string): [string, string] {
  const { fromMs, endMs } = openingsOf({ ...NIGHT, ...own }).at(ms(at));
  return [textOf(fromMs), textOf(endMs)];
}

const NEW_YORK = { tz: "America/New_York" };

/** 2026-01-01 is a Thursday. */
const CASES: readonly [
  name: string,
  own: Partial<WindowSpec>,
  at: string,
  opening: [string, string],
][] = [
  ["before it opens", {}, "2026-01-01T21:59:59.999Z", [
    "2026-01-01T22:00:00Z",
    "2026-01-02T06:00:00Z",
  ]],
  ["as it opens", {}, "2026-01-01T22:00:00Z", ["2026-01-01T22:00:00Z", "2026-01-02T06:00:00Z"]],
  ["after midnight", {}, "2026-01-01T00:00:00Z", ["2025-12-31T22:00:00Z", "2026-01-01T06:00:00Z"]],
  ["in its last moment", {}, "2026-01-01T05:59:59.999Z", [
    "2025-12-31T22:00:00Z",
    "2026-01-01T06:00:00Z",
  ]],
  ["as it closes", {}, "2026-01-01T06:00:00Z", ["2026-01-01T22:00:00Z", "2026-01-02T06:00:00Z"]],
  ["within a day", { from: "09:30", to: "16:00" }, "2026-01-01T16:00:00Z", [
    "2026-01-02T09:30:00Z",
    "2026-01-02T16:00:00Z",
  ]],
  ["up to midnight", { to: "00:00" }, "2026-01-02T00:00:00Z", [
    "2026-01-02T22:00:00Z",
    "2026-01-03T00:00:00Z",
  ]],
  ["in a zone of its own", { tz: "Asia/Shanghai" }, "2026-01-01T13:00:00Z", [
    "2026-01-01T14:00:00Z",
    "2026-01-01T22:00:00Z",
  ]],
  ["the morning after its last day", { days: [1, 2, 3, 4] }, "2026-01-02T05:00:00Z", [
    "2026-01-01T22:00:00Z",
    "2026-01-02T06:00:00Z",
  ]],
  ["the morning of its first day", { days: [1, 2, 3, 4] }, "2026-01-05T05:00:00Z", [
    "2026-01-05T22:00:00Z",
    "2026-01-06T06:00:00Z",
  ]],
  ["one day a week", { days: [3] }, "2026-01-01T06:00:00Z", [
    "2026-01-07T22:00:00Z",
    "2026-01-08T06:00:00Z",
  ]],
  // Clocks go forward on 8 March from 02:00 to 03:00, at 07:00 UTC.
  ["over a gap: an hour shorter", NEW_YORK, "2026-03-08T05:00:00Z", [
    "2026-03-08T03:00:00Z",
    "2026-03-08T10:00:00Z",
  ]],
  ["from a time in a gap: after it", { ...NEW_YORK, from: "02:30" }, "2026-03-08T06:59:00Z", [
    "2026-03-08T07:00:00Z",
    "2026-03-08T10:00:00Z",
  ]],
  ["to a time in a gap: after it", { ...NEW_YORK, to: "02:30" }, "2026-03-08T06:59:00Z", [
    "2026-03-08T03:00:00Z",
    "2026-03-08T07:00:00Z",
  ]],
  [
    "wholly in a gap: none that day",
    { ...NEW_YORK, from: "02:15", to: "02:45" },
    "2026-03-08T06:00:00Z",
    ["2026-03-09T06:15:00Z", "2026-03-09T06:45:00Z"],
  ],
  [
    "from the end of a gap to a time in it: the day after",
    { ...NEW_YORK, from: "03:00", to: "02:30" },
    "2026-03-08T07:00:00Z",
    ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
  ],
  // Clocks go back on 1 November from 02:00 to 01:00, at 06:00 UTC.
  ["over an overlap: an hour longer", NEW_YORK, "2026-11-01T05:00:00Z", [
    "2026-11-01T02:00:00Z",
    "2026-11-01T11:00:00Z",
  ]],
  [
    "from a time that comes twice: the first",
    { ...NEW_YORK, from: "01:30" },
    "2026-11-01T06:10:00Z",
    [
      "2026-11-01T05:30:00Z",
      "2026-11-01T11:00:00Z",
    ],
  ],
  ["to a time that comes twice: the first", { ...NEW_YORK, to: "01:30" }, "2026-11-01T06:10:00Z", [
    "2026-11-02T03:00:00Z",
    "2026-11-02T06:30:00Z",
  ]],
  // Samoa had no 30 December 2011, a Friday.
  [
    "on a day that was left out: a week later",
    { tz: "Pacific/Apia", from: "10:00", to: "12:00", days: [5] },
    "2011-12-29T00:00:00Z",
    ["2012-01-05T20:00:00Z", "2012-01-05T22:00:00Z"],
  ],
];

describe("openingsOf()", () => {
  for (const [name, own, at, opening] of CASES) {
    it(`answers ${name}`, () => assert.deepEqual(openingAt(own, at), opening));
  }

  const time = fc.tuple(fc.nat(23), fc.nat(3))
    .map(([hour, quarter]) => `${two(hour)}:${two(quarter * 15)}`);
  const aWindow = fc.record({
    from: time,
    to: time,
    tz: fc.constantFrom(...new Set(CHANGES.map(({ tz }) => tz)), "UTC", "Asia/Kathmandu"),
    days: fc.option(fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 })),
  }).filter(({ from, to }) => from !== to);
  const nearChange = fc.tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -200, max: 200 }))
    .map(([{ atMs }, steps]) => atMs + steps * HOUR_MS / 4);
  const instant = fc.integer({ min: Date.UTC(1975, 0), max: Date.UTC(2060, 0) });

  it("is what Temporal says of each day, on days of change and others", () => {
    fc.assert(
      fc.property(aWindow, fc.oneof(nearChange, instant), (own, atMs) => {
        const spec = { name: null, ...own };
        const { fromMs, endMs } = openingsOf(spec).at(atMs);
        assert.deepEqual([fromMs, endMs], openingByDays(spec, atMs));
      }),
      { numRuns: 400 },
    );
  });

  it("is the same whatever it was asked before", () => {
    fc.assert(
      fc.property(aWindow, fc.array(nearChange, { minLength: 2, maxLength: 30 }), (own, asked) => {
        const spec = { name: null, ...own };
        const openings = openingsOf(spec);
        for (const atMs of asked) {
          const { fromMs, endMs } = openings.at(atMs);
          const fresh = openingsOf(spec).at(atMs);
          assert.deepEqual([fromMs, endMs], [fresh.fromMs, fresh.endMs]);
          assert.ok(fromMs < endMs && endMs > atMs);
        }
      }),
      { numRuns: 200 },
    );
  });

  for (const change of CHANGES) {
    it(`opens once for each day around ${nameOf(change)}`, () => {
      const openings = openingsOf({ ...NIGHT, tz: change.tz });
      const starts = new Set<number>();
      for (let atMs = change.atMs - 72 * HOUR_MS; atMs < change.atMs + 72 * HOUR_MS;) {
        const { fromMs, endMs } = openings.at(atMs);
        assert.ok(endMs - fromMs <= 10 * HOUR_MS, `${endMs - fromMs} ms`);
        starts.add(fromMs);
        atMs = endMs;
      }
      assert.ok(starts.size >= 6 && starts.size <= 8, `${starts.size} openings`);
    });
  }
});

describe("window()", () => {
  const policy = window(NIGHT, openingsOf(NIGHT));
  const DAILY: Partial<Task> = { trigger: { kind: "every", everyMs: 24 * HOUR_MS, phaseMs: 0 } };
  const judge = (at: string, own = DAILY) => policy.judge(aFire(own, ms(at)), ms(at), calm());

  it("lets a fire pass while it is open", () => {
    assert.deepEqual(judge("2026-01-01T22:00:00Z"), { kind: "pass" });
    assert.deepEqual(judge("2026-01-02T05:59:59.999Z"), { kind: "pass" });
  });

  it("holds a fire until it opens, with the hours as the reason", () => {
    assert.deepEqual(judge("2026-01-02T06:00:00Z"), {
      kind: "delay",
      untilMs: ms("2026-01-02T22:00:00Z"),
      reason: "outside 22:00 to 06:00 UTC",
    });
  });

  const HOURLY: Partial<Task> = { trigger: { kind: "every", everyMs: HOUR_MS, phaseMs: 0 } };
  it("lets only the last one before it opens wait: the newer takes the place of the older", () => {
    assert.deepEqual(judge("2026-01-02T06:00:00Z", HOURLY), {
      kind: "skip",
      reason: "outside 22:00 to 06:00 UTC, and due again before it opens",
    });
    assert.equal(judge("2026-01-02T21:00:00Z", HOURLY).kind, "skip", "due as it opens");
    const halfPast = {
      trigger: { kind: "every", everyMs: HOUR_MS, phaseMs: HOUR_MS / 2 },
    } as const;
    assert.equal(judge("2026-01-02T21:30:00Z", halfPast).kind, "delay");
  });

  it("lets each wait that is to be caught up with", () => {
    const catchUp = { policy: "all", windowMs: 24 * HOUR_MS, cap: 100 } as const;
    assert.equal(judge("2026-01-02T06:00:00Z", { ...HOURLY, catchUp }).kind, "delay");
  });

  it("looks at the time of publishing, so a late catch-up is held too", () => {
    const fire = aFire(DAILY, ms("2026-01-02T03:00:00Z"));
    const verdict = policy.judge(fire, ms("2026-01-02T09:00:00Z"), calm());
    assert.equal(verdict.kind, "delay");
  });
});

describe("windowText()", () => {
  it("says hours, zone and days, and the name before them", () => {
    assert.equal(windowText(NIGHT), "22:00 to 06:00 UTC");
    assert.equal(
      windowText({ ...NIGHT, name: "off_peak", days: [1, 5] }),
      "off_peak (22:00 to 06:00 UTC mon, fri)",
    );
  });
});

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** The opening by Temporal alone: each local day's bounds, until one ends after the instant. */
function openingByDays({ from, to, tz, days }: WindowSpec, atMs: number): [number, number] {
  const today = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(tz).toPlainDate();
  for (let step = -2; step < 30; step++) {
    const day = today.add({ days: step });
    if (days !== null && !days.includes(day.dayOfWeek)) continue;
    const fromMs = firstShown(day, from, tz);
    const endMs = firstShown(to < from ? day.add({ days: 1 }) : day, to, tz);
    if (fromMs < endMs && endMs > atMs) return [fromMs, endMs];
  }
  throw new Error("expected an opening within a month");
}

/** A reading's first pass; where the clocks skip it, the first instant after the gap. */
function firstShown(day: Temporal.PlainDate, time: string, tz: string): number {
  const reading = day.toPlainDateTime(Temporal.PlainTime.from(time));
  const zoned = reading.toZonedDateTime(tz, { disambiguation: "earlier" });
  if (zoned.toPlainDateTime().equals(reading)) return zoned.epochMilliseconds;
  return zoned.getTimeZoneTransition("next")!.epochMilliseconds;
}
