/** Catch-up against a table, and against a model that walks through every due time. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import { catchUp, type Gap, ON_TIME_MS } from "../../src/policies/catchup.ts";
import type { CatchUp } from "../../src/task.ts";
import type { Trigger } from "../../src/triggers/mod.ts";
import { anEvery, aTimetable, T0 } from "../support/build.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;

/** A task that is due each minute, and was last decided at `T0`. */
const CASES: readonly {
  readonly name: string;
  readonly policy: CatchUp["policy"];
  readonly windowMs?: number;
  readonly cap?: number;
  readonly limit?: number;
  readonly afterMs: number;
  readonly fires: readonly number[];
  readonly dropped: readonly [fromMs: number, toMs: number, count: number, reason: string] | null;
}[] = [
  { name: "nothing due", policy: "latest", afterMs: MINUTE - 1, fires: [], dropped: null },
  { name: "due just now", policy: "latest", afterMs: MINUTE, fires: [1], dropped: null },
  { name: "due just now", policy: "skip", afterMs: MINUTE, fires: [1], dropped: null },
  { name: "due just now", policy: "all", afterMs: MINUTE, fires: [1], dropped: null },
  {
    name: "as late as still counts as on time",
    policy: "skip",
    afterMs: MINUTE + ON_TIME_MS,
    fires: [1],
    dropped: null,
  },
  {
    name: "a little later than that",
    policy: "skip",
    afterMs: MINUTE + ON_TIME_MS + 1,
    fires: [],
    dropped: [1, 1, 1, "late"],
  },
  {
    name: "an outage that ends as one is due",
    policy: "skip",
    afterMs: 5 * MINUTE,
    fires: [5],
    dropped: [1, 4, 4, "late"],
  },
  {
    name: "an outage that ends between two",
    policy: "latest",
    afterMs: 5.5 * MINUTE,
    fires: [5],
    dropped: [1, 4, 4, "superseded"],
  },
  {
    name: "the last one at the edge of the window",
    policy: "latest",
    windowMs: 30_000,
    afterMs: 5.5 * MINUTE,
    fires: [5],
    dropped: [1, 4, 4, "superseded"],
  },
  {
    name: "the last one older than the window",
    policy: "latest",
    windowMs: 29_999,
    afterMs: 5.5 * MINUTE,
    fires: [],
    dropped: [1, 5, 5, "older than the catch-up window"],
  },
  {
    name: "all in the window",
    policy: "all",
    windowMs: 10 * MINUTE,
    afterMs: 3 * MINUTE,
    fires: [1, 2, 3],
    dropped: null,
  },
  {
    name: "some older than the window",
    policy: "all",
    windowMs: 2 * MINUTE,
    afterMs: 5 * MINUTE,
    fires: [3, 4, 5],
    dropped: [1, 2, 2, "older than the catch-up window"],
  },
  {
    name: "more than the cap",
    policy: "all",
    windowMs: DAY,
    cap: 2,
    afterMs: 5 * MINUTE,
    fires: [4, 5],
    dropped: [1, 3, 3, "more than 2 missed"],
  },
  {
    name: "just the cap",
    policy: "all",
    windowMs: DAY,
    cap: 5,
    afterMs: 5 * MINUTE,
    fires: [1, 2, 3, 4, 5],
    dropped: null,
  },
  {
    name: "more than one answer takes",
    policy: "all",
    windowMs: DAY,
    limit: 2,
    afterMs: 5 * MINUTE,
    fires: [1, 2],
    dropped: null,
  },
  {
    name: "none in the window of a slow task",
    policy: "all",
    windowMs: 10,
    afterMs: 2.5 * MINUTE,
    fires: [],
    dropped: [1, 2, 2, "older than the catch-up window"],
  },
];

