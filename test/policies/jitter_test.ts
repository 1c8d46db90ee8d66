/** Jitter: the same place each time, only later, before the next, and no crowd. */

import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import assert from "node:assert/strict";
import { gateOf } from "../../src/policies/mod.ts";
import { jitter } from "../../src/policies/jitter.ts";
import { policiesOf } from "../../src/policies/order.ts";
import { openingsOf } from "../../src/policies/window.ts";
import type { JitterSpec, TriggerSpec, WindowSpec } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import { triggerOf } from "../../src/triggers/mod.ts";
import { anEvery, aTimetable, T0 } from "../support/build.ts";
import { localMs, specOf } from "../support/calendars.ts";
import { aFire, calm, releaseMs } from "../support/fire.ts";
import { randomCron } from "../triggers/random_cron.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SPEC: JitterSpec = { kind: "per-fire", maxMs: MINUTE, seed: "beat", place: null };
const DAILY: TriggerSpec = { kind: "every", everyMs: 24 * HOUR, phaseMs: 0 };
const HOURLY: TriggerSpec = { kind: "every", everyMs: HOUR, phaseMs: 0 };

/** When a fire of an hourly task goes out, after it is due. */
function shiftOf(spec: Partial<JitterSpec>, name = "report", dueMs = T0): number {
  const fire = aFire({ name, trigger: HOURLY }, dueMs);
  return releaseMs(jitter({ ...SPEC, ...spec }), fire) - dueMs;
}

describe("jitter()", () => {
  it("holds a fire until its place, and says why", () => {
    const shiftMs = shiftOf({});
    const fire = aFire({ name: "report", trigger: HOURLY });
    assert.deepEqual(jitter(SPEC).judge(fire, T0, calm()), {
      kind: "delay",
      untilMs: T0 + shiftMs,
      reason: "spread over 60 s",
    });
    assert.ok(shiftMs > 0);
  });

  it("keeps the same place when asked again", () => {
    const fire = aFire({ name: "report", trigger: HOURLY });
    const policy = jitter(SPEC);
    const first = policy.judge(fire, T0, calm());
    assert.deepEqual(policy.judge(fire, T0 + 1, calm()), first);
    assert.deepEqual(jitter(SPEC).judge(fire, T0, calm()), first);
  });

  it("lets pass what is later than its place", () => {
    const fire = aFire({ name: "report", trigger: HOURLY });
    assert.equal(jitter(SPEC).judge(fire, T0 + shiftOf({}), calm()).kind, "pass");
    assert.equal(jitter(SPEC).judge(fire, T0 + MINUTE, calm()).kind, "pass");
  });

  const hours = Array.from({ length: 24 }, (_, hour) => T0 + hour * HOUR);
  it("fixed: one place for all fires of a task, others for other tasks", () => {
    const shifts = hours.map((dueMs) => shiftOf({ kind: "fixed" }, "report", dueMs));
    assert.equal(new Set(shifts).size, 1);
    const names = hours.map((_, index) => `report.${index}`);
    assert.ok(new Set(names.map((name) => shiftOf({ kind: "fixed" }, name))).size > 20);
  });

  it("per fire: another place each time", () => {
    assert.ok(new Set(hours.map((dueMs) => shiftOf({}, "report", dueMs))).size > 20);
  });

  it("follows its seed", () => {
    assert.notEqual(shiftOf({ seed: "beat" }), shiftOf({ seed: "other" }));
  });

  it("even: each member at its place, from the first moment on", () => {
    const shifts = [0, 1, 2, 3].map((index) =>
      shiftOf({ kind: "even", place: { group: "g", index, count: 4 } })
    );
    assert.deepEqual(shifts, [0, 15_000, 30_000, 45_000]);
  });

  it("ends before the next due time, however near that is", () => {
    const trigger = aTimetable(T0, T0 + 1, T0 + 500, T0 + 30 * MINUTE);
    const shifts = Array.from({ length: 200 }, (_, index) => {
      const fire = aFire({ name: `report.${index}` }, T0 + 1, trigger);
      return releaseMs(jitter(SPEC), fire) - T0 - 1;
    });
    assert.ok(Math.max(...shifts) < 499 && Math.max(...shifts) > 400, String(Math.max(...shifts)));
    assert.equal(
      releaseMs(jitter(SPEC), aFire({}, T0, trigger)),
      T0,
      "the next is due at once",
    );
    const last = aFire({ name: "report.1" }, T0 + 30 * MINUTE, trigger);
    assert.ok(releaseMs(jitter(SPEC), last) > last.dueMs, "no next one, no bound");
  });
});

