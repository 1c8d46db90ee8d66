/** What those who look are told of levels. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  levelChecks,
  levelLines,
  levelsText,
  throttlesOf,
} from "../../src/commands/level_views.ts";
import type { Cursor } from "../../src/cursor.ts";
import { NO_POLICIES } from "../../src/task.ts";
import { aTask, T0 } from "../support/build.ts";

const CURSORS = new Map<string, Cursor>([
  ["check.echo", { dueMs: T0, revision: "a.b" }],
  ["@level:slo:api", { dueMs: T0, revision: "paused" }],
  ["@level:queue:maintenance", { dueMs: T0, revision: "slowed" }],
  ["@level:queue:other", { dueMs: T0, revision: "normal" }],
]);

describe("levels, for those who look", () => {
  it("are told where they are not normal, and since when", () => {
    assert.equal(
      levelsText(CURSORS),
      "queue:maintenance is slowed since 2026-01-01T00:00:00.000Z\n" +
        "slo:api is paused since 2026-01-01T00:00:00.000Z\n" +
        "`beat journal --type level.changed` tells why",
    );
    assert.equal(levelsText(new Map()), null);
  });

  it("are told of the past as of now, without what would steer a terminal", () => {
    const odd = new Map([["@level:queue:a\x1b[2J", { dueMs: T0, revision: "slowed" }]]);
    assert.deepEqual(levelLines(odd), [
      "queue:a\ufffd[2J is slowed since 2026-01-01T00:00:00.000Z",
    ]);
  });

  it("are warnings of the doctor", () => {
    const checks = levelChecks(CURSORS, T0 + 90_000);
    assert.deepEqual(checks.map(({ level, subject }) => [level, subject]), [
      ["warning", "level queue:maintenance"],
      ["warning", "level slo:api"],
    ]);
    assert.match(checks[0]!.text, /^slowed for .*: what is not critical is held back$/);
  });

  it("hold a task back only where it enforces them", () => {
    const slo = { objective: "api", slowTo: 2 };
    const pressure = { mode: "enforce", slowTo: 2 } as const;
    const of = (mode: "enforce" | "observe") =>
      throttlesOf(
        aTask({ policies: { ...NO_POLICIES, pressure, slo: { ...slo, mode } } }),
        CURSORS,
      );
    assert.deepEqual(of("observe"), [{ key: "queue:maintenance", level: "slowed" }]);
    assert.deepEqual(of("enforce"), [
      { key: "slo:api", level: "paused" },
      { key: "queue:maintenance", level: "slowed" },
    ]);
  });
});
