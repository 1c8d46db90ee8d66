import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { next, type NextOptions } from "../../src/commands/next.ts";
import { TriggerError, UsageError } from "../../src/errors.ts";
import { type KeptShell, keptShell } from "../support/shell.ts";
import { CHANGES } from "../triggers/changes.ts";
import disputed from "../vectors/cron-dst.json" with { type: "json" };

function aShell({ stdin = "", isOutTerminal = false } = {}): KeptShell {
  return { ...keptShell({ isOutTerminal }), readStdin: () => Promise.resolve(stdin) };
}

async function printedBy(options: NextOptions, isOutTerminal = false): Promise<string[]> {
  const shell = aShell({ isOutTerminal });
  assert.equal(await next(options, shell), 0);
  assert.equal(shell.said.err, "");
  return shell.said.out.trimEnd().split("\n");
}

async function answers(questions: unknown): Promise<unknown[]> {
  const shell = aShell({ stdin: JSON.stringify(questions) });
  assert.equal(await next({ stdin: true }, shell), 0);
  return JSON.parse(shell.said.out);
}

const EASTERN = {
  expression: "30 2 * * *",
  tz: "America/New_York",
  from: "2026-03-07T12:00:00Z",
  count: "2",
};

describe("next()", () => {
  it("prints instants in UTC, one a line", async () => {
    assert.deepEqual(await printedBy(EASTERN), ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]);
  });

  it("prints an array with --json", async () => {
    const [line, ...rest] = await printedBy({ ...EASTERN, json: true });
    assert.deepEqual(JSON.parse(line!), ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]);
    assert.deepEqual(rest, []);
  });

  it("adds the local time on a terminal, and a word where the clocks change", async () => {
    const [moved, ordinary] = await printedBy(EASTERN, true);
    assert.match(moved!, /Sun 2026-03-08 03:00:00-04:00 {2}\(2026-03-08T02:30:00 does not exist/);
    assert.match(ordinary!, /Mon 2026-03-09 02:30:00-04:00$/);
    const back = { ...EASTERN, expression: "30 1 * * *", from: "2026-11-01T00:00:00Z", count: "1" };
    assert.match((await printedBy(back, true))[0]!, /-04:00 {2}\(this reading comes twice\)/);
  });

  it("reads Celery's fields in cron's order", async () => {
    const options = { expression: "0 12 13 * fri", from: "2026-01-01T00:00:00Z", count: "2" };
    const [cron] = await printedBy(options);
    const celery = await printedBy({ ...options, dialect: "celery" });
    assert.equal(cron, "2026-01-02T12:00:00Z");
    assert.deepEqual(celery, ["2026-02-13T12:00:00Z", "2026-03-13T12:00:00Z"]);
  });

  it("starts now, in UTC, with five, unless told otherwise", async () => {
    const fromMs = Date.now();
    const dues = await printedBy({ expression: "@hourly" });
    const untilMs = Date.now();
    assert.equal(dues.length, 5);
    const firstMs = Temporal.Instant.from(dues[0]!).epochMilliseconds;
    assert.ok(firstMs > fromMs && firstMs <= untilMs + 3_600_000);
    assert.equal(firstMs % 3_600_000, 0);
  });

  const wrong: [
    options: NextOptions,
    error: typeof UsageError | typeof TriggerError,
    message: RegExp,
  ][] = [
    [{}, UsageError, /expected an expression such as/],
    [
      { ...EASTERN, expression: "0", further: ["3", "LICENSE", "README.md"] },
      UsageError,
      /one expression with quotes around it, as in beat next "30 2 \* \* \*", got 4 words/,
    ],
    [{ ...EASTERN, count: "0" }, UsageError, /`--count` to be a whole number from 1/],
    [{ ...EASTERN, count: "many" }, UsageError, /`--count`.*got "many"/],
    [{ ...EASTERN, from: "yesterday" }, UsageError, /`--from` to be a time/],
    [
      { ...EASTERN, dialect: "quartz" },
      UsageError,
      /`dialect` to be cron, celery or session, got "quartz"/,
    ],
    [{ ...EASTERN, tz: "Mars/Olympus" }, TriggerError, /an IANA zone/],
    [{ ...EASTERN, dialect: "session" }, UsageError, /no `tz` beside .* its exchange's zone/],
    [{ ...EASTERN, expression: "* * * *" }, TriggerError, /5 fields/],
    [{ ...EASTERN, expression: "0 0 30 2 *" }, TriggerError, /a date that comes/],
    [{ ...EASTERN, expression: "* * *", dialect: "celery" }, TriggerError, /five fields/],
  ];
  for (const [options, error, message] of wrong) {
    it(`refuses ${JSON.stringify(options)}`, async () => {
      const shell = aShell();
      await assert.rejects(next(options, shell), (thrown) => {
        assert.ok(thrown instanceof error);
        assert.match(thrown.message, message);
        assert.equal(thrown.exitCode, 2);
        return true;
      });
      assert.equal(shell.said.out, "");
    });
  }
});