const NIGHT: WindowSpec = { name: null, from: "22:00", to: "06:00", tz: "UTC", days: null };

describe("jitter() beside a window", () => {
  const NOON = T0 + 12 * HOUR;
  const OPENS = T0 + 22 * HOUR;

  it("spreads what waited for it from its start on", () => {
    const releases = Array.from({ length: 100 }, (_, index) => {
      const specs = { ...NO_POLICIES, window: NIGHT, jitter: SPEC };
      const fire = aFire({ name: `report.${index}`, trigger: DAILY, policies: specs }, NOON);
      return lastRelease(fire);
    });
    assert.ok(Math.min(...releases) >= OPENS && Math.max(...releases) < OPENS + MINUTE);
    assert.ok(new Set(releases).size > 90);
  });

  it("spreads what was due inside it, and is caught up later, from its next start on", () => {
    const policies = { ...NO_POLICIES, window: NIGHT, jitter: SPEC };
    const releases = Array.from({ length: 100 }, (_, index) => {
      const fire = aFire(
        { name: `report.${index}`, trigger: DAILY, policies },
        T0 + 5 * HOUR,
      );
      return lastRelease(fire, T0 + 7 * HOUR);
    });
    assert.ok(Math.min(...releases) >= OPENS && Math.max(...releases) < OPENS + MINUTE);
    assert.ok(new Set(releases).size > 90);
  });

  it("never shifts what is due inside it beyond its end", () => {
    const dueMs = T0 + 6 * HOUR - 1000;
    const openings = openingsOf(NIGHT);
    for (let index = 0; index < 100; index++) {
      const fire = aFire({ name: `report.${index}`, trigger: HOURLY }, dueMs);
      const atMs = releaseMs(jitter(SPEC, { openings, changeMs: null }), fire);
      assert.ok(atMs >= dueMs && atMs < T0 + 6 * HOUR, String(atMs));
    }
  });
});

describe("jitter() beside a session", () => {
  it("never shifts what is due in it beyond its end", () => {
    const closeMs = localMs("America/New_York", "2026-01-05T16:00");
    const session = { calendars: [specOf("XNYS")], match: "any", leadMs: 0, lagMs: 0 } as const;
    const specs = {
      ...NO_POLICIES,
      session: { ...session, unknown: "fire" as const },
      jitter: SPEC,
    };
    for (let index = 0; index < 100; index++) {
      const fire = aFire(
        { name: `report.${index}`, policies: specs },
        closeMs - 1000,
        anEvery(HOUR),
      );
      const atMs = lastRelease(fire);
      assert.ok(atMs >= fire.dueMs && atMs < closeMs, String(atMs));
    }
  });
});

/** When the whole gate lets a fire go. @param sinceMs when it is asked first; absent: when it is due */
function lastRelease(fire: ReturnType<typeof aFire>, sinceMs = fire.dueMs): number {
  const gate = gateOf(policiesOf(fire.task))!;
  return releaseMs({ name: "gate", judge: gate }, fire, calm(), sinceMs);
}

const aJitter = fc.record({
  kind: fc.constantFrom("fixed" as const, "per-fire" as const, "even" as const),
  maxMs: fc.integer({ min: 1, max: 48 * HOUR }),
  seed: fc.string(),
  place: fc.tuple(fc.nat(99), fc.integer({ min: 1, max: 100 }))
    .map(([index, more]) => ({ group: "g", index, count: index + more })),
});
const every = fc.double({ min: 10, max: 1e8, noNaN: true })
  .map((everyMs): TriggerSpec => ({ kind: "every", everyMs, phaseMs: 0 }));
const cron = randomCron.map(({ text }): TriggerSpec => (
  { kind: "cron", expression: text, tz: "America/New_York" }
));

