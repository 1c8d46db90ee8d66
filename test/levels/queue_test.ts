/** What readings of a queue come to. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";
import type { QueueReading } from "../../src/levels/queue.ts";
import {
  estimate,
  isStill,
  MEMORY_MS,
  remember,
  standOf,
  STILL_MS,
} from "../../src/levels/queue.ts";
import type { QueueMarks } from "../../src/level.ts";
import { T0 } from "../support/build.ts";

const MARKS: QueueMarks = {
  depth: { low: 10, high: 100, pause: 200 },
  waitMs: { low: 1_000, high: 10_000, pause: 60_000 },
  dwellMs: 30_000,
};

function aReading(own: Partial<QueueReading> = {}): QueueReading {
  return { atMs: T0, depth: 50, expired: 0, frontMs: T0 - 4_000, consumers: 1, ...own };
}

/** A queue that is served in order, read every 5 s: in at one rate, out at another. */
function readingsOf(
  { inPerS, outPerS, seconds }: { inPerS: number; outPerS: number; seconds: number },
): QueueReading[] {
  let readings: QueueReading[] = [];
  for (let second = 0; second <= seconds; second += 5) {
    const published = Math.floor(inPerS * second);
    const served = Math.min(published, Math.floor(outPerS * second));
    const depth = published - served;
    const frontMs = depth === 0 ? null : T0 + Math.floor(served / inPerS * 1_000);
    readings = remember(readings, aReading({ atMs: T0 + second * 1_000, depth, frontMs }));
  }
  return readings;
}

describe("estimate()", () => {
  it("knows that nothing waits in an empty queue", () => {
    const { ageMs, waitMs, isUnserved } = estimate([aReading({ depth: 0, frontMs: null })]);
    assert.deepEqual([ageMs, waitMs, isUnserved], [0, 0, false]);
  });

  it("counts messages past their expires apart", () => {
    const { depth, expired } = estimate([aReading({ depth: 50, expired: 20 })]);
    assert.deepEqual([depth, expired], [30, 20]);
  });

  it("takes a queue that was read once to drain as fast as it fills", () => {
    const { ageMs, waitMs, drainPerS } = estimate([aReading()]);
    assert.deepEqual([ageMs, waitMs, drainPerS], [4_000, 4_000, null]);
  });

  it("knows no wait where no message of its own stands in front", () => {
    const { ageMs, waitMs, drainPerS } = estimate([aReading({ frontMs: null })]);
    assert.deepEqual([ageMs, waitMs, drainPerS], [null, null, null]);
  });

  it("tells how long a new message waits in a queue that is served at half the rate", () => {
    // 10 in and 5 out each second for a minute: 300 wait, and a new one waits a minute.
    const { depth, waitMs, drainPerS } = estimate(
      readingsOf({ inPerS: 10, outPerS: 5, seconds: 60 }),
    );
    assert.equal(depth, 300);
    assert.ok(Math.abs(waitMs! - 60_000) < 3_000, `${waitMs}`);
    assert.ok(Math.abs(drainPerS! - 5) < 0.3, `${drainPerS}`);
  });

  it("is right about the wait and the rate, whatever the rates are", () => {
    fc.assert(fc.property(
      fc.integer({ min: 2, max: 50 }),
      fc.double({ min: 0.1, max: 0.9, noNaN: true }),
      (inPerS, share) => {
        const outPerS = inPerS * share;
        const { depth, waitMs, drainPerS } = estimate(readingsOf({ inPerS, outPerS, seconds: 60 }));
        // One message in and one out is the resolution of a look.
        const slackMs = 2_000 / outPerS + 0.1 * depth / outPerS * 1_000;
        assert.ok(Math.abs(waitMs! - depth / outPerS * 1_000) <= slackMs, `${waitMs}`);
        assert.ok(Math.abs(drainPerS! - outPerS) <= 0.2 * outPerS + 0.5, `${drainPerS}`);
      },
    ));
  });

  it("goes by the length of a queue that shrinks, where messages came in a burst", () => {
    // Ten seconds apart, and one is served in 30 s: the last one waits for another 30 s, not for an hour.
    const [burst, later] = [T0 - 600_000, T0 - 590_000];
    const { ageMs, waitMs } = estimate([
      aReading({ depth: 2, frontMs: burst }),
      aReading({ depth: 1, frontMs: later, atMs: T0 + 30_000 }),
    ]);
    assert.deepEqual([ageMs, waitMs], [620_000, 30_000]);
  });

  it("says that nobody serves a queue whose front stands still and that nobody consumes", () => {
    const still = (durationMs: number, consumers: number | null) =>
      estimate([
        aReading({ consumers }),
        aReading({ atMs: T0 + durationMs / 2, consumers }),
        aReading({ atMs: T0 + durationMs, consumers }),
      ]);
    assert.equal(still(STILL_MS, 0).isUnserved, true);
    assert.equal(still(STILL_MS, 0).waitMs, null);
    assert.equal(still(STILL_MS, 0).drainPerS, 0);
    assert.equal(still(STILL_MS - 1, 0).isUnserved, false);
    assert.equal(still(STILL_MS, 1).isUnserved, false);
    assert.equal(still(STILL_MS, null).isUnserved, false);
  });

  it("believes a front that moves more than workers that do not answer", () => {
    const moving = [0, 10, 20, 30].map((second) =>
      aReading({ atMs: T0 + second * 1_000, frontMs: T0 + second * 100, consumers: 0 })
    );
    assert.equal(estimate(moving).isUnserved, false);
  });

  it("takes a message that was given back for a front that has not moved", () => {
    const { waitMs, ageMs } = estimate([
      aReading(),
      aReading({ atMs: T0 + 5_000, frontMs: T0 - 60_000 }),
    ]);
    assert.deepEqual([waitMs, ageMs], [null, 65_000]);
  });
});

