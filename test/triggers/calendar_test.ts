/** Calendars against the examples of their README, and against its rules done by Temporal. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";

import type { MarketState } from "../../src/triggers/calendar.ts";
import { calendarOf, dateText, DAY_MS, dayNumber } from "../../src/triggers/calendar.ts";
import { BOOK, isOpenByRule, localMs, ruledSessions, specOf } from "../support/calendars.ts";

/** Calendar, local time, and what it is then. */
const STATES: readonly (readonly [string, string, MarketState])[] = [
  // Reading, rule 4: open at the open, closed at the close, open at the end of a break.
  ["XNYS", "2026-01-05T09:29:59.999", "closed"],
  ["XNYS", "2026-01-05T09:30", "open"],
  ["XNYS", "2026-01-05T15:59:59.999", "open"],
  ["XNYS", "2026-01-05T16:00", "closed"],
  ["XHKG", "2026-01-05T11:59:59.999", "open"],
  ["XHKG", "2026-01-05T12:00", "closed"],
  ["XHKG", "2026-01-05T13:00", "open"],
  ["XSHG", "2026-01-05T11:30", "closed"],
  ["XSHG", "2026-01-05T13:00", "open"],
  ["XTKS", "2026-01-05T12:29:59.999", "closed"],
  ["XTKS", "2026-01-05T12:30", "open"],
  // A Saturday, a holiday, a half day.
  ["XNYS", "2026-01-03T12:00", "closed"],
  ["XNYS", "2026-07-03T12:00", "closed"],
  ["XNYS", "2026-11-27T12:59:59.999", "open"],
  ["XNYS", "2026-11-27T13:00", "closed"],
  // Rule 3: a half day that ends at the lunch break has none.
  ["XHKG", "2026-12-24T11:59:59.999", "open"],
  ["XHKG", "2026-12-24T12:00", "closed"],
  ["XHKG", "2026-12-24T13:30", "closed"],
  // Overnight: Sunday evening is in Monday's session; an hour of maintenance between two sessions.
  ["CMES", "2026-01-04T16:59:59.999", "closed"],
  ["CMES", "2026-01-04T17:00", "open"],
  ["CMES", "2026-01-05T03:00", "open"],
  ["CMES", "2026-01-05T16:00", "closed"],
  ["CMES", "2026-01-05T16:30", "closed"],
  ["CMES", "2026-01-05T17:00", "open"],
  ["CMES", "2026-01-09T16:00", "closed"],
  ["CMES", "2026-01-09T18:00", "closed"],
  // A holiday of CMES ends at 17:00 that day.
  ["CMES", "2026-01-01T16:59:59.999", "closed"],
  ["CMES", "2026-01-01T17:00", "open"],
  ["CMES", "2025-12-24T18:00", "closed"],
  // The pause, until the trade date 2021-06-25; it falls away where the session ends before.
  ["CMES", "2021-06-25T15:14:59.999", "open"],
  ["CMES", "2021-06-25T15:15", "closed"],
  ["CMES", "2021-06-25T15:30", "open"],
  ["CMES", "2021-06-28T15:15", "open"],
  ["CMES", "2020-11-26T11:59:59.999", "open"],
  ["CMES", "2020-11-26T12:00", "closed"],
  // Hours that changed.
  ["XTKS", "2024-11-01T15:00", "closed"],
  ["XTKS", "2024-11-05T15:29:59.999", "open"],
  ["XTKS", "2024-11-05T15:30", "closed"],
  // Beyond what is known; Shanghai's 2027 is not.
  ["XSHG", "2026-12-31T14:59:59.999", "open"],
  ["XSHG", "2026-12-31T23:59:59.999", "closed"],
  ["XSHG", "2027-01-01T00:00", "unknown"],
  ["XSHG", "2027-01-04T10:00", "unknown"],
  ["XNYS", "2027-12-31T15:59:59.999", "open"],
  ["XNYS", "2028-01-01T00:00", "unknown"],
  ["XNYS", "2019-12-31T23:59:59.999", "unknown"],
  ["CMES", "2019-12-31T18:00", "unknown"],
  ["24/7", "2019-12-31T23:59:59.999", "unknown"],
  ["24/7", "2020-01-01T00:00", "open"],
  ["24/7", "2026-01-03T00:00", "open"],
  ["24/7", "2026-07-04T23:59:59.999", "open"],
  ["24/7", "2027-12-31T23:59:59.999", "open"],
  ["24/7", "2028-01-01T00:00", "unknown"],
  // What other sources say otherwise (see *Disagreements*).
  ["XHKG", "2023-09-01T10:00", "closed"],
  ["XHKG", "2023-09-08T10:00", "closed"],
  ["XHKG", "2020-08-19T13:29:59.999", "closed"],
  ["XHKG", "2020-08-19T13:30", "open"],
  ["XHKG", "2021-06-28T13:30", "open"],
  ["XHKG", "2022-08-25T12:59:59.999", "closed"],
  ["XHKG", "2022-08-25T13:00", "open"],
  ["XHKG", "2023-10-09T13:30", "closed"],
  ["XHKG", "2023-10-09T14:00", "open"],
  ["XHKG", "2022-11-02T13:54:59.999", "open"],
  ["XHKG", "2022-11-02T13:55", "closed"],
  ["XHKG", "2021-04-06T10:00", "closed"],
  ["XHKG", "2026-04-07T10:00", "closed"],
  ["XHKG", "2021-12-27T10:00", "closed"],
  ["XHKG", "2022-12-27T10:00", "closed"],
  ["XHKG", "2023-10-03T10:00", "open"],
  ["XHKG", "2024-09-06T10:00", "closed"],
  ["XLON", "2022-05-30T10:00", "open"],
  ["XLON", "2022-06-02T10:00", "closed"],
  ["XETR", "2020-06-01T10:00", "closed"],
  ["XETR", "2022-06-06T10:00", "open"],
  ["XETR", "2026-12-31T10:00", "closed"],
  ["XETR", "2026-12-30T13:59:59.999", "open"],
  ["XETR", "2026-12-30T14:00", "closed"],
  ["XSHG", "2024-02-09T10:00", "closed"],
  ["XTKS", "2020-10-01T10:00", "closed"],
  ["CMES", "2023-11-24T12:14:59.999", "open"],
  ["CMES", "2023-11-24T12:15", "closed"],
  ["CMES", "2026-12-24T12:15", "closed"],
  ["CMES", "2023-07-03T12:15", "closed"],
  ["CMES", "2024-03-29T10:00", "closed"],
  ["CMES", "2026-04-03T08:14:59.999", "open"],
  ["CMES", "2026-04-03T08:15", "closed"],
  ["CMES", "2025-01-09T08:29:59.999", "open"],
  ["CMES", "2025-01-09T08:30", "closed"],
];

