/** The session policy as a table of cases, and over a year. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";

import type { Facts, Verdict } from "../../src/policies/mod.ts";
import { PASS } from "../../src/policies/mod.ts";
import { session } from "../../src/policies/session.ts";
import type { SessionSpec } from "../../src/task.ts";
import { triggerOf } from "../../src/triggers/mod.ts";
import { aTask } from "../support/build.ts";
import { localMs, ruledSessions, specOf } from "../support/calendars.ts";

const FACTS = {} as Facts;

function aSpec(names: readonly string[], own: Partial<SessionSpec> = {}): SessionSpec {
  const calendars = names.map(specOf);
  return { calendars, match: "any", leadMs: 0, lagMs: 0, unknown: "fire", ...own };
}

/** What it says of a fire that goes out `lateMs` after it was due. */
function judged(spec: SessionSpec, dueMs: number, lateMs = 5): Verdict {
  const task = aTask();
  return session(spec).judge(
    { task, trigger: triggerOf(task.trigger), dueMs },
    dueMs + lateMs,
    FACTS,
  );
}

const skip = (reason: string): Verdict => ({ kind: "skip", reason });
const note = (text: string): Verdict => ({ kind: "pass", note: text });
const HOUR_MS = 3_600_000;

/** What is asked, of a fire due when (UTC), so late, and what is said. */
const CASES: readonly {
  readonly name: string;
  readonly spec: SessionSpec;
  readonly due: string;
  readonly lateMs?: number;
  readonly verdict: Verdict;
}[] = [
  {
    name: "in a session",
    spec: aSpec(["XNYS"]),
    due: "2026-01-05T14:30:00Z",
    verdict: PASS,
  },
  {
    name: "at its close",
    spec: aSpec(["XNYS"]),
    due: "2026-01-05T21:00:00Z",
    verdict: skip("XNYS is closed until 2026-01-06T14:30:00Z"),
  },
  {
    name: "on a Friday evening",
    spec: aSpec(["XNYS"]),
    due: "2026-01-02T23:00:00Z",
    verdict: skip("XNYS is closed until 2026-01-05T14:30:00Z"),
  },
  {
    name: "at lunch",
    spec: aSpec(["XHKG"]),
    due: "2026-01-05T04:00:00Z",
    verdict: skip("XHKG is closed until 2026-01-05T05:00:00Z"),
  },
  {
    name: "within the lead",
    spec: aSpec(["XNYS"], { leadMs: 300_000 }),
    due: "2026-01-05T14:25:00Z",
    verdict: PASS,
  },
  {
    name: "before the lead",
    spec: aSpec(["XNYS"], { leadMs: 300_000 }),
    due: "2026-01-05T14:24:59Z",
    verdict: skip("XNYS is closed until 2026-01-05T14:25:00Z"),
  },
  {
    name: "within the lag",
    spec: aSpec(["XNYS"], { lagMs: 300_000 }),
    due: "2026-01-05T21:04:59Z",
    verdict: PASS,
  },
  {
    name: "in the last second, and published a moment after the close",
    spec: aSpec(["XNYS"]),
    due: "2026-01-05T20:59:59Z",
    lateMs: 1_000,
    verdict: PASS,
  },
  {
    name: "in a session, and caught up after it",
    spec: aSpec(["XNYS"]),
    due: "2026-01-05T20:59:59Z",
    lateMs: 1_001,
    verdict: skip("late: XNYS is closed until 2026-01-06T14:30:00Z"),
  },
  {
    name: "in a session, and caught up in the next one",
    spec: aSpec(["XNYS"]),
    due: "2026-01-05T20:59:59Z",
    lateMs: 18 * HOUR_MS,
    verdict: PASS,
  },
  {
    name: "outside, and caught up in a session",
    spec: aSpec(["XNYS"]),
    due: "2026-01-05T14:29:00Z",
    lateMs: 120_000,
    verdict: skip("XNYS is closed until 2026-01-05T14:30:00Z"),
  },
  {
    name: "in one of two",
    spec: aSpec(["XNYS", "XHKG"]),
    due: "2026-01-05T15:00:00Z",
    verdict: PASS,
  },
  {
    name: "in none of two",
    spec: aSpec(["XNYS", "XHKG"]),
    due: "2026-01-05T12:00:00Z",
    verdict: skip(
      "XNYS is closed until 2026-01-05T14:30:00Z, XHKG is closed until 2026-01-06T01:30:00Z",
    ),
  },
  {
    name: "in one of two where all are wanted",
    spec: aSpec(["XNYS", "XLON"], { match: "all" }),
    due: "2026-01-05T17:00:00Z",
    verdict: skip("XLON is closed until 2026-01-06T08:00:00Z"),
  },
  {
    name: "in all of two",
    spec: aSpec(["XNYS", "XLON"], { match: "all" }),
    due: "2026-01-05T16:00:00Z",
    verdict: PASS,
  },
  {
    name: "on a Sunday around the clock",
    spec: aSpec(["24/7"]),
    due: "2026-01-04T03:00:00Z",
    verdict: PASS,
  },
  {
    name: "after the data end",
    spec: aSpec(["XSHG"]),
    due: "2027-01-04T03:00:00Z",
    verdict: note("XSHG is unknown after 2026-12-31"),
  },
  {
    name: "after the data end, and to be skipped then",
    spec: aSpec(["XSHG"], { unknown: "skip" }),
    due: "2027-01-04T03:00:00Z",
    verdict: skip("XSHG is unknown after 2026-12-31"),
  },
  {
    name: "before the data begin",
    spec: aSpec(["XNYS"]),
    due: "2019-12-31T15:00:00Z",
    verdict: note("XNYS is unknown before 2020-01-01"),
  },
  {
    name: "after the last session",
    spec: aSpec(["XSHG"]),
    due: "2026-12-31T07:00:00Z",
    verdict: skip("XSHG is closed, and its calendar ends 2026-12-31"),
  },
  {
    name: "where one is unknown and the other closed, and any will do",
    spec: aSpec(["XSHG", "XNYS"]),
    due: "2027-01-04T03:00:00Z",
    verdict: note("XSHG is unknown after 2026-12-31"),
  },
  {
    name: "where one is unknown and the other closed, and all are wanted",
    spec: aSpec(["XSHG", "XNYS"], { match: "all" }),
    due: "2027-01-04T03:00:00Z",
    verdict: skip("XNYS is closed until 2027-01-04T14:30:00Z"),
  },
  {
    name: "where one is unknown and the other open, and any will do",
    spec: aSpec(["XSHG", "XNYS"]),
    due: "2027-01-04T15:00:00Z",
    verdict: PASS,
  },
];

