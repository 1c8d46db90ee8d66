/** `beat replay` of a journal that a real Beat has written, and of a row that somebody put there by hand. */

import { after, before } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { beat } from "../support/beat.ts";
import { needs } from "../support/needs.ts";
import type { Stage } from "../support/stage.ts";
import { openStage, SEVEN_OFF, yamlOf } from "../support/stage.ts";
import { until } from "../support/until.ts";

const ENTRIES = [
  {
    name: "quick",
    celeryTask: "shop.quick",
    queue: "shop",
    everyS: "0.3",
    extra: ", overlap: skip",
  },
  { name: "slow", celeryTask: "shop.slow", queue: "shop", everyS: "1", extra: ", jitter: 500ms" },
];

const { describe, it } = needs("redis");

describe("beat replay, of a real run", () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage({ yaml: `tasks:\n${yamlOf(ENTRIES)}`, env: SEVEN_OFF });
    const first = stage.beat();
    await first.says("leading");
    await stage.decided(ENTRIES.slice(1), Date.now() + 1_000);
    await first.kill();
    const second = stage.beat();
    await second.says("leading");
    await stage.decided(ENTRIES.slice(1), Date.now() + 1_000);
    // Else nothing was held back that another schedule would let go.
    await until(async () =>
      (await stage.journal.read()).some(({ type, task }) =>
        type === "fire.skipped" && task === "quick"
      )
    );
    await second.stop();
  });
  after(() => stage?.close());

  it("finds nothing that would be decided otherwise", async () => {
    const { code, out, err } = await beat(["replay", "--from", "1h", "--json"], stage);
    assert.equal(code, 0, out + err);
    const { tasks, differences } = JSON.parse(out);
    assert.deepEqual(differences, []);
    assert.ok(tasks.quick.compared > 0 && tasks.slow.compared > 2, out);
    const people = await beat(["replay", "--from", "1h"], stage);
    assert.equal(people.code, 0, people.out);
    assert.match(people.out, /\d+ decisions made again, 0 differ$/m);
  });

  it("tells what another schedule would have done", async () => {
    const same = `${stage.cwd}/same.yaml`;
    const other = `${stage.cwd}/other.yaml`;
    const fast = [{ ...ENTRIES[0]!, extra: "" }, ENTRIES[1]!];
    await Deno.writeTextFile(same, `version: 1\ntasks:\n${yamlOf(ENTRIES)}\n`);
    await Deno.writeTextFile(other, `version: 1\ntasks:\n${yamlOf(fast)}\n`);
    const run = (file: string, ...args: string[]) =>
      beat(["replay", "--from", "1h", "--config", file, "--json", ...args], stage);
    const unchanged = JSON.parse((await run(same, "--task", "slow")).out);
    // The one that was due while the first of them was killed may be told otherwise.
    assert.ok(unchanged.differences.length <= 1, JSON.stringify(unchanged.differences));
    const { code, out, err } = await run(other);
    assert.equal(code, 3, out + err);
    const differences: { task: string; kind: string }[] = JSON.parse(out).differences;
    const slow = differences.filter(({ task }) => task !== "quick");
    assert.ok(slow.length <= 1, out);
    assert.ok(differences.some(({ task, kind }) => task === "quick" && kind === "+"), out);
  });

  it("has figures of it in the audit", async () => {
    const { out, err } = await beat(["audit", "--since", "1h", "--figures"], stage);
    assert.match(out, /^queue peak, shop: \d+ a second with jitter, \d+ without$/m, err);
    assert.match(
      out,
      /^critical tasks: normal \d+ fires, none seen to end, delay .*; degraded no fires$/m,
    );
    const { figures } = JSON.parse(
      (await beat(["audit", "--since", "1h", "--figures", "--json"], stage)).out,
    );
    assert.ok(figures.timeout.published > 0 && figures.off_session.saved === 0);
  });

  it("tells how tasks stood at a time", async () => {
    const { code, out, err } = await beat(["replay", "--state-at", "0s", "--json"], stage);
    assert.equal(code, 0, out + err);
    const { tasks, term } = JSON.parse(out);
    assert.deepEqual(tasks.map(({ task }: { task: string }) => task), ["quick", "slow"]);
    assert.equal(tasks[0].open.length, 1, "quick waits for a worker");
    assert.notEqual(term.ended, null);
    assert.match((await beat(["replay", "--state-at", "0s"], stage)).out, /^quick +20.*queued/m);
    const early = await beat(["replay", "--state-at", "2020-01-01"], stage);
    assert.equal(early.code, 2);
    assert.match(early.err, /expected `--state-at` to lie in the journal/);
    const ahead = await beat(["replay", "--state-at", "2999-01-01"], stage);
    assert.deepEqual([ahead.code, ahead.out], [2, ""]);
    assert.match(ahead.err, /expected `--state-at` not to lie ahead, got 2999-01-01, and it is 2/);
  });

  it("shows what would be decided otherwise, and ends with 3", async () => {
    const key = "beat:journal";
    const rows = await stage.client.xrange(key, "-", "+");
    const [, fields] = rows.findLast(([, each]) => each[3] === "p" && each[5] === "slow")!;
    await stage.client.xadd(key, "*", ...fields);
    const { code, out } = await beat(["replay", "--from", "1h", "--task", "slow"], stage);
    assert.equal(code, 3, out);
    assert.match(out, /^- 20.* slow {2}due .*\n {4}was: published.*\n {4}now: nothing$/m);
    const other = await beat(["replay", "--from", "1h", "--task", "none"], stage);
    assert.equal(other.code, 2);
  });
});
