import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";

import { calendarChecks, calendarHints } from "../../src/commands/calendar_ends.ts";
import type { SessionSpec, Task } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import { aTask } from "../support/build.ts";
import { localMs, specOf } from "../support/calendars.ts";

const XSHG = specOf("XSHG");

function following(name: string, unknown: SessionSpec["unknown"]): Task {
  const session = { calendars: [XSHG], match: "any", leadMs: 0, lagMs: 0, unknown } as const;
  return aTask({ name, policies: { ...NO_POLICIES, session } });
}

const DUE = aTask({
  name: "due",
  trigger: { kind: "session", calendar: XSHG, anchor: "open", offsetMs: 0 },
});
const TASKS = [aTask(), following("fires", "fire"), following("skips", "skip"), DUE];
const at = (date: string) => localMs(XSHG.tz, `${date}T12:00`);

describe("calendarHints()", () => {
  it("say nothing until 90 days before the end, and nothing of calendars that nobody follows", () => {
    assert.deepEqual(calendarHints(TASKS, at("2026-10-01")), []);
    assert.equal(calendarHints(TASKS, at("2026-10-02")).length, 1);
    assert.deepEqual(calendarHints([aTask()], at("2030-01-01")), []);
  });

  for (
    const [date, wanted] of [
      ["2026-10-02", "calendar XSHG ends on 2026-12-31, in 90 days: "],
      ["2026-12-30", "calendar XSHG ends on 2026-12-31, in 1 day: "],
      ["2026-12-31", "calendar XSHG ends on 2026-12-31, today: "],
      ["2027-01-01", "calendar XSHG ended on 2026-12-31: "],
    ] as const
  ) {
    it(`say so on ${date}, with what becomes of each task`, () => {
      const [hint] = calendarHints(TASKS, at(date));
      assert.ok(
        hint!.startsWith(
          `${wanted}after that due is never due; after that fires fires at all hours ` +
            "(`unknown: fire`); after that skips does not fire (`unknown: skip`); take a newer Beat",
        ),
        hint,
      );
    });
  }

  it("are warnings of the doctor", () => {
    const [check] = calendarChecks(TASKS, at("2026-12-01"));
    assert.equal(check?.level, "warning");
    assert.equal(check.subject, "calendars about to end");
    assert.match(check.text, /^calendar XSHG ends on 2026-12-31, in 30 days: /);
    assert.match(check.advice!, /BEAT_CALENDARS/);
  });
});
