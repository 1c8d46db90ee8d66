import { after, before, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { plan } from "../../src/commands/plan.ts";
import type { PlanCommandOptions } from "../../src/commands/plan.ts";
import { tasksToRun } from "../../src/commands/plan_scope.ts";
import { UsageError } from "../../src/errors.ts";
import { NO_POLICIES } from "../../src/task.ts";
import { keptShell } from "../support/shell.ts";
import { SEVEN_OFF } from "../support/stage.ts";

const YAML = `version: 1
tasks:
  shop.a: { task: shop.a, queue: "q<b>&", every: 5, overlap: skip }
  shop.b: { task: shop.b, queue: other, crontab: "*/20 * * * *", jitter: 30s, importance: deferrable, pressure: enforce }
`;
const FROM = "2026-01-05T14:00:00Z";

describe("plan()", () => {
  let directory = "";
  before(async () => {
    directory = await Deno.makeTempDir({ prefix: "beat-plan-" });
    await Deno.writeTextFile(`${directory}/beat.yaml`, YAML);
    const other = YAML.replace("every: 5", "every: 10").replace("jitter: 30s", "jitter: 60s");
    await Deno.writeTextFile(`${directory}/other.yaml`, other);
  });
  after(() => Deno.remove(directory, { recursive: true }));

  async function printed(options: PlanCommandOptions) {
    const broker = "redis://127.0.0.1:1/0";
    const env = { ...SEVEN_OFF, CELERY_BROKER_URL: broker, BEAT_CONFIG: `${directory}/beat.yaml` };
    const shell = keptShell({ env });
    const code = await plan({ from: FROM, hours: "1", ...options }, shell);
    return { code, ...shell.said };
  }

  it("states what it assumes, counts what fires often, and draws each minute", async () => {
    const { code, out } = await printed({});
    assert.equal(code, 0);
    assert.match(out, /^assumed: from 2026-01-05T14:00:00.000Z to 2026-01-05T15:00:00.000Z$/m);
    assert.match(
      out,
      /^assumed: begins from nothing, each task anew: Redis at redis:\/\/127\.0\.0\.1:1\/0: .*ECONNREFUSED/m,
    );
    assert.match(out, /^assumed: queue other: .*shop\.b 1 s \(not measured\)$/m);
    assert.match(out, /^2026-01-05T14 \(the hour\) +shop\.a +q<b>& +720 published$/m);
    const { out: half } = await printed({ hours: "0.5" });
    assert.match(
      half,
      /^2026-01-05T14:20:00\.000Z +shop\.b +other +held until 2026-01-05T[\d:.]+Z by \w+$/m,
    );
    assert.match(out, /peak 12 in the minute of 2026-01-05T14:00:00Z: shop\.a 12$/m);
  });

  it("has what is due at the very beginning, and not what is due at the end", async () => {
    const own = `${directory}/midnight.yaml`;
    await Deno.writeTextFile(own, YAML.replace("every: 5", "cron: '0 0 * * *'"));
    const env = { ...SEVEN_OFF, CELERY_BROKER_URL: "redis://127.0.0.1:1/0", BEAT_CONFIG: own };
    const shell = keptShell({ env });
    await plan({ from: "2026-12-01T00:00:00Z", task: ["shop.a"], json: true }, shell);
    const dues = JSON.parse(shell.said.out).rows.map(({ due }: { due: string }) => due);
    assert.deepEqual(dues, ["2026-12-01T00:00:00Z"]);
  });

  it("gives every row to programs", async () => {
    const json = JSON.parse((await printed({ json: true })).out);
    const published = json.rows.filter(({ type }: { type: string }) => type === "fire.published");
    assert.equal(published.length, 720 + 3);
    assert.equal(json.queues.other.peak, 1);
    assert.deepEqual(json.model.queues.other.run_at_a_time, {
      ...{ count: null, how: "not measured", workers: [], shared_with: [], why: "not measured" },
    });
    assert.deepEqual(json.model.tasks["shop.b"], { run: { ms: 1_000, how: "not measured" } });
    const { out, err } = await printed({ format: "csv", task: ["shop.b"] });
    const [head, ...lines] = out.trimEnd().split("\n");
    assert.equal(head, "at,type,task,queue,from,due,count,text");
    assert.equal(lines.length, 6);
    assert.match(err, /^from 2026-01-05/);
  });

  it("follows what is assumed of workers and levels", async () => {
    const slow = ["task.shop.a.run=12s", "level.queue:other=paused"];
    const { out } = await printed({ assume: slow, explain: true });
    assert.match(out, /240 published, 479 skipped by overlap|published.*skipped by overlap/);
    assert.match(out, /queue:other is paused/);
    assert.match(out, /shop\.b +other +.*3 held by pressure/);
    const one = await printed({ assume: ["queue.q<b>&.consumers=1", "queue.q<b>&.depth=40"] });
    const words =
      /^assumed: queue q<b>&: 40 of others waiting \(assumed\), 1 s each \(not measured\); (.*);/m;
    assert.equal(words.exec(one.out)?.[1], "1 run at a time (assumed)");
  });

  it("tells two schedules apart, and ends with 3", async () => {
    const same = await printed({ diff: `${directory}/beat.yaml` });
    assert.deepEqual([same.code, /0 due times differ/.test(same.out)], [0, true]);
    const { code, out } = await printed({ diff: `${directory}/other.yaml` });
    assert.equal(code, 3);
    assert.match(out, /^- shop\.a .*\n {4}published\n {4}→ nothing$/m);
    assert.match(out, /^~ shop\.b /m);
  });

  it("tells where a task would send another message, and knows the tasks of both", async () => {
    const moved = YAML.replace("queue: other,", "queue: slow, args: [1],") +
      "  shop.new: { task: shop.new, queue: slow, every: 20m }\n";
    await Deno.writeTextFile(`${directory}/moved.yaml`, moved);
    const diff = `${directory}/moved.yaml`;
    const { code, out } = await printed({ diff, task: ["shop.b"] });
    assert.match(out, /^~ shop\.b {2}sends another message: queue \(other → slow\), args$/m);
    assert.match(out, /^0 due times differ\n1 task sends another message$/m);
    assert.equal(code, 3);
    const added = await printed({ diff, task: ["shop.new"], assume: ["queue.slow.depth=7"] });
    assert.match(added.out, /^\+ shop\.new /m);
    assert.match(added.out, /^assumed: queue slow: 7 of others waiting/m);
    const json = JSON.parse((await printed({ diff, json: true })).out);
    assert.deepEqual(json.messages, [
      { task: "shop.b", fields: ["queue", "args"], queue: { one: "other", other: "slow" } },
    ]);
  });

  it("says so where nothing is due", async () => {
    const quiet = { task: ["shop.b"], from: "2026-01-05T14:01:00Z", hours: "0.1" };
    const { out } = await printed(quiet);
    assert.match(out, /\n\nnothing is due in this time\n$/);
    const { out: figures } = await printed({ ...quiet, figures: true });
    assert.match(figures, /^queue peak: nothing is published\n {4}the most/m);
  });

  it("lists a few of the run times of many tasks, first those of which more is known", async () => {
    const many = Array.from(
      { length: 30 },
      (_, at) => `  t.${at}: { task: t, queue: q, every: 1h }`,
    );
    const own = `${directory}/many.yaml`;
    await Deno.writeTextFile(own, `version: 1\ntasks:\n${many.join("\n")}\n`);
    const shell = keptShell({ env: { ...SEVEN_OFF, BEAT_CONFIG: own } });
    await plan({ from: FROM, hours: "1", assume: ["task.t.29.run=9s"] }, shell);
    const [, runs] = /run times: (.*)$/m.exec(shell.said.out)!;
    assert.match(runs!, /^t\.29 9 s \(assumed\), t\.0 1 s \(not measured\), .* and 20 more$/);
  });

  it("names the policy that skips a range, without --explain too", async () => {
    const own = `${directory}/closed.yaml`;
    const task = "  shop.c: { task: t, queue: q, every: 10m, calendar: XNYS }";
    await Deno.writeTextFile(own, `version: 1\ntasks:\n${task}\n`);
    const shell = keptShell({ env: { ...SEVEN_OFF, BEAT_CONFIG: own } });
    await plan({ from: "2026-01-04T00:00:00Z", hours: "2" }, shell);
    assert.match(shell.said.out, /^2026-01-04T01\S+ +shop\.c +q +6 skipped by session$/m);
    assert.match(
      shell.said.out,
      /^2026-01-04T02:00:00\.000Z +shop\.c +q +5 skipped by session$/m,
    );
    const short = keptShell({ env: shell.env });
    await plan({ from: "2026-01-04T00:00:00Z", hours: "0.2" }, short);
    assert.match(short.said.out, /skipped by session \(due 2026-01-04T00:10:00Z\)$/m);
    const explained = keptShell({ env: shell.env });
    await plan({ from: "2026-01-04T00:00:00Z", hours: "2", explain: true }, explained);
    assert.match(explained.said.out, /^TIME .* WHAT$/m);
  });

  it("makes a page that needs nothing else, and escapes what it shows", async () => {
    const { out } = await printed({ format: "html" });
    assert.match(out, /^<!doctype html>/);
    assert.doesNotMatch(out, /(src|href)=|url\(|@import|<script/);
    assert.ok(out.includes("q&lt;b&gt;&amp;") && !out.includes("q<b>"));
    assert.match(out, /<text [^>]*>shop\.a<\/text>/);
  });

  it("says what jitter is worth", async () => {
    const { out } = await printed({ figures: true });
    assert.match(out, /^queue peak, other: 1 a second with jitter, 1 without$/m);
    assert.match(out, /^off-session fires saved: 0 of 723/m);
  });

  it("runs no more of the schedule than it takes, and says what it rests on", async () => {
    const fast = `${YAML}  shop.fast: { task: shop.fast, queue: fast, every: 10ms }\n`;
    await Deno.writeTextFile(`${directory}/beat.yaml`, fast);
    try {
      const { out } = await printed({ task: ["shop.b"], hours: "24" });
      assert.match(
        out,
        /^2026-01-06T13 \(the hour\) +shop\.b +other +3 held by jitter, 3 published$/m,
      );
      assert.doesNotMatch(out, /queue fast|shop\.a/);
      const { out: figures } = await printed({ queue: ["other"], figures: true });
      assert.doesNotMatch(figures, /^queue peak, q/m);
      const same = await printed({ diff: `${directory}/other.yaml`, queue: ["other"] });
      assert.match(same.out, /^~ shop\.b /m);
      assert.doesNotMatch(same.out, /shop\.a /);
    } finally {
      await Deno.writeTextFile(`${directory}/beat.yaml`, YAML);
    }
  });

  it("runs nothing else for a task that no worker can hold up", async () => {
    const assume = ["queue.q<b>&.consumers=1"];
    const beside = `${YAML}  shop.c: { task: shop.c, queue: "q<b>&", every: 10m, jitter: 60s }\n`;
    await Deno.writeTextFile(`${directory}/beat.yaml`, beside);
    try {
      const all = JSON.parse((await printed({ assume, json: true })).out);
      const own = JSON.parse((await printed({ assume, json: true, task: ["shop.c"] })).out);
      const of = (rows: { task: string }[]) => rows.filter(({ task }) => task === "shop.c");
      assert.deepEqual([own.rows.length, own.rows], [12, of(all.rows)]);
      assert.deepEqual(Object.keys(own.model.tasks), ["shop.c"]);
      assert.deepEqual([own.queues["q<b>&"].depth, all.queues["q<b>&"].depth], [null, 1]);
      const held = JSON.parse((await printed({ assume, json: true, task: ["shop.a"] })).out);
      assert.deepEqual(Object.keys(held.model.tasks), ["shop.a", "shop.c"]);
    } finally {
      await Deno.writeTextFile(`${directory}/beat.yaml`, YAML);
    }
  });

  it("runs tasks that share a worker with what is asked for, however far off", () => {
    const policies = { ...NO_POLICIES, overlap: "skip" as const };
    const tasks = ["a", "b", "c", "d", "e"]
      .map((queue) => ({ name: `on.${queue}`, queue, policies }));
    const run = (queue: string, ...pools: string[][]) =>
      tasksToRun(tasks, { queue: [queue] }, pools.map((queues) => ({ queues })))
        .map((task) => task.queue).join("");
    assert.equal(run("a"), "a");
    assert.equal(run("a", ["b", "c"], ["a", "b"], ["d"]), "abc");
    assert.equal(run("d", ["b", "c"], ["a", "b"], ["d"]), "d");
    const more = [...tasks, { name: "also.a", queue: "a", policies }];
    assert.equal(tasksToRun(more, { task: ["on.a"] }, []).length, 1);
    assert.equal(tasksToRun(more, { task: ["on.a"] }, [{ queues: ["a"] }]).length, 2);
    assert.equal(tasksToRun(more, {}, []).length, 6);
  });

  const wrong: readonly [PlanCommandOptions, RegExp][] = [
    [{ hours: "0" }, /`--hours` to be above 0 and at most 744/],
    [{ hours: "many" }, /got "many"/],
    [{ format: "pdf" }, /`--format` to be table, json, csv, html/],
    [{ diff: "other.yaml", figures: true }, /`--diff` without `--figures`/],
    [{ diff: "other.yaml", format: "csv" }, /`--diff` without `--format csv`/],
    [{ diff: "other.yaml", explain: true }, /`--diff` without `--explain`/],
    [{ format: "csv", json: true }, /either `--json` or `--format csv`/],
    [{ figures: true, json: true }, /`--figures` without `--json`/],
    [{ task: ["none"] }, /`--task` to name a task that is on, got "none"$/],
    [
      { task: ["shop.aa"] },
      /`--task` to name a task that is on, got "shop.aa"; did you mean shop.a/,
    ],
    [{ queue: ["none"] }, /`--queue` to be one of other, q<b>&/],
    [
      { assume: ["queues.other=3"] },
      /`--assume` to be queue\.QUEUE\.depth=N.* got "queues.other=3"/,
    ],
    [{ assume: ["queue.othre.depth=3"] }, /to name a queue .*got "othre"; did you mean other/],
    [{ assume: ["task.nobody.run=3s"] }, /to name a task .*got "nobody"; known: shop\.a, shop\.b/],
    [{ assume: ["level.other=paused"] }, /to name a queue or an objective .* known: queue:other/],
    [{ assume: ["level.queue:othre=paused"] }, /got "queue:othre"; did you mean queue:other/],
    [{ assume: ["level.queue:other=high"] }, /`--assume` to be .*level\.queue:QUEUE=slowed/],
    [{ assume: ["queue.other.depth=-3"] }, /a whole number from 0/],
    [{ assume: ["task.shop.a.run=fast"] }, /to end with a duration/],
  ];
  for (const [options, message] of wrong) {
    it(`refuses ${JSON.stringify(options)}`, async () => {
      await assert.rejects(printed(options), (error: Error) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
