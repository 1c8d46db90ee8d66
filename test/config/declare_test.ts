import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";

import { phaseOf } from "../../src/config/trigger_spec.ts";
import type { Task } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import { loadFine, yamlTasks } from "../support/load_files.ts";

/** The last declared task. */
async function taskOf(line: string, env = {}): Promise<Task> {
  const { tasks } = await loadFine(yamlTasks(`report: {task: t, queue: q, ${line}}`), env);
  return tasks.at(-1)!;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MAYBE_UTC = { kind: "crontab", dayOfWeek: "*", dayOfMonth: "*", monthOfYear: "*", tz: "UTC" };

describe("declare()", () => {
  it("fills in whatever an entry does not say", async () => {
    assert.deepEqual(await taskOf("every: 15m"), {
      name: "report",
      celeryTask: "t",
      queue: "q",
      trigger: { kind: "every", everyMs: 900_000, phaseMs: 0 },
      args: [],
      kwargs: {},
      headers: {},
      expiresMs: null,
      priority: null,
      timeLimitS: null,
      softTimeLimitS: null,
      ignoreResult: false,
      importance: "critical",
      catchUp: { policy: "latest", windowMs: 900_000, cap: 100 },
      policies: { ...NO_POLICIES, maxHoldMs: 900_000 },
      takeByMs: 900_000,
      giveUpMs: 7 * DAY_MS,
    });
  });

  it("takes over whatever an entry says", async () => {
    const task = await taskOf(
      "every: 0.25, args: [1, {a: b}], kwargs: {x: null}, headers: {h: 1}, expires: 1.5, priority: 9, " +
        "time_limit: 90s, soft_time_limit: 1m, ignore_result: true, importance: deferrable, " +
        "catchup: {policy: all, window: 6h, cap: 5}, take_by: 2m, give_up: 1d, overlap: wait, max_hold: 5m",
    );
    assert.deepEqual(task, {
      name: "report",
      celeryTask: "t",
      queue: "q",
      trigger: { kind: "every", everyMs: 250, phaseMs: 0 },
      args: [1, { a: "b" }],
      kwargs: { x: null },
      headers: { h: 1 },
      expiresMs: 1_500,
      priority: 9,
      timeLimitS: 90,
      softTimeLimitS: 60,
      ignoreResult: true,
      importance: "deferrable",
      catchUp: { policy: "all", windowMs: 6 * HOUR_MS, cap: 5 },
      policies: {
        ...NO_POLICIES,
        overlap: "wait",
        pressure: { mode: "observe", slowTo: 4 },
        maxHoldMs: 300_000,
      },
      takeByMs: 120_000,
      giveUpMs: DAY_MS,
    });
  });

  const triggers: [string, unknown][] = [
    ["every: 1h, phase: 20m", { kind: "every", everyMs: HOUR_MS, phaseMs: 1_200_000 }],
    ["every: 0.0333", { kind: "every", everyMs: 33.3, phaseMs: 0 }],
    ["cron: '@daily'", { kind: "cron", expression: "@daily", tz: "Asia/Shanghai" }],
    ["cron: '0 3 * * *', tz: UTC", { kind: "cron", expression: "0 3 * * *", tz: "UTC" }],
    ["crontab: {hour: 3, minute: '*/5'}, tz: UTC", { ...MAYBE_UTC, hour: "3", minute: "*/5" }],
    ["crontab: '1 2 3 4 5', tz: UTC", {
      ...{ kind: "crontab", tz: "UTC", minute: "1", hour: "2" },
      ...{ dayOfMonth: "3", monthOfYear: "4", dayOfWeek: "5" },
    }],
    ["crontab: '<crontab: 1 2 3 4 5 (m/h/d/dM/MY)>', tz: UTC", {
      ...{ kind: "crontab", tz: "UTC", minute: "1", hour: "2" },
      ...{ dayOfWeek: "3", dayOfMonth: "4", monthOfYear: "5" },
    }],
    ["crontab: '<crontab: 1 2 3 4 5 (m/h/dM/MY/d)>', tz: UTC", {
      ...{ kind: "crontab", tz: "UTC", minute: "1", hour: "2" },
      ...{ dayOfMonth: "3", monthOfYear: "4", dayOfWeek: "5" },
    }],
    ["at: 2027-01-31T09:00:00+01:00", { kind: "at", atMs: Date.UTC(2027, 0, 31, 8) }],
    ["at: 2027-01-31T09:00:00-05", { kind: "at", atMs: Date.UTC(2027, 0, 31, 14) }],
    ["at: '2027-01-31 09:00'", { kind: "at", atMs: Date.UTC(2027, 0, 31, 1) }],
    // The first pass of an hour that comes twice.
    ["at: '2026-10-25T02:30:00', tz: Europe/Paris", {
      kind: "at",
      atMs: Date.UTC(2026, 9, 25, 0, 30),
    }],
  ];
  for (const [line, expected] of triggers) {
    it(`reads ${line}`, async () => {
      const { trigger } = await taskOf(line, { CELERY_TIMEZONE: "Asia/Shanghai" });
      assert.deepEqual(trigger, expected);
    });
  }

  const periods: [string, number][] = [
    ["every: 10s", 60_000],
    ["every: 2h", 2 * HOUR_MS],
    ["cron: '0 9 * * 1-5'", DAY_MS],
    ["cron: '*/20 * * * * *'", 60_000],
    ["crontab: {hour: 3, minute: 0}", DAY_MS],
    ["cron: '0 0 1 * *'", 28 * DAY_MS],
    ["at: 2027-01-31T09:00:00Z", HOUR_MS],
  ];
  for (const [line, periodMs] of periods) {
    it(`catches up, and waits for a worker, for a period and at least a minute: ${line}`, async () => {
      const { catchUp, takeByMs } = await taskOf(line);
      assert.deepEqual([catchUp.windowMs, takeByMs], [periodMs, periodMs]);
    });
  }

  it("puts an automatic phase into the interval, always the same for a name", async () => {
    const { trigger } = await taskOf("every: 1h, phase: auto");
    const again = await taskOf("every: 1h, phase: auto");
    assert.ok(trigger.kind === "every" && trigger.phaseMs > 0);
    assert.deepEqual(trigger, again.trigger);
    const name = fc.string({ minLength: 1 });
    fc.assert(fc.property(name, fc.integer({ min: 10, max: 1e9 }), (name, everyMs) => {
      const phaseMs = phaseOf("auto", { name, everyMs })!;
      assert.ok(Number.isInteger(phaseMs) && phaseMs >= 0 && phaseMs < everyMs);
    }));
  });

  it("goes by the entry, then what is built in, then defaults", async () => {
    const { tasks } = await loadFine({
      "env/beat.yaml": [
        "version: 1",
        "defaults: {importance: deferrable, priority: 3, give_up: 1d, catchup: {window: 2h, cap: 7}}",
        "tasks:",
        "  own: {task: t, queue: q, every: 1m, priority: 6, catchup: all}",
        "  notifications.dispatch_pending: {importance: critical, phase: 1s}",
      ].join("\n"),
    });
    const by = new Map(tasks.map((task) => [task.name, task]));
    const own = by.get("own")!;
    assert.deepEqual(own.catchUp, { policy: "all", windowMs: 2 * HOUR_MS, cap: 7 });
    assert.deepEqual([own.importance, own.priority, own.giveUpMs], ["deferrable", 6, DAY_MS]);
    const dispatch = by.get("notifications.dispatch_pending")!;
    assert.deepEqual([dispatch.importance, dispatch.priority, dispatch.expiresMs], [
      ...["critical", 3, 5_000],
    ]);
    assert.deepEqual(dispatch.trigger, { kind: "every", everyMs: 5_000, phaseMs: 1_000 });
    assert.equal(by.get("market_data.refresh_active_subscriptions")!.importance, "normal");
  });

  it("says what is off by which switch, variables before the file", async () => {
    const { off, tasks } = await loadFine({
      ...yamlTasks(
        "own: {task: t, queue: q, every: 1d, enabled: false}",
        "paper_trading.scheduler_tick: {enabled: true}",
        "trade_approval.expire_pending: {enabled: false}",
      ),
      "env/.env.dev.beat": "# switches\nPAPER_TRADING_ENABLED=0",
    });
    const shown = off.map(({ name, by }) => `${name} ${by.replace(/\([^)]*env\//, "(env/")}`);
    assert.deepEqual(shown, [
      "paper_trading.scheduler_tick PAPER_TRADING_ENABLED=0 (env/.env.dev.beat:2)",
      "market_data.refresh_active_subscriptions PAPER_TRADING_ENABLED=0 (env/.env.dev.beat:2)",
      "trade_approval.expire_pending enabled: false (env/beat.yaml:5)",
      "own enabled: false (env/beat.yaml:3)",
    ]);
    assert.equal(tasks.length, 4);
  });

  it("lets two entries share a task, and keeps the order of the file", async () => {
    const { tasks } = await loadFine(yamlTasks(
      "z: {task: t, queue: q, every: 1m}",
      "a: {task: t, queue: q, every: 2m}",
    ));
    assert.deepEqual(tasks.slice(7).map(({ name, celeryTask }) => [name, celeryTask]), [
      ["z", "t"],
      ["a", "t"],
    ]);
  });
});
