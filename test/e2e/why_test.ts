/**
 * A run is missing, and `beat why` and `beat doctor` say the cause: the worker stopped, the task
 * switched off, Beat killed across a due time, the message expired. Real Redis, worker and Beat.
 */

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

const { it, missing } = needs("redis", "celery");

const TASKS = `
  report: { task: check.echo, queue: maintenance, every: 1s }
  ticks: { task: check.echo, queue: maintenance, every: 1s, expires: 3s }
  elsewhere: { task: check.echo, queue: nowhere, every: 1h }`;
const WITHOUT_REPORT = TASKS.split("\n").filter((line) => !line.includes("report")).join("\n");

interface Story {
  readonly verdict: string;
  readonly causes: readonly { cause: string; text: string }[];
  readonly story: readonly { at: string | null; text: string }[];
  readonly questions: readonly { question: string; answer: string; evidence: string }[];
}

interface Check {
  readonly level: string;
  readonly subject: string;
  readonly text: string;
  readonly advice: string | null;
}

describe("beat why and beat doctor", () => {
  let stage: Stage;
  let worker: CeleryWorker;
  let running: RunningBeat;
  before(async () => {
    if (missing !== null) return;
    stage = await openStage({
      redis: { isPersistent: true, fsync: "everysec" },
      yaml: `tasks:${TASKS}`,
      env: SEVEN_OFF,
    });
    worker = await startCelery({ brokerUrl: stage.redis.url, hasEvents: true, concurrency: 2 });
    running = stage.beat();
    await running.says("leading");
    await rowOf("fire.finished", "report");
    await rowOf("fire.finished", "ticks");
  });
  after(async () => {
    await worker?.kill();
    await stage?.close();
  });

  /** Waits for a row recorded after `afterMs`. */
  async function rowOf(type: string, task: string, afterMs = 0): Promise<OracleRow> {
    let found: OracleRow | undefined;
    await until(async () => {
      const rows = await stage.journal.read();
      found = rows.find((row) => row.type === type && row.task === task && row.atMs > afterMs);
      return found !== undefined;
    }, 20_000);
    return found!;
  }

  async function why(...args: string[]): Promise<Story> {
    const { code, out, err } = await beat(["why", "--json", ...args], stage);
    assert.equal(code, 0, err);
    return JSON.parse(out);
  }

  async function doctor(): Promise<{ code: number; checks: Check[] }> {
    const { code, out, err } = await beat(["doctor", "--json"], stage);
    assert.equal(err, "");
    return { code, checks: JSON.parse(out) };
  }

  const lineOf = (checks: readonly Check[], subject: string) =>
    checks.find((check) => check.subject === subject)!;
  const answersOf = ({ questions }: Story) => questions.map(({ answer }) => answer);
  const causesOf = ({ causes }: Story) => causes.map(({ cause }) => cause);

  it("tell a run that was as it should be, by task and time, fire id and Celery task id", async () => {
    const row = await rowOf("fire.finished", "report");
    const run = (await worker.waitFor((runs) => runs.some(({ due }) => due !== null)))
      .find(({ fire_id }) => fire_id === `report@${row.dueMs}`)!;
    const due = new Date(row.dueMs!).toISOString();
    const [byTime, byFire, byId] = [
      await why("report", due),
      await why(`report@${row.dueMs}`),
      await why(run.id),
    ];
    assert.equal(byTime.verdict, "finished");
    assert.deepEqual(byTime.causes, []);
    assert.match(
      byTime.story.map(({ text }) => text).join("\n"),
      /due by every 1s .*\n.* led\npublished to queue maintenance.*finished: success/s,
    );
    assert.deepEqual(byFire.story, byTime.story);
    assert.deepEqual(byId.story, byTime.story);

    const between = await why("report", new Date(row.dueMs! + 7).toISOString());
    assert.equal(between.verdict, "not_due");
    assert.match(JSON.stringify(between.story), /due before: .*; due after: /);
  });

  it("find nothing wrong but the queue that no worker serves", async () => {
    const { code, checks } = await doctor();
    assert.equal(code, 3);
    const wrong = checks.filter(({ level }) => level !== "fine").map(({ subject }) => subject);
    assert.deepEqual(wrong, ["queue nowhere", "task elsewhere"]);
    assert.match(lineOf(checks, "queue nowhere").text, /no worker consumes it; alive, .*test@/);
    assert.match(lineOf(checks, "queue maintenance").text, /consumed by test@/);
    assert.match(lineOf(checks, "prefix").text, /as the workers/);
    const left = (await stage.client.keys("*pidbox*")).filter((key) =>
      !/celery\.pidbox$/.test(key) ||
      key.includes("reply")
    );
    for (const key of left) assert.ok(await stage.client.pttl(key) > 0, `${key} stays`);
  });

  it("name the worker that was stopped, and the message that expired for it", async () => {
    await worker.stop();
    const stoppedMs = Date.now();
    const expired = await rowOf("fire.expired", "ticks", stoppedMs + 1_000);
    const story = await why(`ticks@${expired.dueMs}`);
    assert.equal(story.verdict, "expired");
    assert.deepEqual(causesOf(story), ["no_worker", "expires"]);
    assert.deepEqual(answersOf(story), ["yes", "yes", "no", "yes"]);

    const published = await rowOf("fire.published", "report", stoppedMs + 1_000);
    const waiting = await why(`report@${published.dueMs}`);
    assert.equal(waiting.verdict, "waiting");
    assert.deepEqual(causesOf(waiting), ["no_worker"]);
    assert.match(waiting.causes[0]!.text, /start one with -Q maintenance/);

    await passes(stoppedMs + 12_500 - Date.now());
    const { code, checks } = await doctor();
    assert.equal(code, 3);
    assert.equal(lineOf(checks, "queue maintenance").level, "failure");
    assert.match(lineOf(checks, "queue maintenance").text, /\d+ wait.*no worker consumes it$/);
    assert.match(lineOf(checks, "task ticks").text, /expired/);
    worker = await startCelery({ brokerUrl: stage.redis.url, hasEvents: true, concurrency: 2 });
    await rowOf("fire.finished", "ticks", Date.now());
    assert.deepEqual(causesOf(await why(`ticks@${expired.dueMs}`)), ["no_worker", "expires"]);
  });

  it("name the time in which Beat was killed, during it and after it", async () => {
    const killedMs = Date.now();
    await running.kill();
    await until(async () => await stage.client.get("beat:lease") === null, 15_000);
    // Past the time that a change of leaders may take.
    await passes(killedMs + 12_500 - Date.now());
    const during = await why("report");
    assert.equal(during.verdict, "undecided");
    assert.deepEqual(causesOf(during), ["nobody_led"]);
    assert.match(during.causes[0]!.text, /Beat is not running: nobody has led since/);
    assert.equal(answersOf(during)[0], "no");
    const { code, checks } = await doctor();
    assert.equal(code, 3);
    assert.equal(lineOf(checks, "leader").level, "failure");
    assert.match(lineOf(checks, "task report").text, /due times passed and nobody decided/);

    running = stage.beat();
    await running.says("leading");
    const dropped = await rowOf("task.dropped", "report", killedMs);
    const story = await why(`report@${dropped.detail.fromMs}`);
    assert.equal(story.verdict, "dropped");
    assert.deepEqual(causesOf(story), ["policy", "nobody_led"]);
    assert.match(story.causes[1]!.text, /Beat was not running from .* to /);
    assert.deepEqual(answersOf(story), ["no", "yes", "yes", "yes"]);
  });

  it("name the task that was switched off", async () => {
    await stage.writeYaml(`tasks:${TASKS.replace("every: 1s }", "every: 1s, enabled: false }")}`);
    const retired = await rowOf("task.retired", "report");
    await passes(retired.atMs + 1_500 - Date.now());
    const story = await why("report");
    assert.equal(story.verdict, "off");
    assert.deepEqual(causesOf(story), ["switched_off"]);
    assert.equal(answersOf(story)[1], "no");
    const { checks } = await doctor();
    assert.match(lineOf(checks, "task report").text, /^off by /);

    const bySwitch = await why("paper_trading.scheduler_tick");
    assert.match(bySwitch.causes[0]!.text, /PAPER_TRADING_ENABLED=false/);

    await stage.writeYaml(`tasks:${WITHOUT_REPORT}`);
    const gone = await why("report");
    assert.deepEqual([gone.verdict, causesOf(gone)], ["off", ["switched_off"]]);
  });

  it("end with 2 for a task that nobody knows, and with 69 without Redis", async () => {
    const unknown = await beat(["why", "tickz"], stage);
    assert.equal(unknown.code, 2);
    assert.match(unknown.err, /got "tickz"; did you mean ticks\?/);
    const env = { ...stage.env, CELERY_BROKER_URL: "redis://127.0.0.1:1/0" };
    assert.equal((await beat(["why", "ticks"], { ...stage, env })).code, 69);
    const away = await beat(["doctor", "--json"], { ...stage, env });
    assert.equal(away.code, 69);
    assert.equal(JSON.parse(away.out)[0].level, "failure");
  });
});
