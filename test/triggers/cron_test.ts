/** What a cron expression may say, and what it may not. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { TriggerError } from "../../src/errors.ts";
import { cron } from "../../src/triggers/cron.ts";

const START_MS = Date.UTC(2026, 0);

function dues(expression: string, count = 400): number[] {
  const trigger = cron({ expression, tz: "UTC" });
  const found: number[] = [];
  for (
    let at = trigger.next(START_MS);
    at !== null && found.length < count;
    at = trigger.next(at)
  ) {
    found.push(at);
  }
  return found;
}

describe("cron() takes in different words", () => {
  const pairs = [
    ["*/5 * * * *", "0 */5 * * * *"],
    ["0,0,5-10,7-12 * * * *", "0,5-12 * * * *"],
    ["0 0 * * 0,7", "0 0 * * SUN"],
    ["0 0 * * 7", "0 0 * * 0"],
    ["0 0 * * 5-7", "0 0 * * 0,5,6"],
    ["0 0 * * tuesday,Thursday", "0 0 * * 2,4"],
    ["0 0 * * mon-FRI", "0 0 * * 1-5"],
    ["0 0 * * 1/2", "0 0 * * 1,3,5,7"],
    ["0 0 * * fridayL", "0 0 * * 5L"],
    ["0 0 * * FRI#2", "0 0 * * 5#2"],
    ["0 0 * * 7#2", "0 0 * * 0#2"],
    ["0 0 * * 7L", "0 0 * * 0L"],
    ["0 0 1 January,FEB *", "0 0 1 1,2 *"],
    ["0 0 30,31 2-3,12 *", "0 0 30,31 3,12 *"],
    ["05 07 * * *", "5 7 * * *"],
    ["10/20 * * * *", "10,30,50 * * * *"],
    ["*/60 * * * *", "0 * * * *"],
    ["? ? ? ? ?", "* * * * *"],
    ["  0\t0  l * *  ", "0 0 L * *"],
    ["@DAILY", "0 0 * * *"],
    ["@Midnight", "@daily"],
    ["@hourly", "0 * * * *"],
    ["@weekly", "0 0 * * 0"],
    ["@monthly", "0 0 1 * *"],
    ["@yearly", "@Annually"],
    ["@weekdays", "0 0 * * 1-5"],
    ["@weekends", "0 0 * * 6,7"],
    ["@minutely", "* * * * *"],
    ["@secondly", "* * * * * *"],
  ] as const;
  for (const [one, other] of pairs) {
    it(`${one} is ${other}`, () => assert.deepEqual(dues(one), dues(other)));
  }

  it("a list of every value that there is", () => {
    const all = Array.from({ length: 60 }, (_, value) => value).join(",");
    assert.deepEqual(dues(`${all} ${all} * * * *`), dues("* * * * * *"));
  });
});

describe("cron() joins the day fields", () => {
  const dates = (expression: string) =>
    dues(expression, 6).map((due) => new Temporal.ZonedDateTime(BigInt(due) * 1_000_000n, "UTC"))
      .map((at) => `${at.month}/${at.day}`);

  it("by OR where both restrict", () => {
    assert.deepEqual(dates("0 0 13 * 5"), ["1/2", "1/9", "1/13", "1/16", "1/23", "1/30"]);
    assert.deepEqual(dates("0 0 L * 5#1"), ["1/2", "1/31", "2/6", "2/28", "3/6", "3/31"]);
  });
  it("by OR where one is written as all days", () => {
    assert.deepEqual(dates("0 0 1-31 * 5"), ["1/2", "1/3", "1/4", "1/5", "1/6", "1/7"]);
  });
  it("by AND where one is a star", () => {
    assert.deepEqual(dates("0 0 * * 5"), ["1/2", "1/9", "1/16", "1/23", "1/30", "2/6"]);
    assert.deepEqual(dates("0 0 13 * ?"), ["1/13", "2/13", "3/13", "4/13", "5/13", "6/13"]);
  });
});

describe("cron() refuses", () => {
  const fields = /5 fields, or 6 with seconds first/;
  const cases: [expression: string, message: RegExp][] = [
    ["", fields],
    ["   ", fields],
    ["*", fields],
    ["* * * *", fields],
    ["* * * * * * *", fields],
    ["@reboot", /a nickname out of @yearly/],
    ["@constructor", /a nickname out of/],
    ["60 * * * * *", /`second`.*0 to 59/],
    ["60 * * * *", /`minute`.*0 to 59.*got "60" in "60 \* \* \* \*"/],
    ["* 24 * * *", /`hour`.*0 to 23/],
    ["* * 0 * *", /`day of month`.*1 to 31/],
    ["* * * 13 *", /`month`.*1 to 12/],
    ["* * * * 8", /`day of week`.*0 to 7/],
    ["*/61 * * * *", /`minute` to be stepped by 1 to 60/],
    ["0/120 * * * *", /stepped by 1 to 60/],
    ["* */25 * * *", /stepped by 1 to 24/],
    ["* * * * */8", /stepped by 1 to 7/],
    ["*/0 * * * *", /stepped by/],
    ["11-1 * * * *", /a range that rises.*write 11-59,0-1/],
    ["* * * * fri-mon", /a range that rises/],
    ["* * * * sat-sun", /write 6-7, for Sunday is 7 too/],
    ["0 0 15W * *", /without W and L-n/],
    ["0 0 W * *", /without W and L-n/],
    ["0 0 lw * *", /without W and L-n/],
    ["0 0 L-3 * *", /without W and L-n/],
    ["0 0 * * L", /a weekday before L/],
    ["0 0 * * 1#0", /place in the month from 1 to 5/],
    ["0 0 * * 1#6", /place in the month from 1 to 5/],
    ["0 0 * * 1-5#2", /place in the month from 1 to 5/],
    ["0 0 * * monkey", /`day of week`/],
    ["0 0 * * mo", /`day of week`/],
    ["mon * * * *", /`minute`/],
    ["H * * * *", /`minute`/],
    ["1,,2 * * * *", /`minute`/],
    ["1-2-3 * * * *", /`minute`/],
    ["1/2/3 * * * *", /`minute`/],
    ["-1 * * * *", /`minute`/],
    ["1.5 * * * *", /`minute`/],
    ["1e1 * * * *", /`minute`/],
    ["0x1 * * * *", /`minute`/],
    ["*5 * * * *", /`minute`/],
    ["٣ * * * *", /`minute`/],
    ["0 0 30 2 *", /a date that comes.*no such month/],
    ["0 0 31 4,6,9,11 *", /a date that comes/],
    [`${"0,".repeat(600)}0 * * * *`, /at most 1000 characters/],
  ];
  for (const [expression, message] of cases) {
    it(`${JSON.stringify(expression.slice(0, 30))}`, () =>
      assert.throws(() => cron({ expression, tz: "UTC" }), (error) => {
        assert.ok(error instanceof TriggerError);
        assert.match(error.message, message);
        assert.equal(error.input, expression);
        return true;
      }));
  }

  it("in no time, whatever the text", () => {
    const hostile = "1-".repeat(400) + " " + "w".repeat(100) + " * * *";
    const startMs = performance.now();
    assert.throws(() => cron({ expression: hostile, tz: "UTC" }), TriggerError);
    // A pattern that tries all ways would take longer than anybody waits.
    assert.ok(performance.now() - startMs < 5_000);
  });
});
