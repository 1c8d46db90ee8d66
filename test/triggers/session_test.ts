/** Session triggers: each session once, at its instant, and one answer whoever asks. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";

import { TriggerError } from "../../src/errors.ts";
import type { TriggerSpec } from "../../src/task.ts";
import { digestOf } from "../../src/task.ts";
import { triggerOf } from "../../src/triggers/mod.ts";
import { session } from "../../src/triggers/session.ts";
import { BOOK, localMs, ruledSessions, specOf } from "../support/calendars.ts";

const MINUTE_MS = 60_000;
const anchor = fc.constantFrom("open" as const, "close" as const);
const calendar = fc.constantFrom(...BOOK.all.map(({ spec }) => spec));
const offsetMs = fc.integer({ min: -720, max: 720 }).map((minutes) => minutes * MINUTE_MS);
const instant = fc.integer({ min: Date.UTC(2019, 11), max: Date.UTC(2028, 1) });

const at = (name: string, anchor: "open" | "close", minutes: number) =>
  session({ calendar: specOf(name), anchor, offsetMs: minutes * MINUTE_MS });
const utc = (ms: number | null) => ms === null ? null : new Date(ms).toISOString().slice(0, 16);

describe("session()", () => {
  for (
    const [name, anchor, minutes, after, dues] of [
      // Over a weekend and the change of the clocks.
      ["XNYS", "open", 5, "2026-03-06T00:00Z", ["2026-03-06T14:35", "2026-03-09T13:35"]],
      // A half day.
      ["XNYS", "close", -15, "2026-11-25T21:00Z", ["2026-11-27T17:45", "2026-11-30T20:45"]],
      ["XNYS", "close", 15, "2026-11-25T21:15Z", ["2026-11-27T18:15", "2026-11-30T21:15"]],
      // Over a holiday; the break counts for nothing.
      ["XHKG", "open", 0, "2026-02-16T00:00Z", ["2026-02-16T01:30", "2026-02-20T01:30"]],
      ["XHKG", "close", 0, "2026-02-16T00:00Z", ["2026-02-16T04:00", "2026-02-20T08:00"]],
      // On the day before the session's date.
      ["CMES", "open", 0, "2026-01-03T00:00Z", ["2026-01-04T23:00", "2026-01-05T23:00"]],
      ["24/7", "close", 0, "2026-01-03T00:00Z", ["2026-01-04T00:00", "2026-01-05T00:00"]],
      // The data end.
      ["XNYS", "open", 5, "2027-12-30T15:00Z", ["2027-12-31T14:35", null]],
      ["XSHG", "open", 0, "2026-12-31T00:00Z", ["2026-12-31T01:30", null]],
      ["XNYS", "open", 0, "2019-01-01T00:00Z", ["2020-01-02T14:30", "2020-01-03T14:30"]],
    ] as const
  ) {
    it(`of ${name}, ${anchor} and ${minutes} min, is due after ${after} at ${dues.join(", ")}`, () => {
      const trigger = at(name, anchor, minutes);
      const firstMs = trigger.next(Date.parse(after));
      assert.deepEqual([utc(firstMs), utc(trigger.next(firstMs!))], dues);
    });
  }

  it("is due at each session that the rules give, and at nothing else", () => {
    for (const name of ["XNYS", "XTKS", "CMES"]) {
      const spec = specOf(name);
      const trigger = at(name, "close", 15);
      const wanted = ruledSessions(spec, "2024-01-01", "2024-12-31")
        .map(({ closeMs }) => closeMs + 15 * MINUTE_MS);
      const dues: number[] = [];
      let dueMs = trigger.next(localMs(spec.tz, "2024-01-01T00:00"));
      for (; dueMs !== null && dues.length < wanted.length; dueMs = trigger.next(dueMs)) {
        dues.push(dueMs);
      }
      assert.deepEqual(dues, wanted);
    }
  });

  it("has a next that rises, and a last and a count that agree with it, whenever they are asked", () => {
    fc.assert(
      fc.property(
        calendar,
        anchor,
        offsetMs,
        instant,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (...[calendar, anchor, offsetMs, startMs, part]) => {
          const spec = { calendar, anchor, offsetMs };
          const trigger = session(spec);
          let [previousMs, atMs] = [trigger.last(startMs), startMs];
          for (let steps = 1; steps <= 20; steps++) {
            const dueMs = trigger.next(atMs);
            if (dueMs === null) {
              assert.equal(trigger.count(startMs, Date.UTC(2100, 0)), steps - 1);
              assert.equal(trigger.last(Date.UTC(2100, 0)), previousMs);
              return;
            }
            assert.ok(dueMs > atMs);
            // A trigger of its own, as a new leader would have it.
            assert.equal(session(spec).next(atMs + Math.floor(part * (dueMs - 1 - atMs))), dueMs);
            assert.equal(trigger.last(dueMs), dueMs);
            assert.equal(trigger.last(dueMs - 1), previousMs);
            assert.equal(trigger.count(startMs, dueMs), steps);
            assert.equal(trigger.count(startMs, dueMs - 1), steps - 1);
            assert.equal(trigger.count(dueMs, startMs), 0);
            [previousMs, atMs] = [dueMs, dueMs];
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it("comes back from its recorded definition as it was, with the same revision", () => {
    const spec: TriggerSpec = {
      ...{ kind: "session", calendar: specOf("XHKG"), anchor: "open", offsetMs: 300_000 },
    };
    const read = JSON.parse(JSON.stringify(spec)) as TriggerSpec;
    assert.equal(digestOf(read), digestOf(spec));
    const [one, other] = [triggerOf(spec), triggerOf(read)];
    for (let ms = Date.UTC(2026, 0); ms < Date.UTC(2026, 3); ms += 7_200_000) {
      assert.equal(other.next(ms), one.next(ms));
    }
  });

  it("refuses an offset beyond 12 h, a calendar without sessions and a zone that does not exist", () => {
    const spec = specOf("XNYS");
    const refused = (own: object, wanted: RegExp) =>
      assert.throws(
        () => session({ calendar: spec, anchor: "open", offsetMs: 0, ...own }),
        (error) => error instanceof TriggerError && wanted.test(error.message),
      );
    refused({ offsetMs: 43_200_001 }, /`at` to be within 12h of the open, got 43200001 ms/);
    refused({ offsetMs: 0.5 }, /got 0.5 ms/);
    refused({ calendar: { ...spec, sessions: [] } }, /XNYS to have a session, got none/);
    refused({ calendar: { ...spec, tz: "America/New_Yrk" } }, /did you mean "America\/New_York"/);
  });
});
