/** A changed configuration under a running Beat: what changed is taken up, and nothing else moves. */

import { after, before, describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { needs } from "../support/needs.ts";
import type { Entry, OracleRow } from "../support/oracle.ts";
import { dueTimes, findings, knownSince, owed, storiesOf } from "../support/oracle.ts";
import type { RunningBeat } from "../support/running_beat.ts";
import type { Stage } from "../support/stage.ts";
import { ALL, openStage, SEVEN_OFF, yamlOf } from "../support/stage.ts";
import { passes, until } from "../support/until.ts";

const { it, missing } = needs("redis");

const entry = (name: string, everyS: string): Entry => ({
  name,
  celeryTask: "check.echo",
  queue: name,
  everyS,
});
const CALM = entry("calm", "0.25");
const SLOW = entry("slow", "0.5");
const FASTER = entry("slow", "0.3");
const NEW = entry("new", "0.4");
const schedule = (...entries: readonly Entry[]) => `${ALL}\ntasks:\n${yamlOf(entries)}`;

describe("a running Beat whose configuration changes", () => {
  let stage: Stage;
  let beat: RunningBeat;
  before(async () => {
    if (missing !== null) return;
    stage = await openStage({
      yaml: schedule(CALM, SLOW),
      env: { ...SEVEN_OFF, BEAT_LEASE_SECONDS: "1" },
    });
    beat = stage.beat();
    await beat.says("leading");
    await stage.decided([CALM, SLOW], Date.now());
  });
  after(() => stage?.close());

  async function rowsOf(type: string): Promise<OracleRow[]> {
    return (await stage.journal.read()).filter((row) => row.type === type);
  }

  /** Waits for the n-th row of this type. */
  async function row(type: string, count = 1): Promise<OracleRow> {
    await until(async () => (await rowsOf(type)).length >= count).catch((cause) => {
      throw new Error(`expected ${count} rows ${type}, got:\n${beat.text()}`, { cause });
    });
    return (await rowsOf(type))[count - 1]!;
  }

  it("takes up a changed file by itself, and says what differs", async () => {
    await stage.writeYaml(schedule(CALM, FASTER, NEW));
    const { detail } = await row("control.reloaded");
    assert.deepEqual(detail, { added: ["new"], changed: ["slow"], retired: [] });
    const said = await beat.says("configuration loaded anew");
    assert.deepEqual([said.added, said.changed, said.retired], [["new"], ["slow"], []]);
    assert.equal((await row("task.changed")).task, "slow");
    await until(async () => (await rowsOf("task.known")).some(({ task }) => task === "new"));
    await stage.decided([CALM, FASTER, NEW], Date.now());
  });

  it("keeps the old schedule when the new file is wrong, and says why", async () => {
    const before = await stage.client.hgetall("beat:cursors");
    await stage.writeYaml(`tasks:\n  calm: { task: check.echo, queue: calm, evry: 5 }`);
    const { detail } = await row("control.reload_refused");
    const problems = detail.problems as string[];
    assert.match(problems.join(), /env\/beat\.yaml:3: .*evry.*every/);
    const said = await beat.says("the changed configuration is refused; the old one runs on");
    assert.equal(said.level, "error");
    await stage.decided([CALM, FASTER, NEW], Date.now());
    const after = await stage.client.hgetall("beat:cursors");
    const revision = (text: string | undefined) => text?.split(" ")[1];
    for (const task of ["calm", "slow", "new"]) {
      assert.equal(revision(after[task]), revision(before[task]), task);
    }
  });

  it("retires a task on SIGHUP; switched on again it never fires the past", async () => {
    await stage.writeYaml(schedule(CALM, FASTER));
    beat.signal("SIGHUP");
    const { task, atMs: offMs } = await row("task.retired");
    assert.equal(task, "new");
    await passes(1_500);
    await stage.writeYaml(schedule(CALM, FASTER, NEW));
    beat.signal("SIGHUP");
    await until(async () =>
      (await rowsOf("task.known")).filter(({ task }) => task === "new").length > 1
    );
    const again = (await rowsOf("task.known")).findLast(({ task }) => task === "new")!;
    await stage.decided([NEW], again.dueMs! + 500);
    const fires = (await rowsOf("fire.published")).filter(({ task }) => task === "new");
    const missed = dueTimes(NEW.everyS, offMs, again.dueMs!);
    assert.ok(missed.length > 2, `${missed.length} due times passed while it was off`);
    assert.deepEqual(fires.filter(({ dueMs }) => missed.includes(dueMs!)), []);
    assert.ok(fires.some(({ dueMs }) => dueMs! > again.dueMs!));
  });

  it("a SIGHUP that changes nothing writes nothing", async () => {
    const reloads = (await rowsOf("control.reloaded")).length;
    const same = () =>
      beat.log().filter(({ msg }) => msg === "configuration loaded anew: no task changed").length;
    const before = same();
    beat.signal("SIGHUP");
    await until(() => same() > before);
    await stage.decided([CALM], Date.now());
    assert.equal((await rowsOf("control.reloaded")).length, reloads);
  });

  it("goes on with the lists that it was started with, also where a task changes with them", async () => {
    const urgent = { ...entry("urgent", "0.4"), extra: ", priority: 5" };
    const steps = "broker: { priority_steps: [0, 5] }";
    await stage.writeYaml(`${steps}\n${schedule(CALM, FASTER, NEW, urgent)}`);
    await beat.says("settings other than tasks changed; they are taken up by a restart");
    await until(async () => (await rowsOf("fire.published")).some(({ task }) => task === "urgent"));
    assert.deepEqual(await stage.client.keys("urgent*"), ["urgent\x06\x163"]);
  });

  it("has moved no other fire by all that", async () => {
    const endMs = Date.now();
    await stage.decided([CALM], endMs);
    assert.equal(await beat.stop(), 143, beat.text());
    const rows = await stage.journal.read();
    assert.equal(rows.filter(({ type }) => type === "term.started").length, 1);
    assert.deepEqual(
      rows.filter(({ type, task }) => task === "calm" && type.startsWith("task."))
        .map(({ type }) => type),
      ["task.known"],
    );
    const calm = rows.filter(({ task }) => task === "calm");
    const stories = storiesOf(calm, []);
    const rule = () => null;
    const isDue = ({ dueMs }: { dueMs: number }) => dueMs > endMs && dueMs % 250 === 0;
    const wanted = owed([CALM], knownSince(rows), endMs);
    assert.deepEqual(findings(wanted, stories, { rule, isDue }), []);

    // Each under the trigger of its time.
    const changed = rows.find(({ type }) => type === "task.changed")!;
    for (
      const { dueMs } of rows.filter((row) => row.type === "fire.published" && row.task === "slow")
    ) {
      const { everyS } = dueMs! > changed.dueMs! ? FASTER : SLOW;
      assert.equal(dueTimes(everyS, dueMs! - 1, dueMs!).length, 1, `slow at ${dueMs}`);
    }
  });
});
