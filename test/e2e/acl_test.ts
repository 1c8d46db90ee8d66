import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { it } from "@std/testing/bdd";
import { beat } from "../support/beat.ts";
import { needs } from "../support/needs.ts";
import { startRedis } from "../support/redis_server.ts";
import { runBeat } from "../support/running_beat.ts";
import { until } from "../support/until.ts";

const PASSWORD = "of-beat-alone";

needs("redis").describe("the ACL of the README", () => {
  it("lets Beat lead, publish, follow a fire to its end and look, and nothing is denied", async () => {
    const redis = await startRedis();
    const dir = await Deno.makeTempDir({ prefix: "beat-acl-" });
    try {
      const admin = redis.client();
      await admin.call("ACL", "SETUSER", "beat", ...await rulesOfReadme());
      const url = redis.url.replace("//", `//beat:${PASSWORD}@`);
      const env = {
        CELERY_BROKER_URL: redis.url,
        BEAT_REDIS_URL: url,
        CELERY_RESULT_BACKEND: url,
        BEAT_LEASE_SECONDS: "2",
        BACKTEST_STALE_JOB_CLEANUP_ENABLED: "false",
        NOTIFICATIONS_ENABLED: "false",
        TRADING_APPROVAL_ENABLED: "false",
        BEAT_CONFIG: `${dir}/beat.yaml`,
      };
      const market = "market_data.refresh_active_subscriptions: {enabled: false}";
      await Deno.writeTextFile(env.BEAT_CONFIG, `version: 1\ntasks:\n  ${market}\n`);
      const running = runBeat({ env, cwd: dir });
      await until(async () => await admin.llen("paper_trading") > 0);
      const taskId = await answerOne(admin);
      await until(async () => {
        const rows = await admin.xrange("beat:journal", "-", "+");
        return rows.some(([, fields]) => fields[fields.indexOf("t") + 1] === "f");
      });
      const tick = "paper_trading.scheduler_tick";
      const verbs = [["tasks"], ["journal"], ["trigger", tick], [
        "pause",
        tick,
        "--note",
        "a test",
      ]];
      for (const verb of verbs) {
        const { code, err } = await beat(verb, { env, cwd: dir });
        assert.equal(code, 0, err);
      }
      assert.equal(await running.stop(), 143);
      assert.deepEqual(await admin.call("ACL", "LOG"), [], `denied while ${taskId} ran`);
    } finally {
      await redis.stop();
      await Deno.remove(dir, { recursive: true });
    }
  });
});

/** Takes a message and stores its result, as a worker does. */
async function answerOne(admin: Redis): Promise<string> {
  const message = await admin.rpop("paper_trading");
  assert.ok(message !== null);
  const { id } = JSON.parse(message).headers;
  const date = new Date().toISOString().replace("Z", "000");
  const result = { status: "SUCCESS", result: null, date_done: date, task_id: id };
  await admin.setex(`celery-task-meta-${id}`, 60, JSON.stringify(result));
  return id;
}

async function rulesOfReadme(): Promise<string[]> {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const block = /ACL SETUSER beat ([^`]+)```/.exec(readme)?.[1];
  assert.ok(block !== undefined, "expected the README to have a line ACL SETUSER beat");
  return block.replace("PASSWORD", PASSWORD).trim().split(/\s+/);
}
