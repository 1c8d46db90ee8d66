/** What a calendar's file may say, and what becomes of a directory of the user's own. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";

import { parseCalendar } from "../../src/config/calendar_file.ts";
import { readCalendars } from "../../src/config/calendars.ts";
import type { Problem } from "../../src/errors.ts";
import { readProjectFile } from "../support/source_file.ts";
import { withFiles } from "../support/load_files.ts";
import { BOOK } from "../support/calendars.ts";

const MICS = ["24/7", "CMES", "XETR", "XHKG", "XLON", "XNYS", "XSHG", "XTKS"];
const XNYS = JSON.parse(readProjectFile("env/calendars/XNYS.json"));

/** XNYS with some fields changed, as a file. */
function file(own: object): string {
  return JSON.stringify({ ...XNYS, ...own });
}

function problemsOf(text: string): string[] {
  const problems: Problem[] = [];
  assert.equal(parseCalendar("X.json", text, problems), null);
  return problems.map(({ where, message }) => `${where}: ${message}`);
}

const day = { days: [1], open: "09:30", close: "16:00", breaks: [] };
const overnight = { ...day, days: [1, 2], open: "17:00", openDayOffset: -1 };

/** What is wrong, the text, and the only problem. */
const BAD: readonly (readonly [string, string, string])[] = [
  ["no JSON", "{", "expected valid JSON: "],
  ["no map", "[]", "expected the file to be a map, got a list"],
  ["a key that is not known", file({ holidayz: [] }), "got `holidayz`; did you mean holidays?"],
  ["a zone that does not exist", file({ tz: "America/New_Yrk" }), "such as America/New_York, got"],
  ["a date that does not exist", file({ validTo: "2027-02-29" }), "`validTo` to be a date such as"],
  [
    "a holiday that is none",
    file({ holidays: ["1/1/2026"] }),
    "`holidays[0]` to be a date such as",
  ],
  [
    "a special date that is none",
    file({ specialCloses: { soon: "13:00" } }),
    "to be a date such as",
  ],
  [
    "a time that does not exist",
    file({ sessions: [{ ...day, open: "24:00" }] }),
    "`sessions[0].open`",
  ],
  ["a weekday 0", file({ sessions: [{ ...day, days: [0] }] }), "to be 1 (Monday) to 7, got 0"],
  ["an offset of a day on", file({ sessions: [{ ...day, openDayOffset: 1 }] }), "to be 0 or -1"],
  ["a range that ends before it begins", file({ validTo: "2019-01-01" }), "within 50 years after"],
  ["a range without end", file({ validTo: "9999-12-31" }), "within 50 years after"],
  ["two hours for one day", file({ sessions: [day, { ...day, from: "2026-01-01" }] }), "weekday 1"],
  [
    "a session that closes before it opens",
    file({ specialCloses: { "2026-01-05": "09:00" } }),
    "the session of 2026-01-05 to close after it opens",
  ],
  [
    "a half day on a Saturday",
    file({ specialCloses: { "2026-11-28": "13:00" } }),
    "`specialCloses` to name days that have a session, got 2026-11-28, which has none",
  ],
  [
    "a late opening on a holiday",
    file({ specialOpens: { "2026-12-25": "11:00" } }),
    "`specialOpens` to name days that have a session, got 2026-12-25, which has none",
  ],
  [
    "a break that ends before it begins",
    file({ sessions: [{ ...day, breaks: [["13:00", "11:30"]] }], specialCloses: {} }),
    "a break to end after it begins, got 13:00 to 11:30",
  ],
  [
    "sessions that overlap",
    file({ sessions: [{ ...overnight, close: "18:00" }], specialCloses: {} }),
    "the session of 2020-01-07 to open after the one before has closed",
  ],
];

describe("parseCalendar()", () => {
  for (const [name, text, wanted] of BAD) {
    it(`refuses ${name}`, () => {
      const problems = problemsOf(text);
      assert.equal(problems.length, 1, problems.join("\n"));
      assert.ok(problems[0]!.startsWith("X.json: expected "), problems[0]);
      assert.ok(problems[0]!.includes(wanted), problems[0]);
    });
  }

  it("takes hours that change from one date to the next", () => {
    const sessions = [{ ...day, to: "2026-05-31" }, { ...day, from: "2026-06-01" }];
    const text = file({ sessions, specialCloses: {} });
    assert.notEqual(parseCalendar("X.json", text, []), null);
  });
});

describe("readCalendars()", () => {
  it("reads every file of the project, without a problem", () => {
    assert.deepEqual(BOOK.all.map(({ spec }) => spec.mic), MICS);
  });

  it("finds a calendar by its aliases, whatever the case", () => {
    for (
      const [name, mic] of [
        ...[["XNAS", "XNYS"], ["xnas", "XNYS"], ["XSHE", "XSHG"], ["us_futures", "CMES"]] as const,
        ...[["24-7", "24/7"], ["Crypto", "24/7"], [" xnys ", "XNYS"]] as const,
      ]
    ) assert.equal(BOOK.find(name)?.spec.mic, mic, name);
    assert.equal(BOOK.find("XNYZ"), null);
    assert.equal(BOOK.advice("XNYZ"), "; did you mean XNYS?");
    assert.equal(BOOK.advice("wholly else"), `; known: ${MICS.join(", ")}`);
  });

  async function readWith(files: Record<string, string>) {
    return await withFiles(files, async (directory) => {
      const problems: Problem[] = [];
      const own = { directory: `${directory}/own`, by: "BEAT_CALENDARS" };
      const book = await readCalendars(own, problems);
      const near = (text: string) => text.replaceAll(`${directory}/`, "");
      return {
        book,
        problems: problems.map(({ where, message }) => near(`${where}: ${message}`)),
      };
    });
  }

  it("puts the user's own in the place of the project's, and beside them", async () => {
    const { book, problems } = await readWith({
      "own/nyse.json": file({ validTo: "2030-12-31" }),
      "own/mine.json": file({ mic: "MINE", aliases: ["ours"] }),
      "own/notes.txt": "no calendar",
    });
    assert.deepEqual(problems, []);
    assert.equal(book.find("XNAS")?.spec.validTo, "2030-12-31");
    assert.equal(book.find("OURS")?.spec.mic, "MINE");
    assert.equal(book.all.length, MICS.length + 1);
  });

  it("refuses a name that two calendars have", async () => {
    const { problems } = await readWith({
      "own/mine.json": file({ mic: "MINE", aliases: ["xhkg"] }),
    });
    assert.equal(problems.length, 1);
    assert.match(
      problems[0]!,
      /^own\/mine\.json: expected the name xhkg to be of one calendar, got it in /,
    );
  });

  it("says which file is wrong, and which directory is not there", async () => {
    const { problems } = await readWith({ "own/mine.json": "{", "own/other.json": "[]" });
    assert.deepEqual(problems.map((text) => text.split(": ")[0]), [
      "own/mine.json",
      "own/other.json",
    ]);
    const { problems: missing } = await readWith({});
    assert.match(
      missing.join(),
      /^BEAT_CALENDARS: expected the calendars in `own` to be readable, got /,
    );
  });
});
