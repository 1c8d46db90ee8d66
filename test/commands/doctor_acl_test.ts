import assert from "node:assert/strict";
import { beat } from "../support/beat.ts";
import { needs } from "../support/needs.ts";
import { startRedis } from "../support/redis_server.ts";

const { it } = needs("redis");

it("beat doctor and beat why say what the user of the README may not ask", async () => {
  const redis = await startRedis({ isPersistent: true });
  const cwd = await Deno.makeTempDir({ prefix: "doctor-acl-" });
  try {
    const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
    const [, narrow] = /ACL SETUSER beat ([^`]+)```/.exec(readme) ?? [];
    const [, wider] = /in addition [^:]*:\n\n```text\n([^`]+)```/.exec(readme) ?? [];
    assert.ok(narrow !== undefined && wider !== undefined);
    const admin = redis.client();
    const url = redis.url.replace("//", "//beat:PASSWORD@");
    // Queues of the tasks that are on are those in its rules.
    const off = ["BACKTEST_STALE_JOB_CLEANUP", "NOTIFICATIONS", "TRADING_APPROVAL"];
    const env = {
      ...{ CELERY_BROKER_URL: url, CELERY_RESULT_BACKEND: url },
      ...Object.fromEntries(off.map((name) => [`${name}_ENABLED`, "false"])),
    };
    await Deno.mkdir(`${cwd}/env`);
    const market = "market_data.refresh_active_subscriptions: { enabled: false }";
    await Deno.writeTextFile(`${cwd}/env/beat.yaml`, `version: 1\ntasks:\n  ${market}\n`);
    const look = async (...rules: string[]) => {
      await admin.call("ACL", "SETUSER", "beat", "reset", ...rules.join(" ").trim().split(/\s+/));
      await admin.call("ACL", "LOG", "RESET");
      const { code, out, err } = await beat(["doctor", "--json"], { cwd, env });
      assert.equal(code, 3, err + out);
      const why = await beat(["why", "paper_trading.scheduler_tick"], { cwd, env });
      assert.equal(why.code, 0, why.err);
      const texts = (JSON.parse(out) as { text: string }[]).map(({ text }) => text).join("\n");
      return { texts, why: why.out, denied: await admin.call("ACL", "LOG") as unknown[] };
    };
    const first = await look(narrow);
    assert.match(first.texts, /who consumes it may not be asked/);
    assert.match(first.texts, /workers' keys may not be looked at/);
    assert.match(
      first.why,
      /consume the queue\? unknown: the workers of paper_trading may not be asked/,
    );
    assert.ok(first.denied.length > 0);

    const second = await look(narrow, wider);
    assert.deepEqual(second.denied, []);
    assert.match(second.texts, /no worker consumes it/);
    assert.doesNotMatch(second.texts, /psubscribe/);

    const deaf = await look(narrow, wider, "-psubscribe");
    assert.match(deaf.texts, /NOPERM .*'psubscribe'/);
  } finally {
    await redis.stop();
    await Deno.remove(cwd, { recursive: true });
  }
});
