/** `calendar` and its kin, and the trigger `session`: what entries may say, and each refusal. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";

import type { Task } from "../../src/task.ts";
import { revisionOf } from "../../src/task.ts";
import { loadFiles, loadFine, yamlTasks } from "../support/load_files.ts";

const entry = (text: string) => `report: {task: t, queue: q, ${text}}`;

async function taskOf(text: string, before = ""): Promise<Task> {
  const files = yamlTasks(entry(text));
  files["env/beat.yaml"] = files["env/beat.yaml"]!.replace("tasks:", `${before}\ntasks:`);
  return (await loadFine(files)).tasks.at(-1)!;
}

/** Without the data of the calendars. */
function shown({ policies: { session } }: Task): unknown {
  return session && { ...session, calendars: session.calendars.map(({ mic }) => mic) };
}

const DEFAULT = { calendars: ["XNYS"], match: "any", leadMs: 0, lagMs: 0, unknown: "fire" };

describe("sessionOf()", () => {
  for (
    const [text, wanted] of [
      ["every: 1m", null],
      ["every: 1m, calendar: XNYS", DEFAULT],
      ["every: 1m, calendar: xnas, during: session", DEFAULT],
      ["every: 1m, calendar: [XNYS, XNAS]", DEFAULT],
      ["every: 1m, calendar: 24/7, unknown: skip", {
        ...{ ...DEFAULT, calendars: ["24/7"], unknown: "skip" },
      }],
      ["every: 1m, calendar: [XNYS, XLON], match: all, lead: 5m, lag: 90s", {
        ...DEFAULT,
        ...{ calendars: ["XNYS", "XLON"], match: "all", leadMs: 300_000, lagMs: 90_000 },
      }],
    ] as const
  ) {
    it(`reads {${text}}`, async () => assert.deepEqual(shown(await taskOf(text)), wanted));
  }

  it("takes from `defaults` what an entry does not say, and lets `none` end it", async () => {
    const defaults = "defaults: {calendar: XLON, lead: 1m}";
    const wanted = { ...DEFAULT, calendars: ["XLON"], leadMs: 60_000 };
    assert.deepEqual(shown(await taskOf("every: 1m", defaults)), wanted);
    assert.deepEqual(shown(await taskOf("every: 1m, lead: 0s", defaults)), {
      ...wanted,
      leadMs: 0,
    });
    assert.equal(shown(await taskOf("every: 1m, calendar: none", defaults)), null);
  });

  it("is for built-in entries, too", async () => {
    const { tasks } = await loadFine(yamlTasks("paper_trading.scheduler_tick: {calendar: XNYS}"));
    const task = tasks.find(({ name }) => name === "paper_trading.scheduler_tick")!;
    assert.deepEqual(shown(task), DEFAULT);
  });

  it("changes the second part of a revision alone", async () => {
    const [one, other] = [await taskOf("every: 1m"), await taskOf("every: 1m, calendar: XNYS")];
    const parts = [revisionOf(one).split("."), revisionOf(other).split(".")];
    assert.equal(parts[0]![0], parts[1]![0]);
    assert.notEqual(parts[0]![1], parts[1]![1]);
  });
});

describe("the trigger `session`", () => {
  for (
    const [text, anchor, offsetMs] of [
      ["{calendar: XNYS}", "open", 0],
      ['{calendar: nyse, at: "open+5m"}', "open", 300_000],
      ["{calendar: XNYS, at: close-15m}", "close", -900_000],
      ["{calendar: XNYS, at: close + 1h30m}", "close", 5_400_000],
      ["{calendar: XNYS, at: open-0s}", "open", 0],
    ] as const
  ) {
    it(`reads ${text}`, async () => {
      const { trigger, catchUp } = await taskOf(`session: ${text}`);
      assert.ok(trigger.kind === "session");
      assert.deepEqual([trigger.calendar.mic, trigger.anchor], ["XNYS", anchor]);
      assert.ok(Object.is(trigger.offsetMs, offsetMs));
      // Not what lies between a Friday and a Monday.
      assert.equal(catchUp.windowMs, 86_400_000);
    });
  }

  it("has the files of its calendars watched, and reads none where no entry names one", async () => {
    const { files } = await loadFine(yamlTasks(entry("session: {calendar: XNYS}, calendar: XLON")));
    const ends = files.map((file) => file.split("/").slice(-2).join("/"));
    assert.deepEqual(ends, ["env/beat.yaml", "calendars/XLON.json", "calendars/XNYS.json"]);
    assert.equal((await loadFine(yamlTasks(entry("every: 1m")))).files.length, 1);
  });
});

const BAD: readonly (readonly [string, string])[] = [
  [
    "every: 1m, calendar: XNYZ",
    '`tasks.report.calendar` to be a known calendar, got "XNYZ"; did you mean XNYS?',
  ],
  [
    "every: 1m, calendar: []",
    "`tasks.report.calendar` to be a list that is not empty, got a list",
  ],
  ["every: 1m, calendar: XNYS, during: lunch", "`tasks.report.during` to be session, got"],
  ["every: 1m, calendar: XNYS, match: both", "`tasks.report.match` to be any, all, got"],
  ["every: 1m, calendar: XNYS, lead: 13h", "`tasks.report.lead` to be a duration from 0s to 12h"],
  ["every: 1m, calendar: XNYS, unknown: maybe", "`tasks.report.unknown` to be fire, skip, got"],
  ["every: 1m, during: session", "`tasks.report` to have a `calendar` for its `during`"],
  ["every: 1m, lag: 5m", "`tasks.report` to have a `calendar` for its `lag`"],
  [
    "session: {calendar: XLOM}",
    '`tasks.report` to name in its `session` a known calendar, got "XLOM"; did you mean XLON?',
  ],
  [
    "session: {calendar: XNYS, at: noon}",
    'to have a session `at` such as open, open+5m or close-15m, within 12h, got "noon"',
  ],
  ["session: {calendar: XNYS, at: open+}", "to have a session `at` such as"],
  ["session: {calendar: XNYS, at: open+13h}", 'within 12h, got "open+13h"'],
  [
    "session: {calendar: XNYS}, tz: UTC",
    "to have `tz` with cron, crontab or at, got it with `session`",
  ],
  ["session: {at: open}", "`tasks.report.session.calendar` to be text, got nothing"],
];

