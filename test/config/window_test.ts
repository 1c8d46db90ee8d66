import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";

import type { WindowSpec } from "../../src/task.ts";
import { loadFiles, loadFine, yamlTasks } from "../support/load_files.ts";

const NIGHT = { from: "22:00", to: "06:00", tz: "UTC", days: null };
const OFF_PEAK = { ...NIGHT, name: "off_peak" };

/** The window of an entry, and what is said about it. */
async function read(line: string, { head = "", env = {} } = {}) {
  const yaml = `version: 1\n${head}\ntasks:\n  x: {task: t, queue: q, ${line}}`;
  const { tasks, hints } = await loadFine({ "env/beat.yaml": yaml }, env);
  return {
    window: tasks.at(-1)!.policies.window,
    hints: hints.filter((each) => /^x\b/.test(each)),
  };
}

/** The problems of an entry. */
async function problemsOf(line: string, head = ""): Promise<string[]> {
  const yaml = `version: 1\n${head}\ntasks:\n  x: {task: t, queue: q, every: 5m, ${line}}`;
  return (await loadFiles({ "env/beat.yaml": yaml })).problems;
}

describe("window", () => {
  const written: [string, Partial<WindowSpec>][] = [
    ["{from: '22:00', to: '06:00'}", {}],
    ["{from: 9:30, to: 24:00}", { from: "09:30", to: "00:00" }],
    ["{from: '22:00', to: '06:00', tz: Europe/Paris}", { tz: "Europe/Paris" }],
    ["{from: '22:00', to: '06:00', days: mon-fri}", { days: [1, 2, 3, 4, 5] }],
    ["{from: '22:00', to: '06:00', days: Fri-Mon}", { days: [1, 5, 6, 7] }],
    ["{from: '22:00', to: '06:00', days: 'sat, sun'}", { days: [6, 7] }],
    ["{from: '22:00', to: '06:00', days: [wed, 1, 3]}", { days: [1, 3] }],
  ];
  for (const [text, own] of written) {
    it(`reads ${text}`, async () => {
      const { window } = await read(`every: 5m, window: ${text}`);
      assert.deepEqual(window, { name: null, ...NIGHT, ...own });
    });
  }

  it("is in CELERY_TIMEZONE where it names no zone", async () => {
    const env = { CELERY_TIMEZONE: "Asia/Shanghai" };
    const { window } = await read("every: 5m, window: off_peak", { env });
    assert.equal(window?.tz, "Asia/Shanghai");
  });

  it("may be shared by its name, and the name of the night may mean other hours", async () => {
    const head =
      "windows: {lunch: {from: '12:00', to: '13:00'}, off_peak: {from: '01:00', to: '02:00'}}";
    const { window } = await read("every: 5m, window: lunch", { head });
    assert.deepEqual(window, { ...NIGHT, name: "lunch", from: "12:00", to: "13:00" });
    const { window: night } = await read("every: 5m, heavy: true", { head });
    assert.deepEqual(night, { ...OFF_PEAK, from: "01:00", to: "02:00" });
  });

  it("comes from defaults unless the entry says otherwise", async () => {
    const head = "defaults: {window: off_peak}";
    assert.deepEqual((await read("every: 5m", { head })).window, OFF_PEAK);
    assert.equal((await read("every: 5m, window: none", { head })).window, null);
  });

  const refused: [string, string, RegExp][] = [
    [
      "of zero length",
      "window: {from: '22:00', to: '22:00'}",
      /^env\/beat\.yaml:4: expected `tasks\.x\.window\.to` to be another time than `from` \(a window of zero length .* got "22:00"$/,
    ],
    [
      "of zero length in other words",
      "window: {from: '00:00', to: '24:00'}",
      /`tasks\.x\.window\.to` to be another time than `from`/,
    ],
    [
      "that nobody declared",
      "window: of_peak",
      /one of `windows`, got "of_peak"; did you mean off_peak\?$/,
    ],
    ["far from any name", "window: lunchtime", /got "lunchtime"; known: off_peak, none$/],
    [
      "with a time that is none",
      "window: {from: '25:00', to: '06:00'}",
      /`tasks\.x\.window\.from` to be a time of day such as 22:00, got "25:00"$/,
    ],
    [
      "without an end",
      "window: {from: '22:00'}",
      /`tasks\.x\.window\.to` to be a time of day such as 22:00, got nothing$/,
    ],
    [
      "with a slip in a key",
      "window: {form: '22:00', to: '06:00'}",
      /got `form`; did you mean from\?$/,
    ],
    [
      "with a day that is none",
      "window: {from: '22:00', to: '06:00', days: mon-fry}",
      /`tasks\.x\.window\.days` to be days such as mon, fri or mon-fri/,
    ],
    [
      "in a zone that is none",
      "window: {from: '22:00', to: '06:00', tz: Asia/Shanhai}",
      /an IANA time zone such as Asia\/Shanghai/,
    ],
    [
      "in a zone that triggers cannot read",
      "window: {from: '22:00', to: '06:00', tz: CST}",
      /an IANA time zone such as \S+, got "CST"$/,
    ],
    [
      "that is a number",
      "window: 22",
      /`tasks\.x\.window` to be none, the name of one of `windows`, or a map/,
    ],
  ];
  for (const [name, line, expected] of refused) {
    it(`is refused ${name}`, async () => {
      const problems = await problemsOf(line);
      assert.ok(problems.some((each) => expected.test(each)), problems.join("\n"));
    });
  }

  it("tells a wrong shared window once, and not again where it is named", async () => {
    const head = "windows: {night: {from: '22:00', to: '22:00'}}";
    const problems = await problemsOf("window: night", head);
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.match(problems[0]!, /^env\/beat\.yaml:2: expected `windows\.night\.to`/);
  });

  it("tells an unknown name in defaults once, however many entries", async () => {
    const { problems } = await loadFiles({
      "env/beat.yaml":
        "version: 1\ndefaults: {window: nihgt}\nwindows: {night: {from: '1:00', to: '2:00'}}",
    });
    assert.deepEqual(problems, [
      "env/beat.yaml:2: expected `defaults.window` to be none, or the name of one of `windows`, got " +
      '"nihgt"; did you mean night?',
    ]);
  });

  it("cannot be called none", async () => {
    const problems = await problemsOf(
      "enabled: true",
      "windows: {none: {from: '1:00', to: '2:00'}}",
    );
    assert.match(problems.join(), /another word: none stands for no window/);
  });
});

describe("heavy", () => {
  it("means the night, and nothing is said where that fits", async () => {
    for (const line of ["every: 20m", "every: 6h", "cron: '0 3 * * *'", "cron: '*/10 * * * *'"]) {
      const { window, hints } = await read(`${line}, heavy: true`);
      assert.deepEqual(window, OFF_PEAK, line);
      assert.deepEqual(hints.filter((each) => /window/.test(each)), [], line);
    }
  });

  for (
    const [line, key] of [
      ["cron: '0 13 * * *'", "cron"],
      ["crontab: {hour: 6, minute: 0}", "crontab"],
      ["at: 2027-01-31T13:00:00Z", "at"],
      ["every: 24h, phase: 13h", "phase"],
    ] as const
  ) {
    it(`gives way to a written time, and says so: ${line}`, async () => {
      const { window, hints } = await read(`${line}, heavy: true`);
      assert.equal(window, null);
      assert.match(
        hints.join(),
        new RegExp(
          `x is heavy, but \`${key}\` \\(\\S*env/beat.yaml:4\\) is outside of the default window off_peak ` +
            "\\(22:00 to 06:00 UTC\\): the written time holds",
        ),
      );
    });

    it(`holds where the window is written too, and says so: ${line}`, async () => {
      const { window, hints } = await read(`${line}, heavy: true, window: off_peak`);
      assert.deepEqual(window, OFF_PEAK);
      assert.match(
        hints.join(),
        /is outside of its window off_peak .* waits until the window opens/,
      );
    });

    it(`is silent where there is no window: ${line}`, async () => {
      const { window, hints } = await read(`${line}, heavy: true, window: none`);
      assert.equal(window, null);
      assert.deepEqual(hints, []);
    });
  }

  const BACKUP = "maintenance.postgres_full_backup";
  const backup = async (env: Record<string, string>) => {
    const { tasks, hints } = await loadFine(yamlTasks(`${BACKUP}: {heavy: true}`), env);
    const { policies } = tasks.find(({ name }) => name === BACKUP)!;
    return { window: policies.window, hint: hints.find((each) => each.startsWith(BACKUP)) ?? "" };
  };

  it("keeps the backup's usual time, which is at night", async () => {
    assert.deepEqual(await backup({}), { window: OFF_PEAK, hint: "" });
    assert.deepEqual(await backup({ POSTGRES_BACKUP_HOUR_UTC: "4" }), {
      window: OFF_PEAK,
      hint: "",
    });
  });

  it("gives way to a time of the backup that a variable states", async () => {
    const { window, hint } = await backup({ POSTGRES_BACKUP_HOUR_UTC: "13" });
    assert.equal(window, null);
    assert.match(hint, /is heavy, but POSTGRES_BACKUP_HOUR_UTC=13 \(environment\) is outside/);
  });

  it("holds the backup's usual time where that is by day", async () => {
    const { window, hint } = await backup({ CELERY_TIMEZONE: "Asia/Shanghai" });
    assert.equal(window?.tz, "Asia/Shanghai");
    assert.match(
      hint,
      /the default of POSTGRES_BACKUP_HOUR_UTC and \S+ is outside of its window .* `window: none` ends it/,
    );
  });

  it("is no word about a task that is off", async () => {
    const { hints } = await loadFine(
      yamlTasks("x: {task: t, queue: q, cron: '0 13 * * *', heavy: true, enabled: false}"),
    );
    assert.ok(!hints.some((each) => each.startsWith("x")), hints.join());
  });
});
