/** A backlog: how much a pass takes on, who waits for whom, and what is decided. No time is measured. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { PASS_STEPS_MAX, SHARE_MAX } from "../../src/core/tick.ts";
import type { ReadyTask } from "../../src/core/roster.ts";
import type { Tick } from "../../src/core/tick.ts";
import { BATCH_MAX } from "../../src/ports.ts";
import type { CatchUp, Task } from "../../src/task.ts";
import { aReady, aRoster, rowsOf, T0 } from "../support/build.ts";
import { aDesk, type Desk } from "../support/desk.ts";

const HOUR = 3_600_000;
const LATEST: CatchUp = { policy: "latest", windowMs: 60_000, cap: 100 };
const ALL: CatchUp = { policy: "all", windowMs: 24 * HOUR, cap: 100_000 };

/** What a batch takes, on the server's clock. Milliseconds. */
const BATCH_MS = 10;

describe("a backlog", () => {
  it("of 10,000 tasks dark for an hour is decided in five passes", async () => {
    const { desk, now } = await opened(many(10_000, { every: 10_000, catchUp: LATEST }));
    await desk.clock.advance(HOUR);
    const steps: number[] = [];
    for (let pass = 0; pass < 5; pass++) steps.push((await desk.tick(now)).committed);
    assert.equal(steps.reduce((sum, each) => sum + each), 20_000);
    assert.ok(steps.every((each) => each < PASS_STEPS_MAX + BATCH_MAX));
    assert.ok(now.agenda.nextMs()! > T0 + HOUR);
    const rows = (await rowsOf(desk.journal)).filter(({ type }) => type !== "task.known");
    const fires = rows.filter(({ type }) => type === "fire.published");
    assert.equal(new Set(fires.map(({ task }) => task)).size, 10_000);
    assert.ok(fires.every(({ dueMs }) => dueMs === T0 + HOUR));
    const dropped = rows.filter(({ type }) => type === "task.dropped");
    assert.equal(dropped.length, 10_000);
    assert.ok(dropped.every(({ detail }) => detail.count === 359));
  });

  it("under `all` does not delay those on time by more than a second", async () => {
    const { desk, now } = await opened([
      ...many(500, { every: 1_000, catchUp: ALL }),
      ...prompt(1_000),
    ]);
    await desk.clock.advance(HOUR);
    makeBatchesLast(desk);
    // The prompt ones were dark as well: what they are late by at first is no delay of a backlog.
    await desk.tick(now);
    const fromMs = desk.server.nowMs();
    while (desk.server.nowMs() < fromMs + 2_500) await desk.tick(now);
    const rows = await firesSince(desk, fromMs);
    const late = rows.filter(({ task }) => task.startsWith("prompt"))
      .map(({ id, dueMs }) => parseInt(id) - dueMs!);
    assert.ok(late.length >= 2 * 5);
    assert.ok(Math.max(...late) <= 1_000, `late by up to ${Math.max(...late)} ms`);
    assert.ok(rows.length > 2_500 / BATCH_MS * 100, "the backlog goes on meanwhile");
  });

  it("under `all` does not hold up tasks that have little to send", async () => {
    const { desk, now } = await opened([
      ...many(2_000, { every: 1_000, catchUp: ALL }),
      aReady({
        name: "zz",
        catchUp: LATEST,
        trigger: { kind: "every", everyMs: 60_000, phaseMs: 0 },
      }),
    ]);
    await desk.clock.advance(HOUR);
    for (let pass = 0; pass < 6; pass++) await desk.tick(now);
    const [fire] = (await rowsOf(desk.journal)).filter(({ type, task }) =>
      type === "fire.published" && task === "zz"
    );
    assert.equal(fire?.dueMs, T0 + HOUR);
  });

  it("goes on where those on time could fill every pass", async () => {
    const { desk, now } = await opened([
      ...many(1, { every: 1_000, catchUp: ALL }),
      ...Array.from({ length: PASS_STEPS_MAX }, (_, index) =>
        aReady({
          name: `busy${index}`,
          queue: `busy${index}`,
          catchUp: LATEST,
          trigger: { kind: "every", everyMs: 2 * HOUR, phaseMs: 0 },
        })),
    ]);
    await desk.clock.advance(2 * HOUR);
    await desk.tick(now);
    const fires = (await rowsOf(desk.journal)).filter(({ type }) => type === "fire.published");
    assert.equal(fires.filter(({ task }) => task === "b0").length, SHARE_MAX);
  });

  it("is not taken on by more than a pass at once, however large the windows", async () => {
    const { desk, now } = await opened(many(300, { every: 1_000, catchUp: ALL }));
    await desk.clock.advance(HOUR);
    const turns = new Map<string, number>();
    for (let pass = 0; pass < 3; pass++) {
      const tally = await desk.tick(now);
      assert.ok(tally.committed < PASS_STEPS_MAX + BATCH_MAX, `${tally.committed} steps`);
    }
    for (const { task, type } of await rowsOf(desk.journal)) {
      if (type === "fire.published") turns.set(task, (turns.get(task) ?? 0) + 1);
    }
    const [least, most] = [Math.min(...turns.values()), Math.max(...turns.values())];
    assert.equal(turns.size, 300);
    assert.ok(most - least <= most / 3 + 1, `shares from ${least} to ${most}`);
  });
});

async function opened(ready: readonly ReadyTask[]): Promise<{ desk: Desk; now: Tick }> {
  const desk = aDesk();
  return { desk, now: await desk.open(aRoster(...ready)) };
}

function many(count: number, { every, catchUp }: { every: number; catchUp: Task["catchUp"] }) {
  const trigger = { kind: "every", everyMs: every, phaseMs: 0 } as const;
  return Array.from(
    { length: count },
    (_, at) => aReady({ name: `b${at}`, queue: `q${at}`, catchUp, trigger }),
  );
}

/** Five tasks that want to go out each `everyMs`. */
function prompt(everyMs: number) {
  const trigger = { kind: "every", everyMs, phaseMs: 0 } as const;
  return Array.from(
    { length: 5 },
    (_, at) => aReady({ name: `prompt${at}`, catchUp: LATEST, trigger }),
  );
}

function makeBatchesLast(desk: Desk): void {
  const { commit } = desk.journal;
  desk.journal.commit = (steps, fence) => {
    desk.stepServer(BATCH_MS);
    return commit(steps, fence);
  };
}

async function firesSince(desk: Desk, fromMs: number) {
  return (await rowsOf(desk.journal)).filter(({ id, type }) =>
    type === "fire.published" && parseInt(id) > fromMs
  );
}