describe("a wrong session", () => {
  for (const [text, wanted] of BAD) {
    it(`{${text}} is refused with its line`, async () => {
      const { problems } = await loadFiles(yamlTasks(entry(text)));
      assert.equal(problems.length, 1, problems.join("\n"));
      assert.ok(problems[0]!.startsWith("env/beat.yaml:3: expected "), problems[0]);
      assert.ok(problems[0]!.includes(wanted), problems[0]);
    });
  }

  it("in `defaults` is told once", async () => {
    const { problems } = await loadFiles({
      "env/beat.yaml": "version: 1\ndefaults: {calendar: NYZE}\ntasks: {}",
    });
    assert.deepEqual(problems, [
      'env/beat.yaml:2: expected `defaults.calendar` to be a known calendar, got "NYZE"; did you mean NYSE?',
    ]);
  });

  it("in a calendar of the user's own is told with its file", async () => {
    const { problems } = await loadFiles(
      { ...yamlTasks(entry("every: 1m, calendar: XNYS")), "own/mine.json": "{}" },
      { BEAT_CALENDARS: "own" },
    );
    assert.ok(problems.length > 1);
    assert.ok(
      problems.every((text) => text.startsWith("own/mine.json: expected ")),
      problems.join(),
    );
  });
});

describe("a task that is never due in a session", () => {
  const hinted = [
    "session: {calendar: XNYS, at: close}, calendar: XNYS",
    "session: {calendar: XNYS, at: close+15m}, calendar: [XNYS, XHKG]",
    "cron: '0 3 * * *', tz: America/New_York, calendar: XNYS",
    "cron: '0 12 * * 6', tz: America/New_York, calendar: XNYS",
    "cron: '30 12 * * *', tz: Asia/Shanghai, calendar: XSHG",
    "every: 1d, calendar: XNYS",
  ];
  for (const text of hinted) {
    it(`has a hint: {${text}}`, async () => {
      const { hints } = await loadFine(yamlTasks(entry(text)));
      const own = hints.filter((hint) => hint.startsWith("report is never due in a session of "));
      assert.equal(own.length, 1, hints.join("\n"));
    });
  }

  const silent = [
    "every: 15s, calendar: XNYS",
    "every: 1d, calendar: 24/7",
    "session: {calendar: XNYS, at: close}, calendar: XNYS, lag: 1m",
    "session: {calendar: XNYS, at: close-1m}, calendar: XNYS",
    "session: {calendar: XNYS, at: close+15m}, calendar: CMES",
    "cron: '45 11 * * *', tz: Asia/Hong_Kong, calendar: XHKG",
    "cron: '30 13 * * 1', tz: Asia/Hong_Kong, calendar: XHKG",
    "cron: '0 12 1 7 *', tz: America/New_York, calendar: CMES",
    "every: 1m, calendar: [XNYS, XLON], match: all",
    "every: 1d, calendar: XNYS, enabled: false",
  ];
  for (const text of silent) {
    it(`has none: {${text}}`, async () => {
      const { hints } = await loadFine(yamlTasks(entry(text)));
      assert.deepEqual(hints.filter((hint) => hint.includes("never due in a session")), []);
    });
  }
});

describe("a task whose window and sessions have nothing in common", () => {
  const never = "report is never due in a session of ";
  const hinted = [
    "every: 30m, calendar: XNYS, heavy: true",
    "every: 30m, calendar: XNYS, window: {from: '12:00', to: '13:00', tz: Asia/Shanghai}",
    "every: 1h, calendar: XSHG, window: {from: '11:30', to: '13:00', tz: Asia/Shanghai}",
    "every: 1h, calendar: XNYS, window: {from: '00:00', to: '23:00', days: sat}",
    // It waits for the opening, and the market has closed by then.
    "session: {calendar: XNYS, at: open}, calendar: XNYS, window: {from: '22:00', to: '23:00'}",
  ];
  for (const text of hinted) {
    it(`has a hint: {${text}}`, async () => {
      const { hints } = await loadFine(yamlTasks(entry(text)));
      const own = hints.filter((hint) => hint.startsWith(never) && hint.includes("its window"));
      assert.equal(own.length, 1, hints.join("\n"));
    });
  }

  const silent = [
    "every: 30m, calendar: XNYS, heavy: true, lag: 2h",
    "every: 30m, calendar: CMES, heavy: true",
    "every: 1h, calendar: XNYS, window: {from: '20:00', to: '05:00'}",
    "session: {calendar: XNYS, at: open}, calendar: XNYS, window: {from: '18:00', to: '19:00'}",
    "session: {calendar: XNYS, at: close-1h}, calendar: XNYS, window: {from: '18:00', to: '22:00'}",
  ];
  for (const text of silent) {
    it(`has none: {${text}}`, async () => {
      const { hints } = await loadFine(yamlTasks(entry(text)));
      assert.deepEqual(hints.filter((hint) => hint.startsWith(never)), []);
    });
  }
});
