/** Celery's crontab, where it differs from cron. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { TriggerError } from "../../src/errors.ts";
import { crontab, type CrontabFields } from "../../src/triggers/crontab.ts";

const STARS = { minute: "*", hour: "*", dayOfWeek: "*", dayOfMonth: "*", monthOfYear: "*" };
const HOURLY = { ...STARS, minute: "0" };
const DAILY = { ...HOURLY, hour: "0" };

/** Due times of a year in UTC, as `12-31T23:59`. */
function year(fields: CrontabFields): string[] {
  const trigger = crontab({ ...fields, tz: "UTC" });
  const found: string[] = [];
  for (
    let at = trigger.next(Date.UTC(2026, 0) - 1);
    at! < Date.UTC(2027, 0);
    at = trigger.next(at!)
  ) {
    found.push(Temporal.Instant.fromEpochMilliseconds(at!).toString().slice(5, 16));
  }
  return found;
}

const dates = (fields: CrontabFields) => year(fields).map((text) => text.slice(0, 5));
const minutes = (minute: string) =>
  year({ ...STARS, minute, hour: "0", dayOfMonth: "1", monthOfYear: "1" })
    .map((text) => Number(text.slice(9)));

describe("crontab()", () => {
  it("joins the day fields by AND: the second Thursday is 12 fires a year", () => {
    const fields = { ...DAILY, dayOfWeek: "thu", dayOfMonth: "8-14" };
    assert.equal(year(fields).length, 12);
    assert.deepEqual(dates({ ...DAILY, dayOfWeek: "fri", dayOfMonth: "13" }), [
      "02-13",
      "03-13",
      "11-13",
    ]);
  });

  it("wraps ranges over the end of the field", () => {
    assert.deepEqual(minutes("58-2"), [0, 1, 2, 58, 59]);
    assert.deepEqual(minutes("50-10/5"), [0, 5, 10, 50, 55]);
    assert.equal(year({ ...DAILY, monthOfYear: "11-2" }).length, 30 + 31 + 31 + 28);
    assert.deepEqual(
      dates({ ...DAILY, monthOfYear: "1", dayOfWeek: "fri-mon", dayOfMonth: "1-7" }),
      ["01-02", "01-03", "01-04", "01-05"],
    );
  });

  it("counts a step from the start of its range, and of the field for a star", () => {
    assert.deepEqual(minutes("2-9/5"), [2, 7]);
    assert.deepEqual(minutes("*/25"), [0, 25, 50]);
    assert.deepEqual(dates({ ...DAILY, dayOfMonth: "*/15", monthOfYear: "1" }), [
      "01-01",
      "01-16",
      "01-31",
    ]);
    assert.deepEqual(dates({ ...DAILY, dayOfMonth: "1", monthOfYear: "*/5" }), [
      "01-01",
      "06-01",
      "11-01",
    ]);
  });

  it("takes a step wider than the field, as Celery does", () => {
    assert.deepEqual(minutes("*/90"), [0]);
  });

  it("takes overlapping lists, blanks around items and weekdays in full", () => {
    assert.deepEqual(minutes("2-4/3, */20,0-21/7"), [0, 2, 7, 14, 20, 21, 40]);
    const plain = dates({ ...DAILY, dayOfWeek: "1,3" });
    assert.deepEqual(dates({ ...DAILY, dayOfWeek: "Monday,WED" }), plain);
  });

  it("follows elapsed time over a change of the clocks where all hours are named", () => {
    const hourly = crontab({ ...HOURLY, tz: "America/New_York" });
    const fixed = crontab({ ...HOURLY, hour: "1-23", tz: "America/New_York" });
    const [fromMs, untilMs] = [Date.UTC(2026, 10, 1, 4, 30), Date.UTC(2026, 10, 1, 6, 30)];
    assert.equal(hourly.count(fromMs, untilMs), 2);
    assert.equal(fixed.count(fromMs, untilMs), 1);
    assert.equal(fixed.explain!(Date.UTC(2026, 10, 1, 5))?.dst, "first-pass");
  });
});

describe("crontab() refuses", () => {
  const cases: [fields: Partial<CrontabFields>, message: RegExp][] = [
    [{ dayOfWeek: "7" }, /`day_of_week`.*0 to 6 \(0 is Sunday\).*got "7"/],
    [{ dayOfWeek: "0-7" }, /`day_of_week`/],
    [{ dayOfWeek: "fooday-barday" }, /`day_of_week`/],
    [{ dayOfWeek: "5L" }, /`day_of_week`/],
    [{ minute: "60" }, /`minute`.*0 to 59/],
    [{ minute: "mon" }, /`minute`/],
    [{ minute: "5/15" }, /`minute`/],
    [{ minute: "*/0" }, /`minute`/],
    [{ minute: "*/" }, /`minute`/],
    [{ minute: "" }, /`minute`/],
    [{ minute: "1," }, /`minute`/],
    [{ minute: "-20" }, /`minute`/],
    [{ hour: "24" }, /`hour`.*0 to 23/],
    [{ hour: "?" }, /`hour`/],
    [{ dayOfMonth: "0-10" }, /`day_of_month`.*1 to 31/],
    [{ dayOfMonth: "L" }, /`day_of_month`/],
    [{ monthOfYear: "0" }, /`month_of_year`.*1 to 12/],
    [{ dayOfMonth: "31", monthOfYear: "4" }, /a date that comes.*day_of_month="31"/],
  ];
  for (const [fields, message] of cases) {
    it(
      JSON.stringify(fields),
      () =>
        assert.throws(() => crontab({ ...STARS, ...fields, tz: "UTC" }), (error) => {
          assert.ok(error instanceof TriggerError);
          assert.match(error.message, message);
          return true;
        }),
    );
  }
});
