/** The whole way: Beat as a process, a real Redis and a real Celery worker, held to plain arithmetic. */

import { after, before, describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { CeleryWorker } from "../support/celery_worker.ts";
import { findPython, startCelery } from "../support/celery_worker.ts";
import { needs } from "../support/needs.ts";
import type { Entry, Story } from "../support/oracle.ts";
import {
  dueTimes,
  findings,
  knownSince,
  lateness,
  owed,
  storiesOf,
  taskIds,
} from "../support/oracle.ts";
import type { Stage } from "../support/stage.ts";
import { ALL, openStage, yamlOf } from "../support/stage.ts";
import { passes, until } from "../support/until.ts";

const { it } = needs("redis", "celery");
const MINUTE_MS = 60_000;
const RUN_MS = 30_000;
/** Loading takes a while, and the backup must not be due before. */
const BACKUP_AT_LEAST_MS = 6_000;

/** Six of the seven, by their variables. Minutes are the shortest that three of them can have. */
const BUILT_IN: readonly (Entry & { variable: string })[] = [
  entry("paper_trading.scheduler_tick", "1.5", "PAPER_TRADING_LOOP_INTERVAL_SECONDS"),
  entry(
    "market_data.refresh_active_subscriptions",
    "2",
    "MARKET_DATA_REFRESH_ACTIVE_SUBSCRIPTIONS_INTERVAL_SECONDS",
  ),
  entry("notifications.dispatch_pending", "3", "NOTIFICATIONS_LOOP_INTERVAL_SECONDS"),
  // No whole number of milliseconds: due at floor(k x 1234.5).
  entry("trade_approval.expire_pending", "1.2345", "TRADING_APPROVAL_EXPIRE_SCAN_INTERVAL_SECONDS"),
  {
    ...entry("maintenance.user_email_csv_export", "60", "USER_EMAIL_CSV_EXPORT_INTERVAL_MINUTES"),
    celeryTask: "maintenance.export_user_emails_csv",
  },
  entry(
    "maintenance.fail_stale_backtest_jobs",
    "60",
    "BACKTEST_STALE_JOB_CLEANUP_INTERVAL_MINUTES",
  ),
];

/** The same Celery tasks more often than their variables allow. */
const SHORT: readonly Entry[] = [
  short("backup", "maintenance.backup_postgres_full", "2.5"),
  short("csv", "maintenance.export_user_emails_csv", "0.7"),
  short("stale", "maintenance.fail_stale_backtest_jobs", "0.3"),
];

/** The seventh: a crontab, here of the coming minute. */
const BACKUP = {
  name: "maintenance.postgres_full_backup",
  celeryTask: "maintenance.backup_postgres_full",
  queue: "maintenance",
};

function entry(name: string, everyS: string, variable: string) {
  return { name, celeryTask: name, queue: name.split(".")[0]!, everyS, variable };
}

function short(name: string, celeryTask: string, everyS: string): Entry {
  return { name: `short.${name}`, celeryTask, queue: "maintenance", everyS };
}

function variables(backupMs: number): Record<string, string> {
  const every = BUILT_IN.map(({ variable, everyS }) => [
    variable,
    variable.endsWith("_MINUTES") ? String(Number(everyS) / 60) : everyS,
  ]);
  const backup = new Date(backupMs);
  return {
    ...Object.fromEntries(every),
    POSTGRES_BACKUP_HOUR_UTC: String(backup.getUTCHours()),
    POSTGRES_BACKUP_MINUTE_UTC: String(backup.getUTCMinutes()),
  };
}

describe("the seven tasks, with a Celery worker", () => {
  const missing = needs("redis", "celery").missing;
  let stage: Stage;
  let worker: CeleryWorker;
  before(async () => {
    if (missing !== null) return;
    const redis = { isPersistent: true, fsync: "everysec" } as const;
    stage = await openStage({ redis, yaml: `${ALL}\ntasks:\n${yamlOf(SHORT)}` });
    worker = await startCelery({ brokerUrl: stage.redis.url, concurrency: 4 });
  });
  after(async () => {
    await worker?.kill();
    await stage?.close();
  });

  it("run exactly once at each due time, none early, each acked, under the id of its fire", async () => {
    const startMs = Date.now();
    const backupMs = Math.ceil((startMs + BACKUP_AT_LEAST_MS) / MINUTE_MS) * MINUTE_MS;
    const beat = stage.beat(variables(backupMs));
    await beat.says("leading");
    const leadingMs = Date.now();
    const endMs = Math.max(leadingMs + RUN_MS, backupMs + 1_000);
    await passes(endMs - Date.now());

    const all = [...BUILT_IN, ...SHORT];
    await stage.decided(all, endMs);
    const known = knownSince(await stage.journal.read());
    for (const [name, sinceMs] of known) {
      assert.ok(sinceMs >= startMs && sinceMs <= leadingMs, `${name} is known since ${sinceMs}`);
    }
    const wanted = [...owed(all, known, endMs), `${BACKUP.name}@${backupMs}`];
    const finished = async () => {
      const rows = await stage.journal.read();
      const done = rows.filter(({ type }) => type === "fire.finished");
      const ids = new Set(done.map(({ task, dueMs }) => `${task}@${dueMs}`));
      return wanted.every((id) => ids.has(id));
    };
    await until(finished, 20_000).catch(() => {}); // What is not, is a finding below.
    assert.equal(await beat.stop(), 143, beat.text());
    await worker.stop();

    const stories = storiesOf(await stage.journal.read(), await worker.runs());
    const ids = await taskIds([...stories.keys()], findPython()!);
    const celeryTask = new Map([...all, BACKUP].map((each) => [each.name, each.celeryTask]));
    const everyS = new Map(all.map((each) => [each.name, each.everyS]));
    const rule = ({ id, dueMs, rows, runs: [run] }: Story) => {
      const [name] = id.split("@") as [string];
      if (run === undefined) return "it did not run";
      if (run.id !== ids.get(id)) return `expected the task id ${ids.get(id)}`;
      if (run.entry !== name || run.name !== celeryTask.get(name)) return "another task ran";
      if (Date.parse(run.due!) !== dueMs) return `its header says ${run.due}`;
      const ends = rows.filter(({ type }) => type !== "fire.published" && type !== "fire.taken")
        .map(({ type, detail }) => `${type} ${detail.outcome ?? ""}`.trim());
      const good = ["fire.acked", "fire.finished success"];
      return ends.join() === good.join() ? null : `expected ${good}, got ${ends}`;
    };
    const isDue = ({ id, dueMs }: Story) => {
      const every = everyS.get(id.split("@")[0]!);
      return dueMs > endMs && every !== undefined &&
        dueTimes(every, dueMs - 1, dueMs).length === 1;
    };
    assert.deepEqual(findings(wanted, stories, { rule, isDue }), []);
    const loud = beat.log().filter(({ level, msg }) =>
      level !== "info" && !/on the hour|is due every/.test(msg)
    );
    assert.deepEqual(loud, []);
    assert.ok(wanted.length > 150, `only ${wanted.length} fires were owed`);
    console.log(`seven tasks: ${Math.round((endMs - leadingMs) / 1000)} s, ${lateness(stories)}`);
  });
});