describe("session()", () => {
  for (const { name, spec, due, lateMs, verdict } of CASES) {
    it(`${verdict.kind === "skip" ? "skips" : "passes"} a fire due ${name}`, () => {
      assert.deepEqual(judged(spec, Date.parse(due), lateMs), verdict);
    });
  }

  it("says the same whatever it was asked before", () => {
    const spec = aSpec(["XHKG", "XNYS"], { match: "any", leadMs: 600_000 });
    const asked = session(spec);
    const task = aTask();
    const trigger = triggerOf(task.trigger);
    for (let step = 0; step < 2_000; step++) {
      // A step that comes to every minute of a fortnight, out of order.
      const dueMs = Date.UTC(2026, 2, 2) + (step * 7_919 % 20_160) * 60_000;
      const lateMs = step % 3 === 0 ? HOUR_MS : 0;
      assert.deepEqual(
        asked.judge({ task, trigger, dueMs }, dueMs + lateMs, FACTS),
        judged(spec, dueMs, lateMs),
      );
    }
  });
});

describe("paper trading and market data on XNYS over 2026", () => {
  const spec = specOf("XNYS");
  const sessions = ruledSessions(spec, "2026-01-01", "2026-12-31");
  const [fromMs, untilMs] = [
    localMs(spec.tz, "2026-01-01T00:00"),
    localMs(spec.tz, "2027-01-01T00:00"),
  ];

  for (
    const [task, everyMs] of [
      ["paper_trading.scheduler_tick", 1_000],
      ["market_data.refresh_active_subscriptions", 15_000],
    ] as const
  ) {
    it(`publish ${task} in every session and never outside one`, () => {
      const trigger = triggerOf({ kind: "every", everyMs, phaseMs: 0 });
      const { judge } = session(aSpec(["XNYS"]));
      const fire = { task: aTask({ name: task }), trigger, dueMs: 0 };
      let [due, published, outside, at] = [0, 0, 0, 0];
      for (let dueMs = trigger.next(fromMs - 1)!; dueMs < untilMs; dueMs = trigger.next(dueMs)!) {
        due++;
        fire.dueMs = dueMs;
        if (judge(fire, dueMs + 3, FACTS).kind !== "pass") continue;
        published++;
        while (dueMs >= (sessions[at]?.closeMs ?? Infinity)) at++;
        if (dueMs < (sessions[at]?.openMs ?? Infinity)) outside++;
      }
      const inSessions = sessions.reduce(
        (sum, { openMs, closeMs }) => sum + trigger.count(openMs - 1, closeMs - 1),
        0,
      );
      assert.equal(outside, 0);
      assert.equal(published, inSessions);
      const saved = (100 * (due - published) / due).toFixed(1);
      console.log(`${task} over 2026: ${due} due, ${published} published, ${saved} % saved`);
      assert.ok(published > 0 && published < due / 4);
    });
  }
});
