/** `beat audit` of a journal that a real Beat has written into a real Redis, killed once in between. */

import { after, before } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { beat } from "../support/beat.ts";
import { needs } from "../support/needs.ts";
import type { Stage } from "../support/stage.ts";
import { openStage, SEVEN_OFF, yamlOf } from "../support/stage.ts";
import { until } from "../support/until.ts";

const ENTRIES = [
  { name: "quick", celeryTask: "shop.quick", queue: "shop", everyS: "0.3" },
  { name: "slow", celeryTask: "shop.slow", queue: "shop", everyS: "1.5" },
  // Nobody takes these: their messages stay in the queue.
  { name: "left", celeryTask: "shop.left", queue: "left", everyS: "1" },
];
const KEY = "beat:journal";

const { describe, it } = needs("redis");

describe("beat audit, of a real run", () => {
  let stage: Stage;
  let untilMs = 0;
  before(async () => {
    stage = await openStage({ yaml: `tasks:\n${yamlOf(ENTRIES)}`, env: SEVEN_OFF });
    const stopped = new AbortController();
    const working = answer(stage.redis.client(), "shop", stopped.signal);
    const first = stage.beat();
    await first.says("leading");
    await stage.decided(ENTRIES, Date.now() + 2_000);
    await first.kill();
    const second = stage.beat();
    await second.says("leading");
    await stage.decided(ENTRIES, Date.now() + 2_000);
    await until(() => hasFinished(stage.client), 20_000);
    untilMs = Date.now();
    await second.stop();
    stopped.abort();
    await working;
  });
  after(() => stage?.close());

  /** Due times until just before Beat ended. */
  async function audited(...args: string[]) {
    const until = new Date(untilMs - 1_000).toISOString();
    const all = ["audit", "--since", "1h", "--until", until, "--tolerance", "30s", ...args];
    const { code, out, err } = await beat(all, stage);
    return { code, out, err };
  }

  it("finds nothing, and counts every due time once", async () => {
    const { code, out, err } = await audited("--json", "--verify");
    assert.equal(code, 0, out + err);
    const { sum, tasks, journal, queues, findings } = JSON.parse(out);
    assert.deepEqual(findings, []);
    assert.deepEqual(tasks.map(({ task }: { task: string }) => task), ["left", "quick", "slow"]);
    const skipped = Object.values(sum.skipped as Record<string, number>);
    assert.equal(sum.planned, sum.published + skipped.reduce((total, count) => total + count, 0));
    assert.ok(sum.published > 10 && sum.acked > 5 && sum.finished.success > 5, out);
    assert.equal(journal.is_covered, true);
    assert.ok(queues.find(({ list }: { list: string }) => list === "left").looked > 0);
    assert.ok(sum.lateness_ms.p50 < 1_000 && sum.time_to_ack_ms.p50 !== null);
  });

  it("says so to people", async () => {
    const { code, out, err } = await audited("--task", "quick");
    assert.equal(code, 0, err);
    assert.match(out, /^TASK +PLANNED +PUBLISHED +ACKED/m);
    assert.match(out, /^quick +\d+ +\d+/m);
    assert.doesNotMatch(out, /^slow/m);
    assert.match(out, /^no finding$/m);
  });

  it("refuses a task that nobody knows, and a window that ends before it begins", async () => {
    assert.match((await audited("--task", "quikc")).err, /expected `--task` .* got "quikc"/);
    const { code, err } = await beat(["audit", "--since", "1h", "--until", "2h"], stage);
    assert.equal(code, 2);
    assert.match(err, /expected `--since` to be before `--until`, got 1h and 2h/);
  });

  it("finds a row that was deleted, one that was forged, a cursor and messages of nobody", async () => {
    const { client } = stage;
    const rows = await client.xrange(KEY, "-", "+");
    const value = (fields: string[], name: string) => fields[fields.indexOf(name) + 1]!;
    const quick = rows.filter(([, f]) => value(f, "t") === "p" && value(f, "k") === "quick");
    const [deletedId, deleted] = quick[2]!;
    const dueMs = Number(value(deleted, "d"));
    await client.xdel(KEY, deletedId);
    const forged = [...quick[4]![1]];
    forged[forged.indexOf("f") + 1] = value(rows.at(-1)![1], "f");
    const forgedId = await client.xadd(KEY, "*", ...forged);
    await client.hset("beat:cursors", "slow", "1767225600000 aaaaaaaa.bbbbbbbb");
    const message = JSON.parse((await client.lindex("left", 0))!);
    message.headers["x-beat-fire-id"] = "left@1767225600000";
    await client.lpush("left", JSON.stringify(message));

    const { code, out } = await audited("--json", "--verify");
    assert.equal(code, 3);
    const { findings } = JSON.parse(out) as { findings: Record<string, unknown>[] };
    const due = Temporal.Instant.fromEpochMilliseconds(dueMs).toString();
    const has = (kind: string, own: Record<string, unknown>) =>
      findings.some((each) =>
        each.kind === kind && Object.entries(own).every(([name, wanted]) => each[name] === wanted)
      );
    assert.ok(has("missed", { task: "quick", due }), out);
    assert.ok(has("orphan", { task: "quick", due }), "acks of what was never published");
    assert.ok(has("duplicate", { row_id: forgedId }), out);
    assert.ok(has("differs", { task: "slow" }), out);
    assert.ok(has("history", { row_id: deletedId }), out);
    assert.ok(has("orphan", { task: "left", due: "2026-01-01T00:00:00Z" }), out);

    const told = await audited("--verify");
    assert.equal(told.code, 3);
    assert.match(told.out, new RegExp(`beat why quick ${due}`));
  });
});

/** Whether each fire of the queue that is served has an end. */
async function hasFinished(client: Redis): Promise<boolean> {
  const open = await client.hkeys("beat:open");
  return !open.some((key) => key.startsWith("slow@")) && await client.llen("shop") === 0;
}

/** Takes and succeeds at once, as a worker does. */
async function answer(client: Redis, queue: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const taken = await client.brpop(queue, 0.2);
    if (taken === null) continue;
    const { id } = JSON.parse(taken[1]).headers;
    const result = { status: "SUCCESS", date_done: new Date().toISOString(), task_id: id };
    await client.set(`celery-task-meta-${id}`, JSON.stringify(result));
  }
}
