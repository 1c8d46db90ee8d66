/** Cron against a search minute by minute that shares neither code nor method with it. */

import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import assert from "node:assert/strict";
import { cron } from "../../src/triggers/cron.ts";
import { type Change, CHANGES, nameOf } from "./changes.ts";
import { type RandomCron, randomCron, type Shown } from "./random_cron.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** Either side of a change; what is compared lies a day inside, so that no moved time is cut off. */
const REACH_MS = 60 * HOUR_MS;
const COMPARED_MS = 32 * HOUR_MS;

describe("cron() around each change of the clocks", () => {
  for (const change of CHANGES) {
    it(`answers as a search minute by minute: ${nameOf(change)}`, () => {
      const minutes = minutesAround(change);
      fc.assert(
        fc.property(
          randomCron,
          fc.array(fc.double({ min: 0, max: 1, noNaN: true })),
          (random, places) => compare({ change, minutes, random, places }),
        ),
        { numRuns: 40 },
      );
    });
  }
});

interface Comparison {
  readonly change: Change;
  readonly minutes: Minutes;
  readonly random: RandomCron;
  /** Where to ask, as fractions of the window. */
  readonly places: readonly number[];
}

function compare({ change, minutes, random, places }: Comparison): void {
  let trigger;
  try {
    trigger = cron({ expression: random.text, tz: change.tz });
  } catch (error) {
    // The only fault that such an expression can have; `month_days_test.ts` looks at those.
    assert.match(String(error), /a date that comes/);
    return;
  }
  const fromMs = change.atMs - COMPARED_MS;
  const endMs = change.atMs + COMPARED_MS;
  const expected = search(minutes, random).filter((dueMs) => dueMs > fromMs && dueMs <= endMs);
  const got: number[] = [];
  for (let at = trigger.next(fromMs); at !== null && at <= endMs; at = trigger.next(at)) {
    got.push(at);
  }
  assert.deepEqual(got, expected, random.text);

  assert.equal(trigger.count(fromMs, endMs), expected.length, `count of ${random.text}`);
  const asked = [
    ...places.map((place) => fromMs + Math.floor(place * 2 * COMPARED_MS)),
    ...expected,
  ];
  for (const atMs of asked.slice(0, 60)) {
    const until = expected.filter((dueMs) => dueMs <= atMs);
    assert.equal(trigger.count(fromMs, atMs), until.length, `count to ${atMs} of ${random.text}`);
    if (until.length > 0) {
      assert.equal(trigger.last(atMs), until.at(-1), `last at ${atMs} of ${random.text}`);
    }
    const later = expected[until.length];
    if (later !== undefined) {
      assert.equal(trigger.next(atMs), later, `next after ${atMs} of ${random.text}`);
    }
  }
}

interface Minutes {
  /** Each minute that passes, with what the clocks then show. */
  readonly passing: readonly { readonly atMs: number; readonly shown: Shown }[];
  /** Each minute that a calendar has, with the instant at which a fixed time is due. */
  readonly nominal: readonly { readonly dueMs: number; readonly shown: Shown }[];
}

function search({ passing, nominal }: Minutes, random: RandomCron): number[] {
  if (random.isEveryHour) {
    return passing.filter(({ shown }) => random.matches(shown)).map(({ atMs }) => atMs);
  }
  const dues = nominal.filter(({ shown }) => random.matches(shown)).map(({ dueMs }) => dueMs);
  return [...new Set(dues)].sort((a, b) => a - b);
}

function minutesAround({ tz, atMs }: Change): Minutes {
  const passing = [];
  for (let ms = atMs - REACH_MS; ms <= atMs + REACH_MS; ms += MINUTE_MS) {
    const zoned = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(tz);
    passing.push({ atMs: ms, shown: shownOf(zoned) });
  }
  const at = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(tz);
  const middle = at.toPlainDateTime().round("minute");
  const nominal = [];
  for (let minute = -REACH_MS / MINUTE_MS; minute <= REACH_MS / MINUTE_MS; minute++) {
    const plain = middle.add({ minutes: minute });
    nominal.push({ dueMs: dueOf(plain, tz), shown: shownOf(plain) });
  }
  return { passing, nominal };
}

/** The first pass of a local time, or the end of the gap that it is in. */
function dueOf(plain: Temporal.PlainDateTime, tz: string): number {
  const earlier = plain.toZonedDateTime(tz, { disambiguation: "earlier" });
  if (earlier.toPlainDateTime().equals(plain)) return earlier.epochMilliseconds;
  return earlier.getTimeZoneTransition("next")!.epochMilliseconds;
}

function shownOf(local: Temporal.PlainDateTime | Temporal.ZonedDateTime): Shown {
  return {
    hour: local.hour,
    minute: local.minute,
    day: local.day,
    month: local.month,
    weekday: local.dayOfWeek % 7,
    daysInMonth: local.daysInMonth,
  };
}
