import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";

import type { CalendarOptions } from "../../src/commands/calendar.ts";
import { calendar } from "../../src/commands/calendar.ts";
import { ConfigError, UsageError } from "../../src/errors.ts";
import { withFiles } from "../support/load_files.ts";
import { keptShell } from "../support/shell.ts";

async function printedBy(options: CalendarOptions, env = {}): Promise<string> {
  const shell = keptShell({ env });
  assert.equal(await calendar(options, shell), 0);
  assert.equal(shell.said.err, "");
  return shell.said.out;
}

async function answers(stdin: string): Promise<unknown> {
  const shell = { ...keptShell(), readStdin: () => Promise.resolve(stdin) };
  assert.equal(await calendar({ stdin: true }, shell), 0);
  return JSON.parse(shell.said.out);
}

describe("calendar()", () => {
  it("says whether a market is open, and when that ends", async () => {
    const at = (time: string) => printedBy({ name: "xnas", at: time });
    const lines = (await at("2026-11-27T17:00:00Z")).split("\n");
    assert.deepEqual(lines, [
      "XNYS  New York Stock Exchange, America/New_York",
      "also     XNAS, NYSE, NASDAQ, us_stock",
      "data     2020-01-01 to 2027-12-31, official through 2027-12-31",
      "2026-11-27T17:00:00Z  open, closes 2026-11-27T18:00:00Z, in 1 h",
      "",
    ]);
    assert.match(
      await at("2026-11-27T18:00:00Z"),
      /closed, opens 2026-11-30T14:30:00Z, in 2 d 20 h/,
    );
    assert.match(await at("2028-01-03T15:00:00Z"), /2028-01-03T15:00:00Z {2}unknown\n/);
  });

  it("lists days: breaks, half days, holidays, what is unknown, sessions that begin the day before", async () => {
    const days = async (name: string, at: string, count: string) =>
      (await printedBy({ name, at, days: count })).trimEnd().split("\n").slice(-Number(count))
        .map((line) => line.replaceAll(/ +/g, " "));
    assert.deepEqual(await days("XHKG", "2026-12-24T00:00:00Z", "3"), [
      "Thu 2026-12-24 09:30 to 12:00 - 2026-12-24T01:30:00Z 2026-12-24T04:00:00Z other hours",
      "Fri 2026-12-25 - - - - holiday",
      "Sat 2026-12-26 - - - - no session",
    ]);
    assert.deepEqual(await days("XSHG", "2026-12-31T00:00:00Z", "2"), [
      "Thu 2026-12-31 09:30 to 15:00 11:30 to 13:00 2026-12-31T01:30:00Z 2026-12-31T07:00:00Z",
      "Fri 2027-01-01 - - - - unknown",
    ]);
    assert.deepEqual(await days("CMES", "2026-01-05T12:00:00Z", "1"), [
      "Mon 2026-01-05 Sun 17:00 to 16:00 - 2026-01-04T23:00:00Z 2026-01-05T22:00:00Z",
    ]);
    assert.deepEqual(await days("24/7", "2026-01-03T12:00:00Z", "1"), [
      "Sat 2026-01-03 00:00 to 00:00 - 2026-01-03T00:00:00Z 2026-01-04T00:00:00Z",
    ]);
  });

  it("is JSON with --json", async () => {
    const options = { name: "XHKG", at: "2026-01-05T04:30:00Z", days: "1", json: true };
    const { days, ...shown } = JSON.parse(await printedBy(options));
    assert.deepEqual(shown, {
      mic: "XHKG",
      name: "Hong Kong Stock Exchange (securities market)",
      tz: "Asia/Hong_Kong",
      aliases: ["HKEX", "SEHK", "hk_stock"],
      valid_from: "2020-01-01",
      valid_to: "2027-12-31",
      official_through: "2026-12-31",
      at: "2026-01-05T04:30:00Z",
      open: false,
      next_open: "2026-01-05T05:00:00Z",
      next_close: "2026-01-05T08:00:00Z",
    });
    assert.deepEqual(days, [{
      date: "2026-01-05",
      open: "2026-01-05T01:30:00Z",
      close: "2026-01-05T08:00:00Z",
      breaks: [["2026-01-05T04:00:00Z", "2026-01-05T05:00:00Z"]],
      note: null,
    }]);
  });

  it("lists all calendars without a name, and a week without other wishes", async () => {
    const all = (await printedBy({ at: "2026-01-05T15:00:00Z" })).trimEnd().split("\n");
    assert.equal(all.length, 9);
    assert.match(
      all.join("\n"),
      /^XNYS +New York Stock Exchange +America\/New_York +2027-12-31 +open, /m,
    );
    assert.equal(JSON.parse(await printedBy({ json: true })).length, 8);
    assert.equal((await printedBy({ name: "XNYS" })).trimEnd().split("\n").length, 4 + 1 + 7);
  });

  it("answers questions from standard input in order: open, closed, unknown, wrong", async () => {
    const question = (mic: unknown, instant: unknown) => ({ mic, instant });
    const questions = [
      question("XNYS", "2026-01-05T14:30:00Z"),
      question("XNYS", "2026-01-05T16:00:00-05:00"),
      question("xshe", "2027-01-05T02:00:00Z"),
      question("24/7", "2026-01-04T03:00:00Z"),
      question("XNYZ", "2026-01-05T14:30:00Z"),
      question("XNYS", "noon"),
      question("XNYS", 3),
      null,
    ];
    const [open, closed, unknown, always, ...wrong] = await answers(JSON.stringify(questions)) as {
      open: unknown;
      error: string;
    }[];
    assert.deepEqual([open, closed, unknown, always], [
      ...[{ open: true }, { open: false }, { open: null }, { open: true }],
    ]);
    assert.deepEqual(wrong.map(({ open }) => open), [null, null, null, null]);
    const errors = wrong.map(({ error }) => error);
    assert.equal(errors[0], 'expected a known calendar, got "XNYZ"; did you mean XNYS?');
    assert.match(errors[1]!, /expected `instant` to be a time with its offset/);
    assert.match(errors[2]!, /expected `mic` and `instant` to be texts/);
    assert.match(errors[3]!, /expected an object, got null/);
    assert.deepEqual(await answers("[]"), []);
  });

  for (
    const [name, options, wanted] of [
      ["a calendar that nobody knows", { name: "XNYZ" }, /got "XNYZ"; did you mean XNYS\?/],
      ["no number of days", { name: "XNYS", days: "0" }, /`--days` to be a whole number from 1 to/],
      ["a time that is none", { name: "XNYS", at: "noon" }, /`--at` to be a time/],
      ["days of all calendars", { days: "3" }, /a calendar for `--days`/],
    ] as const
  ) {
    it(`refuses ${name}`, async () => {
      const isWanted = (error: unknown) =>
        error instanceof UsageError && wanted.test(error.message);
      await assert.rejects(calendar(options, keptShell()), isWanted);
    });
  }

  it("refuses standard input that is no array", async () => {
    await assert.rejects(answers("{"), /expected a JSON array on standard input/);
    await assert.rejects(answers("{}"), /array of \{mic, instant\} on standard input, got object/);
  });

  it("reads the user's own, and says what is wrong with them", async () => {
    await withFiles({ "own/x.json": "{" }, async (directory) => {
      const env = { BEAT_CALENDARS: `${directory}/own` };
      await assert.rejects(calendar({}, keptShell({ env })), ConfigError);
    });
  });
});
