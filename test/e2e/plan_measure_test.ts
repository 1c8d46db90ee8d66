/** `beat plan` measures real workers and real queues, and says so. */

import { after, before, describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { plan } from "../../src/commands/plan.ts";
import type { PlanCommandOptions } from "../../src/commands/plan.ts";
import type { CeleryWorker } from "../support/celery_worker.ts";
import { startCelery } from "../support/celery_worker.ts";
import { needs } from "../support/needs.ts";
import { keptShell } from "../support/shell.ts";
import type { Stage } from "../support/stage.ts";
import { openStage, SEVEN_OFF } from "../support/stage.ts";

const YAML = `tasks:
  slow: { task: check.slow, queue: maintenance, every: 10s }
  quick: { task: check.echo, queue: market_data, every: 10s, importance: deferrable, pressure: enforce, slo: own }
  alone: { task: check.echo, queue: nobody, every: 10s }
objectives: { own: { target: 99%, source: { workers: {} } } }`;

async function planned(stage: Stage, options: PlanCommandOptions = {}, url = stage.redis.url) {
  const env = { ...stage.env, CELERY_BROKER_URL: url, BEAT_CONFIG: `${stage.cwd}/env/beat.yaml` };
  const shell = keptShell({ env });
  await plan({ hours: "0.05", ...options }, shell);
  return shell.said.out;
}

describe("a plan of a Redis", () => {
  const { it, missing } = needs("redis");
  let stage: Stage;
  before(async () => {
    if (missing === null) stage = await openStage({ yaml: YAML, env: SEVEN_OFF });
  });
  after(() => stage?.close());

  it("says that no worker answered, and goes on with workers for all that comes", async () => {
    const began = performance.now();
    const out = await planned(stage);
    assert.match(
      out,
      /^assumed: queue maintenance: .*; workers for all that comes \(no worker answered\);/m,
    );
    assert.match(out, /^assumed: slo:own is normal throughout \(measured\)$/m);
    assert.ok(performance.now() - began < 10_000);
  });

  it("begins with what waits and with the levels of now, and drains it", async () => {
    await stage.client.lpush("market_data", ...Array.from({ length: 90 }, () => "{}"));
    await stage.client.lpush("market_data\x06\x163", ...Array.from({ length: 10 }, () => "{}"));
    await stage.client.hset("beat:cursors", "@level:queue:market_data", `${Date.now()} slowed`);
    const assume = ["queue.market_data.consumers=1"];
    const out = await planned(stage, { assume });
    assert.match(
      out,
      /queue market_data: 100 of others waiting \(measured\), 1 s each \(not measured\);/,
    );
    assert.match(out, /^assumed: queue:market_data is slowed at the start \(measured\)$/m);
    assert.match(out, /^market_data: at most (9\d|10\d) wait$/m);
    // Assumed goes before measured, and of another time nothing is known.
    const none = await planned(stage, { assume: [...assume, "queue.market_data.depth=0"] });
    assert.match(none, /queue market_data: 0 of others waiting \(assumed\);/);
    const later = await planned(stage, { from: "2026-01-05T14:00:00Z" });
    assert.match(later, /queue market_data: 0 of others waiting \(not measured\);/);
  });

  it("asks no worker where all that they could say is assumed", async () => {
    const questions = async () =>
      Number(/^cmdstat_publish:calls=(\d+)/m.exec(await stage.client.info("commandstats"))?.[1]);
    const consumers = ["maintenance", "market_data", "nobody"]
      .map((queue) => `queue.${queue}.consumers=2`);
    const before = await questions();
    const out = await planned(stage, { assume: consumers });
    assert.match(out, /queue nobody: .*; 2 run at a time \(assumed\);/);
    await planned(stage, { assume: consumers.slice(1), queue: ["nobody"] });
    assert.equal(await questions(), before);
    await planned(stage, { assume: consumers.slice(1) });
    assert.ok(await questions() > before);
  });

  it("says what it may not ask, and plans all the same", async () => {
    await stage.client.acl("SETUSER", "looker", "on", ">pass", "~*", "&*", "+@all", "-publish");
    const out = await planned(stage, {}, stage.redis.url.replace("://", "://looker:pass@"));
    assert.match(out, /workers for all that comes \(Redis does not let this user ask workers\)/);
    assert.match(out, /begins as Redis has it now/);
  });
});

describe("a plan of workers", () => {
  const { it, missing } = needs("redis", "celery");
  let stage: Stage;
  const workers: CeleryWorker[] = [];
  before(async () => {
    if (missing !== null) return;
    stage = await openStage({ yaml: YAML, env: SEVEN_OFF });
    const brokerUrl = stage.redis.url;
    const both = ["maintenance", "market_data"];
    workers.push(
      ...await Promise.all([
        startCelery({ brokerUrl, queues: both, concurrency: 2, name: "both" }),
        startCelery({ brokerUrl, queues: ["maintenance"], concurrency: 3, name: "one" }),
      ]),
    );
  });
  after(async () => {
    await Promise.all(workers.map((worker) => worker.kill()));
    await stage?.close();
  });

  it("takes the pools of all that answer, says who shares them, and lets assumptions go before", async () => {
    const json = JSON.parse(await planned(stage, { json: true }));
    const [both, one] = workers.map(({ node }) => node);
    const { maintenance, market_data: data, nobody } = json.model.queues;
    assert.deepEqual(maintenance.run_at_a_time, {
      ...{ count: 5, how: "measured", workers: [both, one], shared_with: ["market_data"] },
    });
    assert.deepEqual(data.run_at_a_time, {
      ...{ count: 2, how: "measured", workers: [both], shared_with: ["maintenance"] },
    });
    assert.equal(nobody.run_at_a_time.why, "no worker that answered consumes it");
    const line = `queue maintenance: 0 of others waiting (measured); 5 run at a time (measured: ` +
      `${both}, ${one}, shared with market_data);`;
    assert.ok(json.assumptions.some((each: string) => each.startsWith(line)), json.assumptions);
    const assume = ["queue.maintenance.consumers=1", "task.slow.run=15s"];
    const out = await planned(stage, { assume });
    assert.match(out, /queue maintenance: .*; 1 run at a time \(assumed\); run times: slow 15 s/);
    assert.match(out, /queue market_data: .*; 2 run at a time \(measured: both@[^,]*\);/);
    // One every ten seconds, and fifteen for each: they pile up.
    assert.match(out, /^maintenance: at most [4-7] wait$/m);
    // Five at a time are enough for them.
    const enough = await planned(stage, { assume: ["task.slow.run=15s"] });
    assert.doesNotMatch(enough, /^maintenance: at most/m);
  });
});
