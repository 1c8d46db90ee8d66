import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";

import { SECRET_VARIABLES, VARIABLES } from "../../src/config/variables.ts";
import { loadFiles, loadFine } from "../support/load_files.ts";

const FLAG = /true or false/;
const SECONDS = /a number of seconds from 0\.01 to 31622400/;
const MINUTES = /a whole number of minutes from 1 to 527040/;

/** Of each variable with a range: the last values that are allowed, and what is just not. */
const RANGES: Record<string, { good: string[]; bad: string[]; says: RegExp }> = {
  POSTGRES_BACKUP_HOUR_UTC: {
    good: ["0", "23", " 7 ", "07", "3.0"],
    bad: ["-1", "24", "3.5", "x", "0x1", "NaN", "1e400"],
    says: /a whole number from 0 to 23/,
  },
  POSTGRES_BACKUP_MINUTE_UTC: {
    good: ["0", "59"],
    bad: ["-1", "60"],
    says: /a whole number from 0 to 59/,
  },
  REDIS_PORT: { good: ["1", "65535"], bad: ["0", "65536", "tcp://h:1"], says: /from 1 to 65535/ },
  REDIS_DB: { good: ["0", "999"], bad: ["-1", "a"], says: /from 0 to 999999/ },
  REDIS_HOST: {
    good: ["h", "10.0.0.1", "::1", "fe80::a:1"],
    bad: ["a b", "h/0", "localhost:6380", "10.0.0.1:6380", "redis:6379"],
    says: /a host's name or address, without a port/,
  },
  CELERY_TIMEZONE: {
    good: ["UTC", "America/New_York"],
    bad: ["Mars/Olympus", "+02:00", "Europe/Berln", "CST", "BST"],
    says: /an IANA time zone such as \w+/,
  },
  BEAT_NAMESPACE: { good: ["beat", "a.b:c-1"], bad: ["a b", "ä", "a@b"], says: /letters, digits/ },
  BEAT_LEASE_SECONDS: {
    good: ["0.5", "5", "300"],
    bad: ["0.4", "301", "0", "-5"],
    says: /a number of seconds from 0\.5 to 300/,
  },
  BEAT_LOG_LEVEL: { good: ["trace", "FATAL"], bad: ["loud"], says: /trace, debug, info/ },
  BEAT_LOG_FORMAT: { good: ["auto", "json", "Text"], bad: ["xml"], says: /auto, json, text/ },
  PAPER_TRADING_QUEUE_BACKLOG_SOFT_LIMIT: {
    good: ["1", "2000"],
    bad: ["0", "1.5", "-3"],
    says: /a whole number of messages of at least 1/,
  },
  ...Object.fromEntries(
    [
      "USER_EMAIL_CSV_EXPORT_INTERVAL_MINUTES",
      "BACKTEST_STALE_JOB_CLEANUP_INTERVAL_MINUTES",
    ].map((name) => [name, { good: ["1", "60"], bad: ["0", "-1", "1.5", "x"], says: MINUTES }]),
  ),
  ...Object.fromEntries(
    [
      "PAPER_TRADING_LOOP_INTERVAL_SECONDS",
      "MARKET_DATA_REFRESH_ACTIVE_SUBSCRIPTIONS_INTERVAL_SECONDS",
      "NOTIFICATIONS_LOOP_INTERVAL_SECONDS",
      "TRADING_APPROVAL_EXPIRE_SCAN_INTERVAL_SECONDS",
    ].map((name) => [name, {
      good: ["0.01", "0.5", "1e2", ".5", "15"],
      bad: ["0", "-1", "0.001", "inf", "x", "1_000"],
      says: SECONDS,
    }]),
  ),
  ...Object.fromEntries(
    [
      "POSTGRES_BACKUP_ENABLED",
      "USER_EMAIL_CSV_EXPORT_ENABLED",
      "BACKTEST_STALE_JOB_CLEANUP_ENABLED",
      "PAPER_TRADING_ENABLED",
      "NOTIFICATIONS_ENABLED",
      "TRADING_APPROVAL_ENABLED",
    ].map((name) => [name, {
      good: ["true", "FALSE", "1", "0", "Yes", "no", "on", "oFF"],
      bad: ["maybe", "2", "t", "truee"],
      says: FLAG,
    }]),
  ),
};

/** Variables of which any text is taken, or which have tests of their own. */
const FREE = new Set([
  ...SECRET_VARIABLES,
  ...[
    "BEAT_ARCHIVE",
    "BEAT_CONFIG",
    "BEAT_CALENDARS",
    "MINSY_ENV_PROFILE",
    "MINSY_SERVICE",
    "MINSY_CELERY_PROFILE",
  ],
  ...["MINSY_ENV_FILES", "MINSY_ENV_FILE"],
]);

describe("VARIABLES", () => {
  it("has a range here for each variable that is not free", () => {
    const missing = Object.keys(VARIABLES.shape).filter((name) => !FREE.has(name))
      .filter((name) => RANGES[name] === undefined);
    assert.deepEqual(missing, []);
  });

  for (const [name, { good, bad, says }] of Object.entries(RANGES)) {
    it(`${name} takes ${good.join(", ")}`, () => {
      for (const value of good) {
        assert.equal(VARIABLES.safeParse({ [name]: value }).success, true, value);
      }
    });
    it(`${name} refuses ${bad.join(", ")}`, async () => {
      for (const value of bad) {
        const { problems } = await loadFiles({}, { [name]: value });
        assert.equal(problems.length, 1, `${value}: ${problems}`);
        const shown = value.includes("://") ? "a URL (not shown)" : JSON.stringify(value);
        assert.ok(problems[0]!.startsWith(`${name}: expected \`${name}\` to be `), problems[0]);
        assert.ok(problems[0]!.endsWith(`, got ${shown}`), problems[0]);
        assert.match(problems[0]!, says);
      }
    });
  }

  it("tells all that is wrong at once", async () => {
    const env = Object.fromEntries(
      Object.entries(RANGES).map(([name, { bad }]) => [name, bad[0]!]),
    );
    const { problems } = await loadFiles({}, env);
    const names = problems.map((problem) => problem.split(":")[0]).sort();
    assert.deepEqual(names, Object.keys(RANGES).sort());
  });

  it("takes an empty value for unset", async () => {
    const env = Object.fromEntries(Object.keys(RANGES).map((name) => [name, " "]));
    assert.deepEqual(await loadFine({}, env), await loadFine({}));
  });
});
