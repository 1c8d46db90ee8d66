/**
 * A real Beat on a real Redis after an hour in the dark, and with cursors that are ahead of the clock.
 * The clock of a server can't be set from a test, so the cursors are moved: to Beat it is the same.
 */

import { after, before, describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { needs } from "../support/needs.ts";
import type { Entry } from "../support/oracle.ts";
import type { Stage } from "../support/stage.ts";
import { openStage, SEVEN_OFF, yamlOf } from "../support/stage.ts";

const { it, missing } = needs("redis");

const HOUR_MS = 3_600_000;
const CATCH_UP: Readonly<Record<string, string>> = {
  skip: "skip",
  latest: "latest",
  some: "{ policy: all, window: 2h, cap: 50 }",
  every: "{ policy: all, window: 2h, cap: 100000 }",
  window: "{ policy: all, window: 10m, cap: 100000 }",
};
const ENTRIES: readonly Entry[] = Object.keys(CATCH_UP).map((name) => ({
  name,
  celeryTask: "check.echo",
  queue: name,
  everyS: "10",
}));

describe("a Beat that was dark", () => {
  let stage: Stage;
  before(async () => {
    if (missing !== null) return;
    const entries = ENTRIES.map((entry) => ({
      ...entry,
      extra: `, catchup: ${CATCH_UP[entry.name]}`,
    }));
    stage = await openStage({
      yaml: `tasks:\n${yamlOf(entries)}`,
      env: { ...SEVEN_OFF, BEAT_LEASE_SECONDS: "1" },
    });
    const first = stage.beat();
    await first.says("leading");
    await first.stop();
  });
  after(() => stage?.close());

  async function moveCursors(byMs: number): Promise<void> {
    const cursors = Object.entries(await stage.client.hgetall("beat:cursors"));
    for (const [name, text] of cursors.filter(([name]) => name in CATCH_UP)) {
      const [dueMs, revision] = text.split(" ");
      await stage.client.hset("beat:cursors", name, `${Number(dueMs) + byMs} ${revision}`);
    }
  }

  it("for an hour sends what each policy wants of it, and says what it let go", async () => {
    await moveCursors(-HOUR_MS);
    const cursors = await stage.client.hgetall("beat:cursors");
    const beat = stage.beat();
    await beat.says("leading");
    await stage.decided(ENTRIES, Date.now());
    await beat.stop();
    const rows = await stage.journal.read();
    for (const { name } of ENTRIES) {
      const own = rows.filter(({ task }) => task === name);
      const fires = own.filter(({ type }) => type === "fire.published");
      const drops = own.filter(({ type }) => type === "task.dropped");
      const sum = drops.reduce((count, { detail }) => count + Number(detail.count), fires.length);
      const sinceMs = Number(cursors[name]!.split(" ")[0]);
      const lastMs = Math.max(...[...fires, ...drops].map(({ dueMs }) => dueMs!));
      assert.equal(sum, Math.floor(lastMs / 10_000) - Math.floor(sinceMs / 10_000), name);
      assert.equal(new Set(fires.map(({ dueMs }) => dueMs)).size, fires.length, name);
      assert.ok(drops.length <= 1, `one row for what ${name} let go`);
      assert.equal(await stage.client.llen(name), fires.length);
      // One or two become due while it starts and stops.
      const [least, most] = FIRES[name]!;
      assert.ok(fires.length >= least && fires.length <= most, `${name}: ${fires.length} fires`);
    }
  });

  it("has cursors two hours ahead: says so, and does not fire", async () => {
    await moveCursors(2 * HOUR_MS);
    const before = await stage.client.hgetall("beat:cursors");
    const beat = stage.beat();
    const said = await beat.says(AHEAD);
    assert.equal(said.level, "error");
    assert.ok(String(said.task) in CATCH_UP);
    await beat.stop();
    const errors = beat.log().filter(({ level }) => level === "error");
    assert.deepEqual(errors.map(({ msg }) => msg), [AHEAD]);
    const after = await stage.client.hgetall("beat:cursors");
    for (const { name } of ENTRIES) assert.equal(after[name], before[name]);
  });
});

/** The least and the most fires of an hour of ten-second due times. */
const FIRES: Readonly<Record<string, readonly [least: number, most: number]>> = {
  skip: [0, 2],
  latest: [1, 3],
  some: [50, 52],
  every: [360, 362],
  window: [60, 62],
};

const AHEAD = "Redis' clock is over an hour behind what was fired already: tasks fire again when " +
  "it gets there; set the clock of the Redis server right, or, if it was wrong before, stop Beat and " +
  "remove these tasks from its hash of cursors";
