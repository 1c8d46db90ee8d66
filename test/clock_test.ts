/** The machine's clock, the estimate of the server's, and the clock that a test moves. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { FakeTime } from "@std/testing/time";
import fc from "fast-check";
import { serverClock, SLEEP_MAX_MS, systemClock } from "../src/clock.ts";
import { simClock } from "./support/sim_clock.ts";
import { T0 } from "./support/build.ts";

const never = new AbortController().signal;

describe("systemClock", () => {
  it("wakes after the time asked for, and not before", async () => {
    using time = new FakeTime(T0);
    const woken = noted(systemClock.sleep(300, never));
    await time.tickAsync(299);
    assert.equal(await woken.isDone(), false);
    await time.tickAsync(1);
    assert.equal(await woken.isDone(), true);
  });

  it("looks at the clock at least once a second, however long the sleep", async () => {
    for (const durationMs of [SLEEP_MAX_MS + 1, 2 ** 31, Infinity]) {
      using time = new FakeTime(T0);
      const woken = noted(systemClock.sleep(durationMs, never));
      await time.tickAsync(SLEEP_MAX_MS - 1);
      assert.equal(await woken.isDone(), false, String(durationMs));
      await time.tickAsync(1);
      assert.equal(await woken.isDone(), true, String(durationMs));
    }
  });

  it("does not sleep for a time that is over", async () => {
    using time = new FakeTime(T0);
    const woken = noted(systemClock.sleep(-5, never));
    await time.tickAsync(0);
    assert.equal(await woken.isDone(), true);
  });

  it("wakes at once when it is aborted, and leaves no timer behind", async () => {
    using time = new FakeTime(T0);
    const stop = new AbortController();
    const woken = noted(systemClock.sleep(500, stop.signal));
    stop.abort();
    assert.equal(await woken.isDone(), true);
    assert.equal(time.next(), false, "a timer is left");
    await systemClock.sleep(500, stop.signal);
  });

  it("tells Unix time", () => {
    using _time = new FakeTime(T0);
    assert.equal(systemClock.wallMs(), T0);
  });
});

describe("simClock()", () => {
  it("wakes sleepers in the order of their times, each at its time", async () => {
    const clock = simClock(T0);
    const woken: [string, number][] = [];
    const sleeper = async (name: string, durationMs: number) => {
      await clock.sleep(durationMs, never);
      woken.push([name, clock.monotonicMs()]);
    };
    const all = [sleeper("late", 30), sleeper("early", 10), sleeper("also early", 10)];
    await clock.advance(30);
    await Promise.all(all);
    assert.deepEqual(woken, [["early", 10], ["also early", 10], ["late", 30]]);
  });

  it("loses no time of one who sleeps again and again, however much is done in between", async () => {
    const clock = simClock(T0);
    const woken: number[] = [];
    const loop = (async () => {
      for (let round = 0; round < 5; round++) {
        await clock.sleep(100, never);
        for (let turn = 0; turn < 50; turn++) await Promise.resolve();
        woken.push(clock.monotonicMs());
      }
    })();
    await clock.advance(500);
    await loop;
    assert.deepEqual(woken, [100, 200, 300, 400, 500]);
  });

  it("lets what is under way begin to sleep before it moves", async () => {
    const clock = simClock(T0);
    let wokenMs = 0;
    const late = (async () => {
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
      await clock.sleep(10, never);
      wokenMs = clock.monotonicMs();
    })();
    await clock.advance(10);
    await late;
    assert.equal(wokenMs, 10);
  });

  it("wakes who is aborted, and does not stop for them later", async () => {
    const clock = simClock(T0);
    const stop = new AbortController();
    const woken = noted(clock.sleep(100, stop.signal));
    stop.abort();
    assert.equal(await woken.isDone(), true);
    await clock.advance(50);
    assert.equal(clock.wallMs(), T0 + 50);
  });
});

describe("serverClock()", () => {
  it("is the machine's clock until it has heard the server", () => {
    const { clock, machine } = bench();
    machine.nowMs = 1_234.5;
    const server = serverClock(clock);
    assert.equal(server.nowMs(), T0 + 1_234);
    assert.equal(server.differenceMs(), null);
  });

  it("follows the server, and says how far the machine's clock is off", () => {
    const { clock } = bench();
    const server = serverClock(clock);
    server.observe(clock.monotonicMs(), T0 + 5_000);
    assert.equal(server.nowMs(), T0 + 5_000);
    assert.equal(server.differenceMs(), -5_000.5);
  });

  it("does not care when the machine's clock steps", () => {
    const { clock, machine } = bench();
    const server = serverClock(clock);
    server.observe(clock.monotonicMs(), T0);
    machine.stepMs = 3_600_000;
    machine.nowMs += 10;
    assert.equal(server.nowMs(), T0 + 10);
    assert.equal(Math.round(server.differenceMs()!), 3_600_000);
  });

  it("believes the shortest way", () => {
    const { clock, machine } = bench();
    const server = serverClock(clock);
    hear(server, machine, { thereMs: 1, backMs: 1 });
    hear(server, machine, { thereMs: 0, backMs: 80 });
    assert.ok(Math.abs(server.nowMs() - (T0 + machine.nowMs)) <= 2);
  });

  it("follows the server at once where it steps, either way", () => {
    for (const stepMs of [3_600_000, -3_600_000, 500, -500]) {
      const { clock, machine } = bench();
      const server = serverClock(clock);
      hear(server, machine, { thereMs: 1, backMs: 1 });
      hear(server, machine, { thereMs: 10, backMs: 10, stepMs });
      assert.ok(Math.abs(server.nowMs() - (T0 + machine.nowMs + stepMs)) <= 12, String(stepMs));
    }
  });

  it("stays within half of the longest way there and back of the truth, under delays and drift", () => {
    const delayMs = fc.double({ min: 0, max: 20, noNaN: true });
    const reading = fc.record({ thereMs: delayMs, backMs: delayMs });
    const day = fc.record({
      readings: fc.array(reading, { minLength: 1, maxLength: 200 }),
      drift: fc.double({ min: -200e-6, max: 200e-6, noNaN: true }),
      pauseMs: fc.integer({ min: 1, max: 2_000 }),
    });
    fc.assert(fc.property(day, ({ readings, drift, pauseMs }) => {
      const { clock, machine } = bench();
      const server = serverClock(clock);
      let worstMs = 0;
      for (const { thereMs, backMs } of readings) {
        hear(server, machine, { thereMs, backMs, drift });
        const truthMs = T0 + machine.nowMs * (1 + drift);
        worstMs = Math.max(worstMs, Math.abs(server.nowMs() - truthMs));
        machine.nowMs += pauseMs;
      }
      assert.ok(worstMs <= 21, `off by ${worstMs} ms`); // Half of there and back, and the cut.
    }));
  });
});

/** A machine whose clocks a test sets: `nowMs` since T0, and a step of the wall clock alone. */
function bench() {
  const machine = { nowMs: 0, stepMs: 0 };
  const clock = {
    wallMs: () => T0 + machine.nowMs + machine.stepMs,
    monotonicMs: () => machine.nowMs,
    sleep: () => Promise.resolve(),
  };
  return { clock, machine };
}

/** Asks a server once that started together with the machine. */
function hear(
  server: ReturnType<typeof serverClock>,
  machine: { nowMs: number },
  way: { thereMs: number; backMs: number; stepMs?: number; drift?: number },
): void {
  const sentMs = machine.nowMs;
  machine.nowMs += way.thereMs;
  const serverMs = T0 + machine.nowMs * (1 + (way.drift ?? 0)) + (way.stepMs ?? 0);
  machine.nowMs += way.backMs;
  server.observe(sentMs, Math.floor(serverMs));
}

function noted(promise: Promise<void>): { isDone(): Promise<boolean> } {
  let done = false;
  promise.then(() => done = true);
  return {
    async isDone() {
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
      return done;
    },
  };
}
