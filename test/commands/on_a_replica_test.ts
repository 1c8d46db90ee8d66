/** What commands say that look at a replica of Redis: it may be behind. */

import assert from "node:assert/strict";
import { after, before } from "@std/testing/bdd";
import { beat } from "../support/beat.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const { describe, it } = needs("redis");

describe("on a replica of Redis", () => {
  let master: RedisServer;
  let replica: RedisServer;
  let cwd: string;
  before(async () => {
    [master, replica] = [await startRedis(), await startRedis()];
    cwd = await Deno.makeTempDir({ prefix: "replica-" });
    await replica.client().replicaof("127.0.0.1", master.port);
    await untilLink("up");
  });
  after(async () => {
    await Promise.all([master.stop(), replica.stop()]);
    await Deno.remove(cwd, { recursive: true });
  });
  const look = (...args: string[]) => beat(args, { cwd, env: { CELERY_BROKER_URL: replica.url } });
  const untilLink = (status: string) =>
    until(async () =>
      (await replica.client().info("replication")).includes(`master_link_status:${status}`)
    );

  it("beat doctor and beat why say what there is to say", async () => {
    const { code, out, err } = await look("doctor");
    assert.equal(code, 3, out);
    assert.match(
      out,
      /^failure +role +this server is a replica\n +→ point Beat and the workers at/m,
    );
    assert.doesNotMatch(err, /replica/);
    const why = await look("why", "paper_trading.scheduler_tick");
    assert.equal(why.code, 0, why.err);
    assert.match(why.out, /consume the queue\? unknown: the workers of paper_trading may not be/);
  });

  it("who looks is warned that it may be late, and that it is cut off", async () => {
    const warning = `this server is a replica of Redis, its master is 127.0.0.1:${master.port}: `;
    const late = await look("tasks", "--json");
    assert.ok(late.err.startsWith(`${warning}what it shows may be late\n`), late.err);
    assert.ok(Array.isArray(JSON.parse(late.out)));
    await master.kill();
    await untilLink("down");
    const { err } = await look("leader");
    assert.ok(err.startsWith(`${warning}it has no link to it`), err);
    // Redis counts whole seconds, and the first of them may not be over.
    assert.match(err.split("\n")[0]!, /to it(?: for [1-9]\d* s)?, and shows what was$/);
  });
});
