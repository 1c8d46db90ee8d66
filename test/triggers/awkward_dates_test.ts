/** Dates that schedulers get wrong: clocks that change, leap days, year ends, days that are left out. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { cron } from "../../src/triggers/cron.ts";
import { crontab } from "../../src/triggers/crontab.ts";
import type { Trigger } from "../../src/triggers/mod.ts";

const NEW_YORK = "America/New_York";

function walk(trigger: Trigger, start: string, count: number): string[] {
  const dues: string[] = [];
  let atMs = Date.parse(start);
  while (dues.length < count) {
    atMs = trigger.next(atMs) ?? assert.fail("never due");
    dues.push(Temporal.Instant.fromEpochMilliseconds(atMs).toString());
  }
  return dues;
}

interface Case {
  what: string;
  expression: string;
  tz: string;
  start: string;
  dues: string[];
}

const forward: Case[] = [
  {
    what: "a time in the gap moves to its end, not by its width",
    expression: "30 2 * * *",
    tz: NEW_YORK,
    start: "2026-03-07T12:00:00Z",
    dues: ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
  },
  {
    what: "all times in the gap and the first one after it are one fire",
    expression: "0,20,40 2,3 * * *",
    tz: NEW_YORK,
    start: "2026-03-08T06:00:00Z",
    dues: ["2026-03-08T07:00:00Z", "2026-03-08T07:20:00Z", "2026-03-08T07:40:00Z"],
  },
  {
    what: "an hourly schedule gets nothing extra",
    expression: "30 * * * *",
    tz: NEW_YORK,
    start: "2026-03-08T06:00:00Z",
    dues: ["2026-03-08T06:30:00Z", "2026-03-08T07:30:00Z"],
  },
  {
    what: "a midnight that does not exist is at one o'clock",
    expression: "0 0 * * *",
    tz: "Africa/Cairo",
    start: "2026-04-22T22:00:00Z",
    dues: ["2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"],
  },
  {
    what: "half an hour at Lord Howe",
    expression: "15 2 * * *",
    tz: "Australia/Lord_Howe",
    start: "2026-10-03T00:00:00Z",
    dues: ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
  },
  {
    what: "the day that Samoa left out is at the start of the next",
    expression: "0 12 * * *",
    tz: "Pacific/Apia",
    start: "2011-12-29T00:00:00Z",
    dues: ["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"],
  },
  {
    what: "a yearly schedule on the day that Samoa left out",
    expression: "0 12 30 12 *",
    tz: "Pacific/Apia",
    start: "2011-01-01T00:00:00Z",
    dues: ["2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z"],
  },
];

const back: Case[] = [
  {
    what: "a repeated time is due in the first pass",
    expression: "30 1 * * *",
    tz: NEW_YORK,
    start: "2026-10-31T12:00:00Z",
    dues: ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
  },
  {
    what: "asked from inside the second pass, the answer is the next day",
    expression: "30 1 * * *",
    tz: NEW_YORK,
    start: "2026-11-01T06:10:00Z",
    dues: ["2026-11-02T06:30:00Z"],
  },
  {
    what: "all 24 hours, however written, have both passes",
    expression: "0,30 0-23 * * *",
    tz: NEW_YORK,
    start: "2026-11-01T05:00:00Z",
    dues: ["2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z"],
  },
  {
    what: "23 hours have one pass",
    expression: "0,30 0-22 * * *",
    tz: NEW_YORK,
    start: "2026-11-01T05:00:00Z",
    dues: ["2026-11-01T05:30:00Z", "2026-11-01T07:00:00Z"],
  },
  {
    what: "half an hour at Lord Howe, where cron-parser gives up",
    expression: "0 * * * *",
    tz: "Australia/Lord_Howe",
    start: "2026-04-04T14:00:00Z",
    dues: ["2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z"],
  },
  {
    what: "a midnight that comes twice",
    expression: "0 0 * * *",
    tz: "America/Havana",
    start: "2026-10-31T12:00:00Z",
    dues: ["2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"],
  },
  {
    what: "the noon that Alaska had twice, when it changed sides of the date line",
    expression: "0 12 * * *",
    tz: "America/Juneau",
    start: "1867-10-17T00:00:00Z",
    dues: ["1867-10-17T20:57:41Z", "1867-10-18T20:57:41Z", "1867-10-20T20:57:41Z"],
  },
];

const calendar: Case[] = [
  {
    what: "a leap day, over a century that has none",
    expression: "0 0 29 2 *",
    tz: "UTC",
    start: "2092-03-01T00:00:00Z",
    dues: ["2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"],
  },
  {
    what: "the last day of February",
    expression: "59 23 L 2 *",
    tz: "UTC",
    start: "2027-01-01T00:00:00Z",
    dues: ["2027-02-28T23:59:00Z", "2028-02-29T23:59:00Z"],
  },
  {
    what: "a fifth Friday in February, 28 years apart",
    expression: "0 0 * 2 5#5",
    tz: "UTC",
    start: "2008-02-28T00:00:00Z",
    dues: ["2008-02-29T00:00:00Z", "2036-02-29T00:00:00Z"],
  },
  {
    what: "a fifth Monday in February, 40 years apart over 2100",
    expression: "0 0 * 2 1#5",
    tz: "UTC",
    start: "2044-03-01T00:00:00Z",
    dues: ["2072-02-29T00:00:00Z", "2112-02-29T00:00:00Z"],
  },
  {
    what: "the last second of a year and the first of the next",
    expression: "0,59 0,59 0,23 1,31 1,12 *",
    tz: "UTC",
    start: "2026-12-31T23:59:58Z",
    dues: ["2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"],
  },
  {
    what: "new year is not on one day everywhere",
    expression: "0 0 1 1 *",
    tz: "Pacific/Kiritimati",
    start: "2026-12-31T00:00:00Z",
    dues: ["2026-12-31T10:00:00Z"],
  },
  {
    what: "day 31 only where there is one",
    expression: "0 0 31 * *",
    tz: "UTC",
    start: "2026-01-31T00:00:00Z",
    dues: ["2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"],
  },
  {
    what: "day 31 of a month that has none, or Fridays in it",
    expression: "0 0 31 2 5",
    tz: "UTC",
    start: "2026-02-20T00:00:00Z",
    dues: ["2026-02-27T00:00:00Z", "2027-02-05T00:00:00Z"],
  },
  {
    what: "before the epoch",
    expression: "0 0 * * 0",
    tz: "UTC",
    start: "1969-12-27T00:00:00Z",
    dues: ["1969-12-28T00:00:00Z", "1970-01-04T00:00:00Z"],
  },
];

const groups = { "the clocks go forward": forward, "the clocks go back": back, calendar };
for (const [group, cases] of Object.entries(groups)) {
  describe(`cron() on awkward dates: ${group}`, () => {
    for (const { what, expression, tz, start, dues } of cases) {
      it(`${what}: ${expression} in ${tz}`, () => {
        const trigger = cron({ expression, tz });
        assert.deepEqual(walk(trigger, start, dues.length), dues);
        const lastMs = Date.parse(dues.at(-1)!);
        assert.equal(trigger.last(lastMs), lastMs);
        assert.equal(trigger.count(Date.parse(start), lastMs), dues.length);
      });
    }
  });
}

describe("cron() asked for the last due time just after the clocks went back", () => {
  // The clock shows 00:05 again; the reading that was due last is later than that.
  const again = Date.parse("2026-11-01T05:05:00Z");
  for (const expression of ["30 * 1 11 *", "30 0 1 11 *"]) {
    it(`looks into the first pass: ${expression}`, () => {
      const trigger = cron({ expression, tz: "America/Havana" });
      assert.equal(trigger.last(again), Date.parse("2026-11-01T04:30:00Z"));
    });
  }
});

describe("cron() explains", () => {
  const cases = [
    ["30 2 * * *", "2026-03-08T07:00:00Z", "2026-03-08T02:30:00", "moved"],
    ["0 3 * * *", "2026-03-08T07:00:00Z", "2026-03-08T03:00:00", null],
    ["30 1 * * *", "2026-11-01T05:30:00Z", "2026-11-01T01:30:00", "first-pass"],
    ["30 * * * *", "2026-11-01T05:30:00Z", "2026-11-01T01:30:00", null],
    ["30 * * * *", "2026-11-01T06:30:00Z", "2026-11-01T01:30:00", null],
    ["30 0 * * *", "2026-11-01T04:30:00Z", "2026-11-01T00:30:00", null],
    ["0 2 * * *", "2026-11-01T07:00:00Z", "2026-11-01T02:00:00", null],
  ] as const;
  for (const [expression, due, local, dst] of cases) {
    it(`${due} as ${local} by ${expression}`, () => {
      const trigger = cron({ expression, tz: NEW_YORK });
      assert.deepEqual(trigger.explain!(Date.parse(due)), { local, dst });
    });
  }

  it("no instant that is not due", () => {
    for (const expression of ["30 1 * * *", "30 * * * *"]) {
      const trigger = cron({ expression, tz: NEW_YORK });
      assert.equal(trigger.explain!(Date.parse("2026-11-01T05:31:00Z")), null);
    }
    const once = cron({ expression: "30 1 * * *", tz: NEW_YORK });
    assert.equal(once.explain!(Date.parse("2026-11-01T06:30:00Z")), null, "the second pass");
  });
});

describe("local triggers at the ends of time", () => {
  for (const expression of ["0 0 1 1 *", "* * * * *"]) {
    it(`have no due time left: ${expression}`, () => {
      const trigger = cron({ expression, tz: NEW_YORK });
      assert.equal(trigger.next(8.64e15), null);
      assert.equal(trigger.last(-8.64e15), null);
      assert.equal(trigger.count(8.64e15, 8.64e15), 0);
    });
  }

  it("find a leap day that is a Monday within a bound", () => {
    const trigger = crontab({
      minute: "0",
      hour: "0",
      dayOfMonth: "29",
      monthOfYear: "2",
      dayOfWeek: "mon",
      tz: "UTC",
    });
    assert.deepEqual(walk(trigger, "2072-03-01T00:00:00Z", 1), ["2112-02-29T00:00:00Z"]);
  });
});
