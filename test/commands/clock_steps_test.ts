/** Whole replicas while clocks step and machines sleep: by policy, bounded, in order, and never twice. */

import assert from "node:assert/strict";
import { afterEach, describe, it } from "@std/testing/bdd";
import { serverClock } from "../../src/clock.ts";
import { simClock } from "../support/sim_clock.ts";
import { supervise, type Supervisor } from "../../src/commands/supervise.ts";
import { rosterOf } from "../../src/core/roster.ts";
import type { Journal } from "../../src/ports.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { memoryLease } from "../../src/memory/lease.ts";
import { memorySensors } from "../../src/memory/sensors.ts";
import type { CatchUp, Task } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import { aLog, aReady, aRoster, aTask, rowsOf, T0, TRANSPORT } from "../support/build.ts";

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;
const YEARS = 10 * 365 * 86_400_000;
const POLICIES = {
  skip: { policy: "skip", windowMs: 60_000, cap: 100 },
  latest: { policy: "latest", windowMs: 60_000, cap: 100 },
  all: { policy: "all", windowMs: 60_000, cap: 20 },
} as const satisfies Record<string, CatchUp>;
const NAMES = Object.keys(POLICIES) as (keyof typeof POLICIES)[];

/** The most late fires that a step of the clock may bring, by policy. */
const LATE_MAX = { skip: 0, latest: 1, all: 20 } as const;