describe("jitter() on random schedules", () => {
  it("is never earlier, never as late as the next, and always the same", () => {
    fc.assert(
      fc.property(
        fc.record({ jitter: aJitter, trigger: fc.oneof(every, cron), days: fc.nat(365) }),
        ({ jitter: spec, trigger: triggerSpec, days }) => {
          const dueMs = nextOrNull(triggerSpec, T0 + days * 24 * HOUR);
          if (dueMs === null) return;
          const trigger = triggerOf(triggerSpec);
          const atMs = releaseMs(jitter(spec), aFire({}, dueMs, trigger));
          assert.ok(atMs >= dueMs);
          assert.ok(atMs < dueMs + spec.maxMs);
          assert.ok(atMs < (trigger.next(dueMs) ?? Infinity));
          assert.equal(releaseMs(jitter(spec), aFire({}, dueMs, trigger)), atMs);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("jitter() and window() on random schedules", () => {
  const time = fc.tuple(fc.nat(23), fc.nat(59))
    .map((parts) => parts.map((part) => String(part).padStart(2, "0")).join(":"));
  const aWindow = fc.record({
    from: time,
    to: time,
    tz: fc.constantFrom("America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"),
    days: fc.option(fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 })),
  }).filter(({ from, to }) => from !== to).map((own) => ({ name: null, ...own }));

  it("go out in the window, and before the task is due again in it", () => {
    fc.assert(
      fc.property(aWindow, fc.oneof(every, cron), aJitter, fc.nat(365), (spec, on, jitter, day) => {
        const dueMs = nextOrNull(on, T0 + day * 24 * HOUR);
        if (dueMs === null) return;
        const trigger = triggerOf(on);
        const policies = { ...NO_POLICIES, window: spec, jitter };
        const all = { policy: "all", windowMs: 1, cap: 1 } as const;
        const atMs = lastRelease(aFire({ policies, catchUp: all }, dueMs, trigger));
        const { fromMs, endMs } = openingsOf(spec).at(dueMs);
        assert.ok(atMs >= Math.max(dueMs, fromMs) && atMs < endMs, `${fromMs} ${atMs} ${endMs}`);
        assert.ok(atMs < (trigger.next(Math.max(dueMs, fromMs)) ?? Infinity));
      }),
      { numRuns: 500 },
    );
  });
});

/** The first due time after an instant; `null` for a date that never comes. */
function nextOrNull(spec: TriggerSpec, afterMs: number): number | null {
  try {
    return triggerOf(spec).next(afterMs);
  } catch {
    return null;
  }
}

describe("a thousand tasks due at once, spread over a minute", () => {
  const names = Array.from({ length: 1000 }, (_, index) => `report.${index}`);

  /** The most that go out in one second of the minute. */
  function peakOf(specOf: (index: number) => JitterSpec): number {
    const perSecond = new Array<number>(60).fill(0);
    names.forEach((name, index) => {
      const specs = { ...NO_POLICIES, jitter: specOf(index) };
      const atMs = lastRelease(aFire({ name, trigger: HOURLY, policies: specs }));
      perSecond[Math.floor((atMs - T0) / 1000)]! += 1;
    });
    assert.equal(perSecond.reduce((sum, each) => sum + each), 1000);
    return Math.max(...perSecond);
  }

  for (const kind of ["fixed", "per-fire"] as const) {
    it(`are at most 35 in a second (${kind}), whatever the seed`, () => {
      const peaks = ["beat", "staging", "a", "b", "c", "7"].map((seed) =>
        peakOf(() => ({ ...SPEC, kind, seed }))
      );
      console.log(`most in a second, ${kind}, by seed: ${peaks.join(", ")}`);
      assert.ok(Math.max(...peaks) <= 35, peaks.join());
    });
  }

  it("are at most 18 in a second where they are staggered", () => {
    const sorted = [...names].sort();
    const peak = peakOf((index) => ({
      ...SPEC,
      kind: "even",
      place: { group: "reports", index: sorted.indexOf(names[index]!), count: 1000 },
    }));
    console.log(`most in a second, even: ${peak}`);
    assert.ok(peak <= 18, String(peak));
  });
});