describe("isStill()", () => {
  it("says that nothing was taken, as far as a few readings tell", () => {
    const one = aReading({ consumers: null });
    const isStillAfter = (own: Partial<QueueReading>) =>
      isStill([one, aReading({ atMs: T0 + 5_000, consumers: 0, ...own })]);
    assert.equal(isStill([one]), true);
    assert.equal(isStillAfter({}), true);
    assert.equal(isStillAfter({ consumers: 1 }), false);
    assert.equal(isStillAfter({ frontMs: T0 }), false);
    assert.equal(isStill([{ ...one, frontMs: null }]), false, "not to be told");
    assert.equal(isStill([{ ...one, depth: 3, expired: 3 }]), false, "nothing waits");
  });
});

describe("remember()", () => {
  it("keeps a minute", () => {
    const all = Array.from({ length: 30 }, (_, at) => aReading({ atMs: T0 + at * 5_000 }));
    const kept = all.reduce<QueueReading[]>((past, each) => remember(past, each), []);
    assert.equal(kept[0]!.atMs, all.at(-1)!.atMs - MEMORY_MS);
  });

  it("keeps the one before, however long ago it was", () => {
    const all = [0, 1, 2].map((hour) => aReading({ atMs: T0 + hour * 3_600_000 }));
    const kept = all.reduce<QueueReading[]>((past, each) => remember(past, each), []);
    assert.deepEqual(kept, all.slice(1));
  });

  it("starts anew after the queue was empty, and after the clock was set back", () => {
    const empty = aReading({ depth: 0, frontMs: null, atMs: T0 + 5_000 });
    const next = aReading({ atMs: T0 + 10_000 });
    assert.deepEqual(remember([aReading(), empty], next), [next]);
    const back = aReading({ atMs: T0 - 3_600_000 });
    assert.deepEqual(remember([aReading()], back), [back]);
  });
});

describe("standOf()", () => {
  const standing = (own: Partial<QueueReading>) => standOf(estimate([aReading(own)]), MARKS).type;

  for (
    const [what, own, expected] of [
      ["few that are young", { depth: 10, frontMs: T0 - 1_000 }, "LOW"],
      ["one more than low", { depth: 11, frontMs: T0 }, "BETWEEN"],
      ["one less than high", { depth: 99, frontMs: T0 }, "BETWEEN"],
      ["high", { depth: 100, frontMs: T0 }, "HIGH"],
      ["pause", { depth: 200, frontMs: T0 }, "OVER"],
      ["few that are old", { depth: 3, frontMs: T0 - 10_000 }, "HIGH"],
      ["few that are very old", { depth: 3, frontMs: T0 - 60_000 }, "OVER"],
      ["many of strangers", { depth: 100, frontMs: null }, "HIGH"],
      ["many that are expired", { depth: 300, expired: 295, frontMs: T0 }, "LOW"],
    ] as const
  ) it(`of ${what} is ${expected}`, () => assert.equal(standing(own), expected));

  it("names the mark that decides", () => {
    const { reason } = standOf(estimate([aReading({ depth: 3, frontMs: T0 - 60_000 })]), MARKS);
    assert.equal(reason, "a new message waits 60 s (marks 1 s, 10 s, 60 s)");
  });

  it("is over where nobody takes anything, however little waits", () => {
    const still = [0, STILL_MS].map((ms) => aReading({ atMs: T0 + ms, depth: 1, consumers: 0 }));
    const { type, reason } = standOf(estimate(still), { ...MARKS, waitMs: null });
    assert.deepEqual([type, reason], ["OVER", "1 wait, and no worker takes any"]);
  });
});
