import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";

import { validate } from "../../src/commands/validate.ts";
import { ConfigError, EXIT } from "../../src/errors.ts";
import { withFiles, yamlTasks } from "../support/load_files.ts";
import { keptShell } from "../support/shell.ts";

const ENV = {
  CELERY_BROKER_URL: "redis://user:hunter2@broker:6380/1",
  CELERY_RESULT_BACKEND: "redis://:hunter2@results/2",
  PAPER_TRADING_ENABLED: "false",
};
const FILES = yamlTasks(
  "report: {task: shop.report, queue: reports, cron: '0 3 * * *', expires: 1h}",
);

async function said(
  options: { json?: boolean },
  { files = FILES, env = ENV }: { files?: Record<string, string>; env?: Record<string, string> } =
    {},
): Promise<string> {
  return await withFiles(files, async (directory) => {
    const shell = keptShell({ env });
    const code = await validate({ ...options, file: `${directory}/env/beat.yaml` }, shell);
    assert.deepEqual([code, shell.said.err], [0, ""]);
    return shell.said.out.replaceAll(`${directory}/`, "");
  });
}

describe("validate()", () => {
  it("says what holds tasks back", async () => {
    const files = yamlTasks(
      "report: {task: t, queue: q, every: 5m, window: off_peak, jitter: 30s, overlap: skip}",
    );
    assert.match(
      await said({}, { files }),
      /^held back by \(1\)\n {2}report {2}window off_peak \(22:00 to 06:00 UTC\); jitter up to 30s, another for each fire; overlap skip$/m,
    );
    assert.doesNotMatch(await said({}), /held back/);
  });

  it("says what is on and where it goes, what is off and why, and where Redis is", async () => {
    const text = await said({});
    for (
      const line of [
        /^broker +redis:\/\/broker:6380\/1$/m,
        /^results +redis:\/\/results:6379\/2$/m,
        /^on \(6\)$/m,
        /^report +shop\.report +reports +cron 0 3 \* \* \* UTC +1h +critical +latest within 1d$/m,
        /^notifications\.dispatch_pending +the same +notifications +every 5s +5s +normal/m,
        /^off \(2\)$/m,
        /^ {2}paper_trading\.scheduler_tick {14}by PAPER_TRADING_ENABLED=false \(environment\)$/m,
        /^ {2}market_data\.refresh_active_subscriptions {2}by PAPER/m,
        /^ {2}maintenance\.user_email_csv_export is due every 1h on the hour/m,
        /^ {2}env\/beat\.yaml$/m,
      ]
    ) assert.match(text, line);
    assert.doesNotMatch(text, /hunter2/);
  });

  it("says the same as JSON, without names and passwords", async () => {
    const text = await said({ json: true });
    const shown = JSON.parse(text);
    assert.equal(shown.settings.broker, "redis://broker:6380/1");
    assert.equal(shown.settings.backend, "redis://results:6379/2");
    assert.equal(shown.tasks.at(-1).name, "report");
    assert.equal(shown.off.length, 2);
    assert.deepEqual(shown.files, ["env/beat.yaml"]);
    assert.doesNotMatch(text, /hunter2/);
  });

  it("says that no broker is configured, and what that means", async () => {
    assert.match(
      await said({}, { env: {} }),
      /^broker +none configured: `beat` starts a private one/m,
    );
    const prod = await said({}, { env: { MINSY_ENV_PROFILE: "prod" } });
    assert.match(prod, /^broker +none configured: set CELERY_BROKER_URL/m);
  });

  it("throws every problem, for exit code 2", async () => {
    await withFiles({ "env/beat.yaml": "version: 1\ntaskz: {}" }, async (directory) => {
      const shell = keptShell({ env: { REDIS_PORT: "0" } });
      await assert.rejects(
        validate({ file: `${directory}/env/beat.yaml` }, shell),
        (error) => {
          assert.ok(error instanceof ConfigError);
          assert.equal(error.exitCode, EXIT.usage);
          assert.equal(error.problems.length, 2);
          return true;
        },
      );
      assert.equal(shell.said.out, "");
    });
  });
});
