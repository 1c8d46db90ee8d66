/** The calendars of the project, and the reading rules of their README by Temporal, date by date. */

import assert from "node:assert/strict";

import type { CalendarBook } from "../../src/config/calendars.ts";
import { readCalendars } from "../../src/config/calendars.ts";
import type { Problem } from "../../src/errors.ts";
import type { CalendarSpec } from "../../src/task.ts";

const problems: Problem[] = [];

/** Read once for all tests of a file. */
export const BOOK: CalendarBook = await readCalendars(null, problems);
assert.deepEqual(problems, []);

export function specOf(name: string): CalendarSpec {
  const found = BOOK.find(name);
  assert.ok(found !== null, `no calendar ${name}`);
  return found.spec;
}

/** Unix milliseconds of a local time such as `2026-01-05T09:30` in a zone. */
export function localMs(tz: string, text: string): number {
  return Temporal.PlainDateTime.from(text).toZonedDateTime(tz).epochMilliseconds;
}

/** A session by the rules, step by step; instants in Unix milliseconds. */
export interface RuledSession {
  readonly openMs: number;
  readonly closeMs: number;
  readonly breaks: readonly (readonly [number, number])[];
}

/** Steps 1 to 3 for a date; `null` where it has no session, or is out of range. */
function ruledSession(spec: CalendarSpec, date: Temporal.PlainDate): RuledSession | null {
  const key = date.toString();
  if (key < spec.validFrom || key > spec.validTo) return null;
  const regular = spec.sessions.find(({ days, from = "", to = "9999" }) =>
    days.includes(date.dayOfWeek) && from <= key && key <= to
  );
  const hours = spec.specialSessions[key] ?? (spec.holidays.includes(key) ? undefined : regular);
  if (hours === undefined) return null;
  const at = (day: Temporal.PlainDate, time: string) =>
    time === "24:00"
      ? day.add({ days: 1 }).toZonedDateTime(spec.tz).epochMilliseconds
      : localMs(spec.tz, `${day}T${time}`);
  const openDate = date.add({ days: hours.openDayOffset ?? 0 });
  const openMs = at(openDate, spec.specialOpens[key] ?? hours.open);
  const closeMs = at(date, spec.specialCloses[key] ?? hours.close);
  const breaks = hours.breaks.map(([start, end]) => [at(date, start), at(date, end)] as const)
    .filter(([startMs, endMs]) => startMs < closeMs && endMs > openMs);
  return { openMs, closeMs, breaks };
}

/** Step 4 for an instant: `true`, `false`, or `null` for unknown. */
export function isOpenByRule(spec: CalendarSpec, instantMs: number): boolean | null {
  const date = Temporal.Instant.fromEpochMilliseconds(instantMs).toZonedDateTimeISO(spec.tz)
    .toPlainDate();
  for (const days of [-1, 0, 1]) {
    const session = ruledSession(spec, date.add({ days }));
    if (session === null || instantMs < session.openMs || instantMs >= session.closeMs) continue;
    if (!session.breaks.some(([from, to]) => from <= instantMs && instantMs < to)) return true;
  }
  const key = date.toString();
  return key < spec.validFrom || key > spec.validTo ? null : false;
}

/** Each session from one date to another, both included. */
export function ruledSessions(spec: CalendarSpec, from: string, to: string): RuledSession[] {
  const sessions: RuledSession[] = [];
  const end = Temporal.PlainDate.from(to);
  for (
    let date = Temporal.PlainDate.from(from);
    Temporal.PlainDate.compare(date, end) <= 0;
    date = date.add({ days: 1 })
  ) {
    const session = ruledSession(spec, date);
    if (session !== null) sessions.push(session);
  }
  return sessions;
}
