import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";

import { builtIns } from "../../src/config/built_in.ts";
import { VARIABLES } from "../../src/config/variables.ts";
import { loadFine } from "../support/load_files.ts";

const EVERY = (everyMs: number) => ({ kind: "every", everyMs, phaseMs: 0 });

function valuesOf(env: Record<string, string>) {
  return VARIABLES.parse(env);
}

describe("builtIns()", () => {
  it("are the seven of the documentation", async () => {
    const { tasks, off } = await loadFine({});
    assert.deepEqual(off, []);
    assert.deepEqual(
      tasks.map((task) => [
        ...[task.name, task.celeryTask, task.queue, task.trigger, task.expiresMs, task.importance],
      ]),
      [
        [
          "maintenance.postgres_full_backup",
          "maintenance.backup_postgres_full",
          "maintenance",
          {
            ...{ kind: "crontab", minute: "0", hour: "3", tz: "UTC" },
            ...{ dayOfWeek: "*", dayOfMonth: "*", monthOfYear: "*" },
          },
          null,
          "deferrable",
        ],
        [
          "maintenance.user_email_csv_export",
          "maintenance.export_user_emails_csv",
          "maintenance",
          EVERY(3_600_000),
          null,
          "deferrable",
        ],
        [
          "maintenance.fail_stale_backtest_jobs",
          "maintenance.fail_stale_backtest_jobs",
          "maintenance",
          EVERY(600_000),
          null,
          "normal",
        ],
        [
          "paper_trading.scheduler_tick",
          "paper_trading.scheduler_tick",
          "paper_trading",
          EVERY(1_000),
          2_000,
          "critical",
        ],
        [
          "market_data.refresh_active_subscriptions",
          "market_data.refresh_active_subscriptions",
          "market_data",
          EVERY(15_000),
          null,
          "normal",
        ],
        [
          "notifications.dispatch_pending",
          "notifications.dispatch_pending",
          "notifications",
          EVERY(5_000),
          5_000,
          "normal",
        ],
        [
          "trade_approval.expire_pending",
          "trade_approval.expire_pending",
          "trade_approval",
          EVERY(10_000),
          null,
          "critical",
        ],
      ],
    );
    for (const task of tasks) {
      assert.deepEqual([task.args, task.kwargs, task.headers], [[], {}, {}]);
      assert.equal(task.priority, null);
    }
  });

  it("keep the backup in UTC whatever CELERY_TIMEZONE says", async () => {
    const { tasks, settings } = await loadFine({}, {
      CELERY_TIMEZONE: "Asia/Shanghai",
      POSTGRES_BACKUP_HOUR_UTC: "23",
      POSTGRES_BACKUP_MINUTE_UTC: "59",
    });
    const backup = tasks[0]!.trigger;
    assert.equal(settings.timezone, "Asia/Shanghai");
    assert.ok(backup.kind === "crontab");
    assert.deepEqual([backup.tz, backup.hour, backup.minute], ["UTC", "23", "59"]);
  });

  const switches: [string, string[]][] = [
    ["POSTGRES_BACKUP_ENABLED", ["maintenance.postgres_full_backup"]],
    ["USER_EMAIL_CSV_EXPORT_ENABLED", ["maintenance.user_email_csv_export"]],
    ["BACKTEST_STALE_JOB_CLEANUP_ENABLED", ["maintenance.fail_stale_backtest_jobs"]],
    [
      "PAPER_TRADING_ENABLED",
      ["paper_trading.scheduler_tick", "market_data.refresh_active_subscriptions"],
    ],
    ["NOTIFICATIONS_ENABLED", ["notifications.dispatch_pending"]],
    ["TRADING_APPROVAL_ENABLED", ["trade_approval.expire_pending"]],
  ];
  for (const [name, names] of switches) {
    it(`${name} switches ${names.join(" and ")}`, async () => {
      const { tasks, off } = await loadFine({}, { [name]: "Off" });
      assert.deepEqual(off, names.map((each) => ({ name: each, by: `${name}=Off (environment)` })));
      assert.equal(tasks.length, 7 - names.length);
      assert.ok(tasks.every((task) => !names.includes(task.name)));
    });
  }

  const expiries: [string, number, number][] = [
    ["0.25", 1_000, 1_000],
    ["0.75", 1_000, 1_000],
    ["1", 2_000, 1_000],
    ["1.6", 3_000, 1_000],
    ["2.5", 5_000, 2_000],
    ["30", 60_000, 30_000],
  ];
  for (const [seconds, tickMs, dispatchMs] of expiries) {
    it(`let messages of an interval of ${seconds} s expire as the workers' schedule did`, () => {
      const values = valuesOf({
        PAPER_TRADING_LOOP_INTERVAL_SECONDS: seconds,
        NOTIFICATIONS_LOOP_INTERVAL_SECONDS: seconds,
      });
      const expires = new Map(builtIns(values).map(({ name, expiresMs }) => [name, expiresMs]));
      assert.equal(expires.get("paper_trading.scheduler_tick"), tickMs);
      assert.equal(expires.get("notifications.dispatch_pending"), dispatchMs);
    });
  }

  it("have an interval without the noise of fractions", () => {
    fc.assert(fc.property(fc.integer({ min: 10, max: 100_000 }), (milliseconds) => {
      const values = valuesOf({ PAPER_TRADING_LOOP_INTERVAL_SECONDS: String(milliseconds / 1000) });
      assert.deepEqual(builtIns(values)[3]!.trigger, EVERY(milliseconds));
    }));
  });
});
