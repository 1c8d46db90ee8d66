/** The adapter moves dates and timers together, and gives the real ones back. */

import { describe, it } from "@std/testing/bdd";
import { FakeTime } from "@std/testing/time";
import assert from "node:assert/strict";

describe("FakeTime", () => {
  it("moves dates and timers together", () => {
    using time = new FakeTime("2027-01-01T00:00:00Z");
    const seen: number[] = [];
    const interval = setInterval(() => seen.push(Date.now() - time.start), 100);
    time.tick(250);
    assert.deepEqual(seen, [100, 200]);
    clearInterval(interval);
    time.now += 1_000;
    assert.deepEqual(seen, [100, 200]);
    assert.equal(new Date().toISOString(), "2027-01-01T00:00:01.250Z");
  });

  it("goes from timer to timer", async () => {
    using time = new FakeTime(0);
    const seen: string[] = [];
    setTimeout(() => {
      seen.push(`first at ${time.now}`);
      Promise.resolve().then(() => setTimeout(() => seen.push(`second at ${time.now}`), 50));
    }, 70);
    assert.equal(await time.nextAsync(), true);
    await time.runAllAsync();
    assert.deepEqual(seen, ["first at 70", "second at 120"]);
    assert.equal(time.next(), false);
  });

  it("lets waiting microtasks run before it moves", async () => {
    using time = new FakeTime(0);
    let isDone = false;
    Promise.resolve().then(() => setTimeout(() => isDone = true, 10));
    await time.tickAsync(10);
    assert.equal(isDone, true);
  });

  it("gives the real time back, and never goes backwards", () => {
    const realDate = Date;
    const time = new FakeTime(5_000);
    assert.throws(() => time.now = 4_999, /time cannot go backwards/);
    time.restore();
    assert.equal(Date, realDate);
    assert.throws(() => time.restore(), /time already restored/);
  });
});
