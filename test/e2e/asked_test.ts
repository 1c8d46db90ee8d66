/** What people ask for, on a real Redis with a real Beat, a leader that is killed, and a real worker. */

import { after, before, describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { beat } from "../support/beat.ts";
import type { CeleryWorker } from "../support/celery_worker.ts";
import { startCelery } from "../support/celery_worker.ts";
import { needs } from "../support/needs.ts";
import type { OracleRow } from "../support/oracle.ts";
import type { RunningBeat } from "../support/running_beat.ts";
import type { Stage } from "../support/stage.ts";
import { openStage, SEVEN_OFF } from "../support/stage.ts";
import { passes, until } from "../support/until.ts";

const { it, missing } = needs("redis");
const withWorker = needs("redis", "celery");

const TASKS = `
  report: { task: check.echo, queue: maintenance, every: 1h }
  steady: { task: check.echo, queue: steady, every: 0.1s, catchup: { policy: skip } }`;

const RATE = 25;

interface Asked {
  readonly state: string;
  readonly reason: string | null;
  readonly published: number;
  readonly fire_id: string | null;
  readonly celery_task_id: string | null;
}

describe("what people ask for", () => {
  let stage: Stage;
  let running: RunningBeat;
  before(async () => {
    if (missing !== null) return;
    stage = await openStage({
      redis: { isPersistent: true, fsync: "everysec" },
      yaml: `tasks:${TASKS}`,
      env: { ...SEVEN_OFF, BEAT_LEASE_SECONDS: "1", USER: "ada" },
    });
  });
  after(() => stage?.close());

  async function ask(...args: string[]): Promise<{ code: number; asked: Asked; err: string }> {
    const { code, out, err } = await beat([...args, "--json"], stage);
    return { code, err, asked: out === "" ? null! : JSON.parse(out) };
  }

  async function firesOf(name: string): Promise<OracleRow[]> {
    const rows = await stage.journal.read();
    return rows.filter(({ type, task }) => type === "fire.published" && task === name);
  }

  async function auditIsClean(): Promise<void> {
    const { code, out, err } = await beat(["audit", "--verify", "--tolerance", "10s"], stage);
    assert.equal(code, 0, out + err);
  }

  it("waits in the stream while nobody leads, says so with 4, and is carried out later", async () => {
    const { code, asked } = await ask("trigger", "report", "--id", "early", "--timeout", "200ms");
    assert.deepEqual([code, asked.state], [4, "queued"]);
    running = stage.beat();
    await running.says("leading");
    await until(async () => (await firesOf("report+early")).length === 1);
  });

  it("is published once, however often it is asked under one id", async () => {
    const args = ["trigger", "report", "--id", "once", "--note", "why not", "--args", '["é"]'];
    const [first, second] = await Promise.all([ask(...args), ask(...args)]);
    assert.deepEqual([first.code, second.code], [0, 0]);
    assert.deepEqual([first.asked.state, second.asked.state].sort(), ["done", "repeated"]);
    const again = await ask(...args);
    assert.deepEqual([again.code, again.asked.state], [0, "repeated"]);
    assert.equal((await firesOf("report+once")).length, 1);
    const messages = await stage.client.lrange("maintenance", 0, -1);
    const fireIds = messages.map((message) => JSON.parse(message).headers["x-beat-fire-id"]);
    const own = fireIds.filter((id) => id.startsWith("report+once@"));
    assert.equal(own.length, 1);
    for (const { asked } of [first, second, again]) assert.equal(asked.fire_id, own[0]);
    const requested = (await stage.journal.read()).find(({ type, detail }) =>
      type === "control.requested" && detail.request === "once"
    )!;
    assert.match(String(requested.detail.who), /^ada@/);
    assert.equal(requested.detail.note, "why not");
  });

  it("is told by `why`: who asked, in the words of its entry's schedule and queue", async () => {
    const [fire] = await firesOf("report+once");
    const { out } = await beat(["why", `report+once@${fire!.dueMs}`, "--json"], stage);
    const { verdict, queue, story, questions } = JSON.parse(out);
    assert.deepEqual([verdict, queue], ["waiting", "maintenance"]);
    assert.match(story[0].text, /^ada@.* asked for it \(trigger once, args \["é"\]\): why not$/);
    assert.ok(!JSON.stringify(story).includes("--deep"), out);
    const answers = questions.map(({ answer }: { answer: string }) => answer);
    assert.deepEqual(answers, ["yes", "yes", "no", "no"], out);
  });

  it("is refused under an id that was given to something else: nothing was done of it", async () => {
    const orders = [["trigger", "steady"], ["pause", "report"], ["pause", "--all"]];
    for (const order of orders) {
      const { code, asked } = await ask(...order, "--id", "once", "--note", "x");
      assert.deepEqual([code, asked.state, asked.fire_id], [1, "refused", null], order.join(" "));
      assert.match(asked.reason ?? "", /its id was given to trigger report before; ask under ano/);
    }
    await ask("pause", "report", "--id", "still", "--note", "x");
    const resumed = await ask("resume", "report", "--id", "still", "--note", "x");
    assert.match(resumed.asked.reason ?? "", /given to pause report before/);
    assert.equal((await ask("resume", "report", "--note", "x")).asked.state, "done");
  });

  it("is refused with a reason: a task that is not there, arguments that cannot travel", async () => {
    const unknown = await ask("trigger", "nope");
    assert.deepEqual([unknown.code, unknown.asked.state], [1, "refused"]);
    assert.match(unknown.asked.reason ?? "", /no task nope/);
    // That it was asked for is in the journal, and makes no task of it.
    for (const [verb, ...range] of [["backfill", "--from", "1h", "--to", "1m"], ["audit"]]) {
      const named = verb === "audit" ? ["--task", "nope"] : ["nope"];
      const { code, out, err } = await beat([verb!, ...named, ...range], stage);
      assert.deepEqual([code, out], [2, ""], verb);
      assert.match(err, /got "nope"/);
    }
    const missing = await beat(["backfill", "repot", "--from", "1h", "--to", "1m"], stage);
    assert.equal(missing.code, 2, missing.out);
    assert.match(missing.err, /name of an entry, got "repot"; did you mean report\?/);
    const before = await stage.client.xlen("beat:requests");
    for (const args of ["[NaN]", "[1e999]", "[12345678901234567890]", "{}", "[1"]) {
      const { code, err } = await ask("trigger", "report", "--args", args);
      assert.equal(code, 2, `${args}: ${err}`);
    }
    assert.equal(await stage.client.xlen("beat:requests"), before);
  });

  it("backfills what was dropped in the dark: in order, at its rate, over the end of a leader", async () => {
    await running.kill();
    const darkMs = Date.now();
    await passes(6_000);
    const second = stage.beat();
    await second.says("leading");
    const lightMs = Date.now();
    const range = [darkMs + 300, darkMs + 5_200].map((ms) => new Date(ms).toISOString());
    const args = ["backfill", "steady", "--from", range[0]!, "--to", range[1]!, "--id", "fill"];
    await until(async () => (await firesOf("steady")).some(({ atMs }) => atMs > lightMs));
    const few = await ask(...args, "--max", "10");
    assert.equal(few.code, 2);
    assert.match(few.err, /at most 10 fires, got (49|50)/);
    const dry = await beat([...args, "--dry-run", "--json"], stage);
    const due: string[] = JSON.parse(dry.out).map(({ due }: { due: string }) => due);
    assert.ok(due.length >= 49, `${due.length} were dropped`);
    assert.equal((await firesOf("steady+fill")).length, 0);

    const asking = ask(...args, "--rate", String(RATE), "--note", "the dark", "--timeout", "20s");
    await until(async () => (await firesOf("steady+fill")).length >= 15);
    await second.kill();
    running = stage.beat();
    const { code, asked } = await asking;
    assert.deepEqual([code, asked.state, asked.published], [0, "done", due.length]);
    const fires = await firesOf("steady+fill");
    assert.deepEqual(fires.map(({ dueMs }) => dueMs), due.map((text) => Date.parse(text)));
    for (const { atMs } of fires) {
      const inSecond = fires.filter((fire) => fire.atMs >= atMs && fire.atMs < atMs + 1_000).length;
      // Redis' clock stamps them: what waited behind a slow call comes a little closer.
      assert.ok(inSecond <= RATE + 2, `${inSecond} within a second of ${atMs}`);
    }
    assert.deepEqual((await ask(...args)).asked.state, "nothing");
    const { out } = await beat(["why", "steady", due[0]!], stage);
    assert.match(out, /asked for as steady\+fill: published to queue steady/);
    await auditIsClean();
  });

  it("pauses over a restart, shows it everywhere, and fires nothing of that when resumed", async () => {
    const paused = await ask("pause", "steady", "--note", "moving the database");
    assert.deepEqual([paused.code, paused.asked.state], [0, "done"]);
    const pausedMs = Date.now();
    assert.equal(await running.stop(), 143);
    running = stage.beat();
    const said = await running.says("paused: nothing of it is fired");
    assert.deepEqual([said.task, said.note], ["steady", "moving the database"]);
    await until(async () => {
      const rows = await stage.journal.read();
      return rows.some(({ detail, atMs }) => detail.by === "pause" && atMs > pausedMs);
    });
    const [tasks, doctor, why] = await Promise.all([
      beat(["tasks"], stage),
      beat(["doctor"], stage),
      beat(["why", "steady", "--json"], stage),
    ]);
    assert.match(tasks.out, /steady +paused/);
    assert.match(tasks.err, /steady is paused since .* by ada@.*: moving the database/);
    assert.doesNotMatch(tasks.err, /nobody decided/);
    assert.match(doctor.out, /task steady .*paused since .*moving the database/);
    assert.match(why.out, /moving the database/);
    const resumed = await ask("resume", "steady", "--note", "moved");
    const resumedMs = Date.now();
    assert.deepEqual([resumed.code, resumed.asked.state], [0, "done"]);
    await until(async () => (await firesOf("steady")).some(({ atMs }) => atMs > resumedMs));
    const { atMs: untilMs } = (await stage.journal.read()).find(({ type }) =>
      type === "control.resumed"
    )!;
    const between = (await firesOf("steady")).filter(({ dueMs, atMs }) =>
      atMs > pausedMs && dueMs! < untilMs - 50
    );
    assert.deepEqual(between, []);
    await auditIsClean();
  });

  it("needs a reason for a pause, and one thing to pause", async () => {
    for (const args of [["pause", "steady"], ["pause", "--note", "x"], ["resume", "a", "--all"]]) {
      const { code, err } = await ask(...args);
      assert.equal(code, 2, err);
    }
  });

  withWorker.it("reaches a worker, and is followed to its end under its own name", async () => {
    const worker: CeleryWorker = await startCelery({
      brokerUrl: stage.redis.url,
      queues: ["maintenance"],
    });
    try {
      const { asked } = await ask("trigger", "report", "--args", '["hello"]');
      const runs = await worker.waitFor((runs) =>
        runs.some(({ id }) => id === asked.celery_task_id)
      );
      const run = runs.find(({ id }) => id === asked.celery_task_id)!;
      assert.deepEqual([run.fire_id, run.entry], [asked.fire_id, "report"]);
      const name = asked.fire_id!.split("@")[0];
      await until(async () =>
        (await stage.journal.read()).some(({ type, task, detail }) =>
          type === "fire.finished" && task === name && detail.outcome === "success"
        )
      );
      const told = await beat(["why", asked.celery_task_id!], stage);
      assert.match(told.out, /it ran, with success/, told.err);
      await auditIsClean();
    } finally {
      await worker.kill();
    }
  });
});