describe("catchUp()", () => {
  for (const { name, policy, windowMs, cap, limit, afterMs, fires, dropped } of CASES) {
    it(`under ${policy}: ${name}`, () => {
      const options = { policy, windowMs: windowMs ?? DAY, cap: cap ?? 100 };
      const now = { cursorMs: T0, nowMs: T0 + afterMs, limit: limit ?? 199 };
      const gap = catchUp(anEvery(MINUTE), options, now);
      assert.deepEqual(gap.fires.map((dueMs) => (dueMs - T0) / MINUTE), fires);
      assert.deepEqual(
        gap.dropped && [
          (gap.dropped.fromMs - T0) / MINUTE,
          (gap.dropped.toMs - T0) / MINUTE,
          gap.dropped.count,
          gap.dropped.reason,
        ],
        dropped,
      );
    });
  }

  it("says the same as a model that walks through every due time", () => {
    fc.assert(
      fc.property(aGap(), ({ trigger, options, now, due }) => {
        const gap = catchUp(trigger, options, now);
        assert.deepEqual(summaryOf(gap), model(due, options, now));
      }),
      { numRuns: 1000 },
    );
  });

  it("decides each due time once, asked again until nothing is left", () => {
    fc.assert(fc.property(aGap(), ({ trigger, options, now, due }) => {
      const decided: number[] = [];
      let { cursorMs } = now;
      for (let asked = 0;; asked++) {
        assert.ok(asked <= due.length, "each answer must move the cursor");
        const { dropped, fires } = catchUp(trigger, options, { ...now, cursorMs });
        if (dropped === null && fires.length === 0) break;
        assert.ok(fires.length <= now.limit);
        if (dropped !== null) {
          const among = due.filter((each) => each >= dropped.fromMs && each <= dropped.toMs);
          assert.equal(among.length, dropped.count);
          decided.push(...among);
        }
        decided.push(...fires);
        cursorMs = decided.at(-1)!;
      }
      assert.deepEqual(decided, due);
    }));
  });

  it("costs next to the same after ten years of darkness as after a minute", () => {
    for (const policy of ["skip", "latest", "all"] as const) {
      const calls = [MINUTE, 10 * 365 * DAY].map((darkMs) => {
        const { trigger, count } = counted(anEvery(1000));
        const options = { policy, windowMs: 20 * 365 * DAY, cap: 20 };
        catchUp(trigger, options, { cursorMs: T0, nowMs: T0 + darkMs, limit: 199 });
        return count();
      });
      for (const asked of calls) {
        assert.ok(asked < 70, `${policy} asked the trigger ${asked} times`);
      }
      if (policy !== "all") assert.equal(calls[1], calls[0], policy);
    }
  });

  it("does not walk to the newest of a large cap", () => {
    const { trigger, count } = counted(anEvery(1000));
    const options = { policy: "all", windowMs: 20 * 365 * DAY, cap: 100_000 } as const;
    const nowMs = T0 + 10 * 365 * DAY;
    const { dropped, fires } = catchUp(trigger, options, { cursorMs: T0, nowMs, limit: 10 });
    assert.equal(fires[0], nowMs - 99_999_000);
    assert.equal(dropped?.count, 10 * 365 * 86_400 - 100_000);
    assert.ok(count() < 70, `asked the trigger ${count()} times`);
  });

  it("counts ten years of seconds without having seen them", () => {
    const nowMs = T0 + 10 * 365 * DAY;
    const options = { policy: "latest", windowMs: MINUTE, cap: 1 } as const;
    const { dropped, fires } = catchUp(anEvery(1000), options, { cursorMs: T0, nowMs, limit: 1 });
    assert.equal(dropped?.count, 10 * 365 * 86_400 - 1);
    assert.deepEqual(fires, [nowMs]);
  });

  it("has nothing to say of a trigger that is over, or where time went back", () => {
    const options = { policy: "all", windowMs: DAY, cap: 5 } as const;
    const nothing = { dropped: null, fires: [] };
    const over = { cursorMs: T0, nowMs: T0 + DAY, limit: 5 };
    assert.deepEqual(catchUp(aTimetable(T0), options, over), nothing);
    const back = { cursorMs: T0 + DAY, nowMs: T0, limit: 5 };
    assert.deepEqual(catchUp(anEvery(MINUTE), options, back), nothing);
  });
});

interface Asked {
  readonly cursorMs: number;
  readonly nowMs: number;
  readonly limit: number;
}

/** Due times in no rhythm, and a question about them. `due` are those in (cursor, now]. */
function aGap() {
  return fc.record({
    times: fc.uniqueArray(fc.integer({ min: 0, max: 5_000 }), { maxLength: 40 }),
    cursorMs: fc.integer({ min: 0, max: 3_000 }),
    spanMs: fc.integer({ min: 0, max: 4_000 }),
    policy: fc.constantFrom<CatchUp["policy"]>("skip", "latest", "all"),
    windowMs: fc.oneof(fc.integer({ min: 0, max: 4_000 }), fc.constant(1_000.5)),
    cap: fc.integer({ min: 1, max: 12 }),
    limit: fc.integer({ min: 1, max: 12 }),
  }).map(({ times, cursorMs, spanMs, policy, windowMs, cap, limit }) => {
    const nowMs = cursorMs + spanMs;
    return {
      trigger: aTimetable(...times),
      options: { policy, windowMs, cap },
      now: { cursorMs, nowMs, limit },
      due: times.filter((each) => each > cursorMs && each <= nowMs).sort((a, b) => a - b),
    };
  });
}

/** What is to happen to each due time, decided one by one. */
function model(due: readonly number[], options: CatchUp, { nowMs, limit }: Asked) {
  const { policy, windowMs, cap } = options;
  const reachMs = policy === "skip" ? ON_TIME_MS : windowMs;
  const inTime = due.filter((each) => nowMs - each <= reachMs);
  const wanted = policy === "all" ? inTime.slice(-cap) : inTime.slice(-1);
  const dropped = due.filter((each) => !wanted.includes(each));
  return {
    fires: wanted.slice(0, limit),
    dropped: dropped.length === 0
      ? null
      : { fromMs: dropped[0]!, toMs: dropped.at(-1)!, count: dropped.length },
  };
}

function summaryOf({ fires, dropped }: Gap) {
  if (dropped === null) return { fires, dropped };
  const { fromMs, toMs, count } = dropped;
  return { fires, dropped: { fromMs, toMs, count } };
}

function counted(inner: Trigger): { trigger: Trigger; count: () => number } {
  let calls = 0;
  const noted = <Args extends unknown[], Answer>(ask: (...args: Args) => Answer) => {
    return (...args: Args) => {
      calls++;
      return ask(...args);
    };
  };
  const trigger = {
    next: noted(inner.next),
    last: noted(inner.last),
    count: noted(inner.count),
  };
  return { trigger, count: () => calls };
}
