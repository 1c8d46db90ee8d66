import assert from "node:assert/strict";
import { beat } from "../support/beat.ts";
import { needs } from "../support/needs.ts";
import { startRedis } from "../support/redis_server.ts";

const { it } = needs("redis");

it("beat doctor and beat why say what there is to say on a replica", async () => {
  const [master, replica] = [await startRedis(), await startRedis()];
  const cwd = await Deno.makeTempDir({ prefix: "doctor-replica-" });
  try {
    await replica.client().replicaof("127.0.0.1", master.port);
    const env = { CELERY_BROKER_URL: replica.url };
    const { code, out } = await beat(["doctor"], { cwd, env });
    assert.equal(code, 3, out);
    assert.match(
      out,
      /^failure +role +this server is a replica\n +→ point Beat and the workers at/m,
    );
    const why = await beat(["why", "paper_trading.scheduler_tick"], { cwd, env });
    assert.equal(why.code, 0, why.err);
    assert.match(why.out, /consume the queue\? unknown: the workers of paper_trading may not be/);
  } finally {
    await Promise.all([master.stop(), replica.stop()]);
    await Deno.remove(cwd, { recursive: true });
  }
});