describe("a clock that steps", () => {
  const started: (ReturnType<typeof aWorld> & { supervisor: Supervisor })[] = [];

  afterEach(async () => {
    for (const { clock, supervisor } of started.splice(0)) {
      supervisor.actor.send({ type: "STOP" });
      await clock.advance(10_000);
      await supervisor.done;
    }
  });

  async function running() {
    const world = aWorld();
    started.push({ ...world, supervisor: supervise(world.parts) });
    await world.clock.advance(3_500);
    return world;
  }

  for (const [words, byMs] of [["a second", 1_000], ["an hour", HOUR], ["ten years", YEARS]]) {
    it(`of the server by ${words} forward: each task catches up by its policy`, async () => {
      const world = await running();
      const calls = world.calls();
      world.step({ serverMs: Number(byMs) });
      await world.clock.advance(5_000);
      for (const task of NAMES) {
        const late = (await world.fires(task)).filter(({ dueMs, decidedMs }) => decidedMs > dueMs!);
        assert.ok(late.length <= LATE_MAX[task], `${task} fired ${late.length} times`);
      }
      await world.assertDecided();
      assert.ok(world.calls() - calls < 30, `${world.calls() - calls} calls in five seconds`);
    });

    it(`of the server by ${words} back: nothing fires twice, and time is waited for`, async () => {
      const world = await running();
      const before = await world.cursors();
      world.step({ serverMs: -Number(byMs) });
      await world.clock.advance(5_000);
      for (const [task, dueMs] of Object.entries(await world.cursors())) {
        assert.ok(dueMs >= before[task]!, `the cursor of ${task} went back`);
      }
      assert.equal(world.errors().length, Number(byMs) > HOUR ? 1 : 0);
      world.step({ serverMs: Number(byMs) });
      await world.clock.advance(5_000);
      await world.assertDecided();
    });
  }

  it("back by more than an hour is said once, and again when it comes again", async () => {
    const world = await running();
    world.step({ serverMs: -HOUR - 10_000 });
    await world.clock.advance(8_000);
    const [error] = world.errors();
    assert.match(error!.message, /Redis' clock is over an hour behind/);
    assert.ok(NAMES.includes(error!.fields.task as never));
    assert.ok(Number(error!.fields.aheadMs) > HOUR);
    assert.equal(world.errors().length, 1);
    world.step({ serverMs: HOUR });
    await world.clock.advance(20_000);
    assert.equal(world.errors().length, 1);
    world.step({ serverMs: -2 * HOUR });
    await world.clock.advance(8_000);
    assert.equal(world.errors().length, 2);
  });

  it("back is found by a leader that was not there when it happened", async () => {
    const world = aWorld();
    const ahead = T0 + 2 * HOUR;
    const { revision } = world.parts.declared.roster.get("latest")!;
    world.store.cursors.set("latest", `${ahead} ${revision}`);
    // A count is no time, however large.
    world.store.cursors.set("@control", `${Number.MAX_SAFE_INTEGER} row`);
    started.push({ ...world, supervisor: supervise(world.parts) });
    await world.clock.advance(5_000);
    assert.deepEqual(world.errors().map(({ fields }) => fields.task), ["latest"]);
    assert.deepEqual(await world.fires("latest"), []);
    assert.equal((await world.fires("all")).length, 5);
  });

  /** An hourly task that has fired once; the clock steps back while the second fire is kept back. */
  async function heldBack(
    own: Partial<Task>,
    keepBack: (world: ReturnType<typeof aWorld>) => void,
  ) {
    const trigger = { kind: "every", everyMs: HOUR, phaseMs: 0 } as const;
    const world = aWorld(rosterOf([aTask({ name: "a", trigger, ...own })], TRANSPORT, "beat@test"));
    started.push({ ...world, supervisor: supervise(world.parts) });
    await world.clock.advance(HOUR + SECOND);
    keepBack(world);
    await world.clock.advance(HOUR + 20 * MINUTE);
    world.step({ serverMs: -10 * MINUTE });
    await world.clock.advance(5 * SECOND);
    assert.equal((await world.fires("a")).length, 1);
    return world;
  }

  it("back by ten minutes: a fire that waits for the one before goes out when that ends", async () => {
    const world = await heldBack({ policies: WAITS, ignoreResult: true }, () => {});
    world.store.lists.clear();
    await world.clock.advance(40 * SECOND);
    assert.equal((await world.fires("a")).length, 2);
  });

  it("back by ten minutes: a task whose list is of another type is tried on", async () => {
    const catchUp = { policy: "all", windowMs: HOUR, cap: 1 } as const;
    const spoil = ({ store }: ReturnType<typeof aWorld>) => store.foreignLists.add("maintenance");
    const world = await heldBack({ catchUp }, spoil);
    world.store.foreignLists.clear();
    await world.clock.advance(10 * SECOND);
    assert.equal((await world.fires("a")).length, 2);
  });

  it("of the machine alone changes nothing", async () => {
    const world = await running();
    for (const wallMs of [YEARS, -2 * YEARS]) {
      world.step({ wallMs });
      await world.clock.advance(3_000);
    }
    for (const task of NAMES) {
      const dues = (await world.fires(task)).map(({ dueMs }) => (dueMs! - T0) / 1000);
      assert.deepEqual(dues, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
    assert.equal(world.errors().length, 0);
    assert.equal(world.terms(), 1);
  });

  it("because the machine slept: it leads anew, and catches up by policy", async () => {
    const world = await running();
    world.step({ serverMs: HOUR, wallMs: HOUR });
    const wokenMs = world.serverMs();
    await world.clock.advance(5_000);
    assert.equal(world.terms(), 2);
    await world.assertDecided();
    const late = (await world.fires("all")).filter(({ id }) => parseInt(id) >= wokenMs);
    assert.ok(late[0]!.dueMs! > wokenMs - 21_000, "no more than the cap");
    for (const row of await rowsOf(world.memory)) {
      if (row.type !== "fire.published" || row.task === "all") continue;
      assert.ok(parseInt(row.id) - row.dueMs! <= SECOND, "nothing old passes for on time");
    }
  });
});

function newest(atMs: number): number {
  return Math.floor(atMs / SECOND) * SECOND;
}

const WAITS = { ...NO_POLICIES, overlap: "wait" } as const;
const EACH_SECOND = { kind: "every", everyMs: SECOND, phaseMs: 0 } as const;

/** One Redis and one machine, whose clocks step on their own. A task for each policy, due each second. */
function aWorld(
  roster = aRoster(
    ...NAMES.map((name) => aReady({ name, trigger: EACH_SECOND, catchUp: POLICIES[name] })),
  ),
) {
  const clock = simClock(T0);
  const stepped = { serverMs: 0, wallMs: 0 };
  const serverMs = () => Math.floor(clock.wallMs() + stepped.serverMs);
  const memory = memoryJournal({ serverMs });
  const machine = { ...clock, wallMs: () => clock.wallMs() + stepped.wallMs };
  let calls = 0;
  const journal: Journal = {
    ...memory,
    commit(steps, fence) {
      calls++;
      return memory.commit(steps, fence);
    },
  };
  const log = aLog();
  const fires = async (task: string) =>
    (await rowsOf(memory)).filter((row) => row.type === "fire.published" && row.task === task);

  return {
    clock,
    memory,
    store: memory.store,
    serverMs,
    fires,
    calls: () => calls,
    errors: () => log.lines.filter(({ level }) => level === "error"),
    terms: () => log.lines.filter(({ message }) => message === "leading").length,
    step(by: Partial<typeof stepped>): void {
      stepped.serverMs += by.serverMs ?? 0;
      stepped.wallMs += by.wallMs ?? 0;
    },
    cursors: async () =>
      Object.fromEntries(
        [...(await memory.load()).cursors].flatMap(([task, { dueMs }]) =>
          task.startsWith("@") ? [] : [[task, dueMs]]
        ),
      ),
    /** Every second from the start up to now is decided once, in order, and none was early. */
    async assertDecided(): Promise<void> {
      for (const task of NAMES) {
        let decidedMs = T0;
        for (const { type, id, task: of, dueMs, detail } of await rowsOf(memory)) {
          if (of !== task || (type !== "fire.published" && type !== "task.dropped")) continue;
          const fromMs = Number(detail.fromMs ?? dueMs);
          assert.equal(fromMs, decidedMs + SECOND, `${task}: a hole, or twice`);
          if (type === "task.dropped") {
            assert.equal(detail.count, (dueMs! - fromMs) / SECOND + 1);
          }
          assert.ok(parseInt(id) >= dueMs!, `${task}@${dueMs} was early`);
          decidedMs = dueMs!;
        }
        assert.equal(decidedMs, newest(serverMs()), task);
      }
    },
    parts: {
      journal,
      sensors: memorySensors(memory.store),
      namespace: "beat",
      build: "test",
      declared: { roster, rows: [] },
      lease: memoryLease(memory),
      clock: machine,
      server: serverClock(machine),
      owner: "a",
      ttlMs: 5_000,
      newEpoch: "epoch",
      isPatient: true,
      log,
    },
  };
}
