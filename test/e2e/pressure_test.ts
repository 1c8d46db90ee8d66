/**
 * Backpressure against a real Redis and a real Celery worker: one that is slowed to half the rate at
 * which messages arrive, one that is stopped, and one that comes back.
 */

import { after, before, describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { beat } from "../support/beat.ts";
import type { CeleryWorker, Run } from "../support/celery_worker.ts";
import { startCelery } from "../support/celery_worker.ts";
import { needs } from "../support/needs.ts";
import type { Stage } from "../support/stage.ts";
import { openStage, SEVEN_OFF } from "../support/stage.ts";
import { until } from "../support/until.ts";

const { it, missing } = needs("redis", "celery");

const MARKS = { low: 3, high: 12, pause: 20 };
const DWELL_MS = 4_000;
/** Four messages a second; four processes of a worker run two of those of two seconds. */
const WORKERS = 4;
const SLOW_S = 2;
const PER_S = 4;
const NORMALS = ["work0", "work1", "work2", "work3"];

/** @param runS how long each run of the normal tasks takes */
function yaml(runS: number): string {
  const normal = NORMALS.map((name) =>
    `  ${name}: { task: check.slow, queue: maintenance, every: ${4 / PER_S}, args: [${runS}], ` +
    "importance: normal, pressure: enforce }"
  );
  return [
    "beat: { readings: 1s }",
    "queues:",
    `  maintenance: { low: ${MARKS.low}, high: ${MARKS.high}, pause: ${MARKS.pause}, ` +
    `dwell: ${DWELL_MS / 1_000}s, wait: none }`,
    "tasks:",
    "  vital: { task: check.echo, queue: paper_trading, every: 1s }",
    ...normal,
    "  later: { task: check.echo, queue: maintenance, every: 2s, importance: deferrable, " +
    "pressure: enforce }",
  ].join("\n");
}

describe("backpressure", () => {
  let stage: Stage;
  let vital: CeleryWorker;
  let worker: CeleryWorker;
  before(async () => {
    if (missing !== null) return;
    stage = await openStage({ yaml: yaml(0.01), env: SEVEN_OFF });
    [vital, worker] = await Promise.all([
      startCelery({
        brokerUrl: stage.redis.url,
        queues: ["paper_trading"],
        concurrency: 2,
        name: "v",
      }),
      startWorker(),
    ]);
  });
  after(async () => {
    await Promise.all([vital?.kill(), worker?.kill()]);
    await stage?.close();
  });

  const startWorker = () =>
    startCelery({
      brokerUrl: stage.redis.url,
      queues: ["maintenance"],
      concurrency: WORKERS,
      name: "w",
    });
  const depth = () => stage.client.llen("maintenance");
  const levelRows = async () =>
    (await stage.journal.read()).filter(({ type }) => type === "level.changed");
  const level = async () => String((await levelRows()).at(-1)?.detail.to ?? "normal");

  /** The deepest that the queue was for so long. */
  async function deepest(durationMs: number): Promise<number> {
    const endMs = Date.now() + durationMs;
    let most = 0;
    await until(async () => {
      most = Math.max(most, await depth());
      return Date.now() >= endMs;
    }, durationMs + 10_000);
    return most;
  }

  /** The median wait of the critical task between two times. Milliseconds. */
  async function waitOf(fromMs: number, untilMs: number): Promise<number> {
    const waits = (await vital.runs()).map(({ due, received }: Run) => ({
      dueMs: Date.parse(due!),
      waitMs: received * 1_000 - Date.parse(due!),
    })).filter(({ dueMs }) => dueMs >= fromMs && dueMs < untilMs).map(({ waitMs }) => waitMs);
    assert.ok(waits.length >= (untilMs - fromMs) / 1_000 - 2, `${waits.length} runs`);
    return waits.sort((one, other) => one - other)[Math.floor(waits.length / 2)]!;
  }

  it("bounds a queue, leaves what is critical alone, and lets go again", async () => {
    const running = stage.beat();
    await running.says("leading");
    // Processes that were just started take their time.
    await until(
      async () =>
        (await vital.runs()).length > 3 && await depth() <= 1 && await level() === "normal",
      30_000,
    );
    const calmMs = Date.now();
    await deepest(7_000);
    const slowMs = Date.now();
    const warmUp = (await levelRows()).length;

    await stage.writeYaml(yaml(SLOW_S));
    const most = await deepest(22_000);
    const endMs = Date.now();
    const [calm, slow] = [await waitOf(calmMs, slowMs), await waitOf(slowMs, endMs)];
    const slowed = (await levelRows()).slice(warmUp);
    console.log(
      `half the rate: critical waits ${calm.toFixed(1)} ms unloaded, ${
        slow.toFixed(1)
      } ms loaded; ` +
        `at most ${most} waited (high ${MARKS.high}); levels ${
          slowed.map(({ detail }) => detail.to).join(", ")
        }`,
    );
    assert.ok(slowed.length > 0, running.text());
    // A reading comes once a second; the machine may be busy, so that it comes late.
    assert.ok(most <= MARKS.high + 3 * (PER_S + 1), `${most}`);
    assert.ok(slow <= calm * 1.1 + 25, `${calm} ms, ${slow} ms`);

    await worker.stop();
    await until(async () => await level() === "paused", 40_000);
    await deepest(1_500);
    const before = await depth();
    const grown = await deepest(6_000);
    console.log(`stopped: ${before} waited when it was paused, ${grown} six seconds later`);
    assert.ok(grown <= before, `${before}, then ${grown}`);

    await stage.writeYaml(yaml(0.01));
    worker = await startWorker();
    await until(async () => await level() === "normal", 60_000);
    const normalMs = Date.now();
    await stage.decided(
      NORMALS.map((name) => ({
        ...{ name, celeryTask: "check.slow", queue: "maintenance" },
        everyS: String(4 / PER_S),
      })),
      normalMs + 3_000,
    );
    const rows = await stage.journal.read();
    const resumed = rows.filter(({ type, task, dueMs }) =>
      type === "fire.published" && NORMALS.includes(task) && dueMs! >= normalMs &&
      dueMs! < normalMs + 3_000
    );
    assert.equal(resumed.length, 3 * PER_S);
    assert.ok(
      rows.some(({ type, task, dueMs }) =>
        type === "fire.published" && task === "later" && dueMs! > slowMs
      ),
    );

    const changes = (await levelRows()).map(({ id }) => Number(id.split("-")[0]));
    changes.slice(1).forEach((atMs, index) => assert.ok(atMs - changes[index]! >= DWELL_MS));
    console.log(`levels: ${changes.length} changes, ${await describeLevels()}`);
    assert.equal(await running.stop(), 143, running.text());
    const { out } = await beat(["audit", "--verify", "--json"], { cwd: stage.cwd, env: stage.env });
    const findings = (JSON.parse(out).findings as { kind: string }[])
      .filter(({ kind }) => ["missed", "duplicate", "orphan", "refused", "differs"].includes(kind));
    assert.deepEqual(findings, []);
  });

  async function describeLevels(): Promise<string> {
    const rows = await levelRows();
    const startMs = Number(rows[0]!.id.split("-")[0]);
    return rows.map(({ id, detail }) =>
      `${detail.to} +${
        ((Number(id.split("-")[0]) - startMs) / 1_000).toFixed(1)
      } s (${detail.reason})`
    ).join("; ");
  }
});