describe("next() with --stdin", () => {
  it("answers each question in its place", async () => {
    const start = "2016-11-05T03:59:59Z";
    const tz = "America/New_York";
    const got = await answers([
      { expression: "* * * L * *", tz, start, count: 2, dialect: "cron" },
      { expression: "nonsense", tz, start, count: 2, dialect: "cron" },
      { expression: "0 0 * * 7", tz: "UTC", start, count: 1, dialect: "celery" },
      { expression: "0 0 1 * *", start, count: 1 },
    ]);
    assert.deepEqual(got[0], ["2016-11-30T05:00:00Z", "2016-11-30T05:00:01Z"]);
    assert.match((got[1] as { error: string }).error, /5 fields/);
    assert.match((got[2] as { error: string }).error, /`day_of_week`/);
    assert.deepEqual(got[3], ["2016-12-01T00:00:00Z"]);
  });

  it("answers the vectors on changes of the clocks", async () => {
    const questions = disputed.vectors.map(({ expect, ...rest }) => ({
      ...rest,
      count: expect.length,
    }));
    assert.deepEqual(await answers(questions), disputed.vectors.map(({ expect }) => expect));
  });

  it("gives an error for each question that is wrong, and no more", async () => {
    const good = { expression: "@daily", tz: "UTC", start: "2026-01-01T00:00:00Z", count: 1 };
    const got = await answers([
      null,
      "0 0 * * *",
      {},
      { ...good, tz: 1 },
      { ...good, start: 0 },
      { ...good, start: "soon" },
      { ...good, count: 1.5 },
      { ...good, count: 1e9 },
      { ...good, dialect: "aws" },
      { ...good, tz: "Nowhere/Else" },
      good,
    ]);
    assert.deepEqual(got.pop(), ["2026-01-02T00:00:00Z"]);
    for (const each of got) {
      assert.ok(each !== null && typeof each === "object" && "error" in each);
      assert.match(String(each.error), /^expected /);
    }
  });

  for (const stdin of ["", "{", "{}", "null", "3"]) {
    it(`refuses ${JSON.stringify(stdin)}, which is no array`, async () => {
      await assert.rejects(next({ stdin: true }, aShell({ stdin })), (error) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, /expected a JSON array/);
        return true;
      });
    });
  }

  it("answers many questions", async () => {
    const questions = CHANGES.map(({ tz }) => ({
      expression: "*/15 * * * *",
      tz,
      start: "2026-01-01T00:00:00Z",
      count: 500,
    }));
    for (const each of await answers(questions)) assert.equal((each as string[]).length, 500);
  });
});

describe("next() of a session", () => {
  const dialect = "session";

  it("prints a time of each session, half days and the change of the clocks included", async () => {
    const options = {
      dialect,
      expression: "nyse close-15m",
      from: "2026-11-25T21:00Z",
      count: "2",
    };
    assert.deepEqual(await printedBy(options), ["2026-11-27T17:45:00Z", "2026-11-30T20:45:00Z"]);
    assert.match((await printedBy(options, true))[0]!, /Fri 2026-11-27 12:45:00-05:00$/);
  });

  it("says where the calendar ends", async () => {
    const shell = aShell();
    const expression = "XSHG";
    assert.equal(await next({ dialect, expression, from: "2026-12-31T07:00:00Z" }, shell), 0);
    assert.deepEqual(shell.said, {
      ...{ out: "", err: "never due after that time: its calendar ends 2026-12-31\n" },
    });
  });

  it("answers from standard input, and refuses a calendar that nobody knows", async () => {
    const [good, bad] = await answers([
      { dialect, expression: "XHKG open+5m", start: "2026-01-05T00:00:00Z", count: 1 },
      { dialect, expression: "XHKJ" },
    ]);
    assert.deepEqual(good, ["2026-01-05T01:35:00Z"]);
    assert.match(
      (bad as { error: string }).error,
      /known calendar, got "XHKJ"; did you mean XHKG\?/,
    );
  });
});
