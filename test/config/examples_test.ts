import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "@std/testing/bdd";

import type { Config } from "../../src/settings.ts";
import { loadFine } from "../support/load_files.ts";

const read = (path: string) => readFileSync(new URL(`../../env/${path}`, import.meta.url), "utf8");

/** The examples of a profile, as if they were copied. */
function copied(profile: string): Record<string, string> {
  return Object.fromEntries(
    [".env.secrets", ".env.common", `.env.${profile}.beat`].map((
      name,
    ) => [`env/${name}`, read(`${name}.example`)]),
  );
}

describe("the examples in env/", () => {
  for (const profile of ["dev", "prod"]) {
    it(`change nothing but the broker when they are copied for ${profile}`, async () => {
      const env = { MINSY_ENV_PROFILE: profile };
      const plain = await loadFine({}, { ...env, REDIS_HOST: "localhost" });
      const { files: _files, written: _written, ...config } = await loadFine(copied(profile), env);
      const { files: _none, written: _nothing, ...expected } = plain;
      assert.deepEqual(config, expected);
    });
  }

  it("have a beat.yaml that changes nothing but policies, and a hint", async () => {
    const shipped = await loadFine({ "env/beat.yaml": read("beat.yaml") });
    const plain = await loadFine({});
    const shown = (
      { hints: _hints, files: _files, written: _written, tasks, ...config }: Config,
    ) => ({
      ...config,
      tasks: tasks.map(({ policies: _policies, ...task }) => task),
    });
    assert.deepEqual(shown(shipped), shown(plain));
    assert.deepEqual(shipped.hints, []);
  });

  it("have a beat.yaml that keeps the backup to the night", async () => {
    const { tasks } = await loadFine({ "env/beat.yaml": read("beat.yaml") });
    const windows = tasks.map(({ name, policies }) => [name, policies.window?.name ?? null]);
    assert.deepEqual(windows.filter(([, window]) => window !== null), [
      ["maintenance.postgres_full_backup", "off_peak"],
    ]);
  });

  it("have a beat.yaml in which paper trading and market data follow New York", async () => {
    const { tasks } = await loadFine({ "env/beat.yaml": read("beat.yaml") });
    const following = tasks.flatMap(({ name, policies: { session } }) =>
      session === null ? [] : [[name, ...session.calendars.map(({ mic }) => mic)]]
    );
    assert.deepEqual(following, [
      ["paper_trading.scheduler_tick", "XNYS"],
      ["market_data.refresh_active_subscriptions", "XNYS"],
    ]);
  });

  it("have a beat.yaml that holds back what is not critical of the seven", async () => {
    const { tasks } = await loadFine({ "env/beat.yaml": read("beat.yaml") });
    const held = tasks.map(({ name, policies: { pressure } }) => [name, pressure?.mode ?? null]);
    assert.deepEqual(held, [
      ["maintenance.postgres_full_backup", "enforce"],
      ["maintenance.user_email_csv_export", "enforce"],
      ["maintenance.fail_stale_backtest_jobs", "enforce"],
      ["paper_trading.scheduler_tick", null],
      ["market_data.refresh_active_subscriptions", "enforce"],
      ["notifications.dispatch_pending", "enforce"],
      ["trade_approval.expire_pending", null],
    ]);
  });

  it("have a beat.yaml of which every commented line works", async () => {
    const text = read("beat.yaml").replaceAll(/^( *)# (?=\w+(\.\w+)*:| {2})/gm, "$1");
    const env = { BEAT_PROMETHEUS_TOKEN: "of-the-test" };
    const { tasks, settings, levels } = await loadFine({ "env/beat.yaml": text }, env);
    assert.equal(levels.objectives[0]?.target, 0.999);
    assert.equal(tasks.at(-1)?.policies.slo?.objective, "api");
    assert.equal(settings.transport.globalKeyPrefix, "shop:");
    assert.equal(tasks.at(-3)?.policies.session?.calendars[0]?.mic, "24/7");
    assert.equal(tasks.at(-2)?.trigger.kind, "session");
    assert.deepEqual(tasks.at(-1)?.trigger, {
      ...{ kind: "cron", expression: "30 4 * * 1-5", tz: "America/New_York" },
    });
  });
});

it("the README moves an entry of celery beat to what it was", async () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const block = /becomes[^\n]*\n\n +```yaml\n([^`]*)/.exec(readme)?.[1];
  const { tasks } = await loadFine({ "env/beat.yaml": `   version: 1\n${block}` });
  const { trigger, ...moved } = tasks.at(-1)!;
  assert.deepEqual(trigger, {
    ...{ kind: "crontab", minute: "30", hour: "4", dayOfWeek: "mon-fri" },
    ...{ dayOfMonth: "*", monthOfYear: "*", tz: "UTC" },
  });
  const { name, celeryTask, queue, args, expiresMs, priority } = moved;
  assert.deepEqual([name, celeryTask, queue], ["shop.nightly-report", "reports.daily", "reports"]);
  assert.deepEqual([args, expiresMs, priority], [["eu"], 1_800_000, 3]);
});