describe("calendarOf() on the examples of env/calendars/README.md", () => {
  for (const [name, local, state] of STATES) {
    it(`${name} at ${local} is ${state}`, () => {
      const spec = specOf(name);
      assert.equal(calendarOf(spec).stateAt(localMs(spec.tz, local)), state);
    });
  }
});

const SPECS = BOOK.all.map(({ spec }) => spec);
const aSpec = fc.constantFrom(...SPECS);
/** From a month before the first date to a month after the last. */
const instant = fc.integer({ min: Date.UTC(2019, 11), max: Date.UTC(2028, 1) });

/** Days on which the clocks of some calendar change. */
const CHANGES = ["2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01"];

describe("calendarOf()", () => {
  it("says at random instants what the rules say", () => {
    fc.assert(
      fc.property(aSpec, instant, (spec, atMs) => {
        const wanted = { true: "open", false: "closed", null: "unknown" }[
          `${isOpenByRule(spec, atMs)}`
        ];
        assert.equal(calendarOf(spec).stateAt(atMs), wanted, `${spec.mic} ${atMs}`);
      }),
      { numRuns: 3_000 },
    );
  });

  for (const { mic, tz } of SPECS) {
    it(`has the sessions of ${mic} that the rules give, to the millisecond, clock changes included`, () => {
      const spec = specOf(mic);
      const calendar = calendarOf(spec);
      for (const year of ["2021", "2026"]) {
        const [from, to] = [`${year}-01-01`, `${year}-12-31`];
        const first = calendar.indexFrom(dayNumber(from));
        const end = calendar.indexFrom(dayNumber(to) + 1);
        const sessions = Array.from({ length: end - first }, (_, at) => calendar.at(first + at));
        assert.deepEqual(
          sessions.map(({ openMs, closeMs, breaks }) => ({ openMs, closeMs, breaks })),
          ruledSessions(spec, from, to),
        );
      }
      for (const date of CHANGES) {
        for (const hour of ["T00:30", "T09:30", "T12:00", "T23:30"]) {
          const atMs = localMs(tz, date + hour);
          assert.equal(calendar.stateAt(atMs) === "open", isOpenByRule(spec, atMs));
        }
      }
    });
  }

  it("changes at its changes and nowhere between, whatever the margins", () => {
    const margin = fc.constantFrom(0, 60_000, 3_600_000, 43_200_000);
    fc.assert(
      fc.property(
        aSpec,
        instant,
        margin,
        margin,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (...[spec, atMs, leadMs, lagMs, part]) => {
          const calendar = calendarOf(spec);
          const [margins, state] = [{ leadMs, lagMs }, calendar.stateAt(atMs, { leadMs, lagMs })];
          const changeMs = calendar.nextChange(atMs, margins);
          assert.equal(changeMs === null, state === "unknown" && atMs > Date.UTC(2026, 6));
          const untilMs = changeMs ?? Date.UTC(2030, 0);
          assert.ok(untilMs > atMs);
          for (const ms of [untilMs - 1, atMs + Math.floor(part * (untilMs - 1 - atMs))]) {
            assert.equal(calendar.stateAt(ms, margins), state, `${spec.mic} ${atMs} ${ms}`);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("opens at its next open, and closes at its next close", () => {
    fc.assert(
      fc.property(aSpec, instant, (spec, atMs) => {
        const calendar = calendarOf(spec);
        for (
          const [wanted, nextMs] of [
            ["open", calendar.nextOpen(atMs)],
            ["closed", calendar.nextClose(atMs)],
          ] as const
        ) {
          if (nextMs === null) {
            assert.ok(spec.mic === "24/7" || atMs > Date.parse(spec.validTo) - 2 * DAY_MS);
            continue;
          }
          assert.ok(nextMs > atMs);
          assert.equal(calendar.stateAt(nextMs), wanted);
          assert.notEqual(calendar.stateAt(nextMs - 1), wanted);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("widens a session by its margins, and leaves its breaks as they are", () => {
    const spec = specOf("XHKG");
    const at = (time: string) =>
      calendarOf(spec).stateAt(localMs(spec.tz, `2026-01-05T${time}`), {
        leadMs: 300_000,
        lagMs: 900_000,
      });
    assert.deepEqual(["09:24:59.999", "09:25", "12:30", "16:14:59.999", "16:15"].map(at), [
      ...["closed", "open", "closed", "open", "closed"],
    ]);
  });

  it("is always open around the clock, until the data end", () => {
    const calendar = calendarOf(specOf("crypto"));
    const atMs = Date.UTC(2026, 0, 5, 23, 59);
    assert.equal(calendar.nextOpen(atMs), null);
    assert.equal(calendar.nextClose(atMs), null);
    assert.equal(calendar.nextOpen(Date.UTC(2019, 0)), Date.UTC(2020, 0));
  });

  it("does not close on the holiday with which its data begin", () => {
    const calendar = calendarOf(specOf("XHKG"));
    const lunchMs = localMs("Asia/Hong_Kong", "2020-01-02T12:00");
    assert.equal(calendar.nextClose(Date.UTC(2019, 11, 30)), lunchMs);
  });

  it("opens and closes elsewhere in UTC after the clocks change", () => {
    const utcOf = (name: string, date: string) => {
      const calendar = calendarOf(specOf(name));
      const { openMs, closeMs, day } = calendar.at(calendar.indexFrom(dayNumber(date)));
      assert.equal(dateText(day), date);
      return [openMs, closeMs].map((ms) => new Date(ms).toISOString().slice(0, 16));
    };
    assert.deepEqual(utcOf("XNYS", "2026-03-06"), ["2026-03-06T14:30", "2026-03-06T21:00"]);
    assert.deepEqual(utcOf("XNYS", "2026-03-09"), ["2026-03-09T13:30", "2026-03-09T20:00"]);
    assert.deepEqual(utcOf("XLON", "2026-10-26"), ["2026-10-26T08:00", "2026-10-26T16:30"]);
    // Its open is before the change, its close after it.
    assert.deepEqual(utcOf("CMES", "2026-03-09"), ["2026-03-08T22:00", "2026-03-09T21:00"]);
  });

  it("takes a special session on a day that has none, before holidays and weekdays", () => {
    const spec = {
      ...specOf("XNYS"),
      specialSessions: {
        "2026-01-03": { open: "10:00", close: "11:00", breaks: [] },
        "2026-07-03": { open: "20:00", close: "02:00", breaks: [], openDayOffset: -1 as const },
      },
    };
    const calendar = calendarOf(spec);
    const at = (text: string) => calendar.stateAt(localMs(spec.tz, text));
    assert.equal(at("2026-01-03T10:30"), "open");
    assert.equal(at("2026-07-02T21:00"), "open");
    assert.equal(at("2026-07-03T02:00"), "closed");
  });
});
