/** Trading sessions outside of which a task does not fire. */

import type { SessionSpec } from "../task.ts";
import type { Calendar } from "../triggers/calendar.ts";
import { calendarOf, dayNumber } from "../triggers/calendar.ts";
import { ON_TIME_MS } from "./catchup.ts";
import type { Policy, Verdict } from "./mod.ts";
import { PASS } from "./mod.ts";

/**
 * Judges a fire at its due time and, where it goes out later than that, now as well: what was missed
 * or held must not go out when the market is closed, and what was due outside a session is not made
 * up for in the next one.
 * @throws {TriggerError} a calendar's zone does not exist
 */
export function session(spec: SessionSpec): Policy {
  const calendars = spec.calendars.map(calendarOf);
  /** The last answer, and how long it is the answer: fires ask about the same hours again and again. */
  let known: Answer = { sinceMs: 0, endMs: 0, verdict: PASS };

  function verdictAt(instantMs: number): Verdict {
    if (instantMs < known.sinceMs || instantMs >= known.endMs) {
      known = answerAt(instantMs, calendars, spec);
    }
    return known.verdict;
  }

  return {
    name: "session",
    judge({ dueMs }, nowMs) {
      const verdict = verdictAt(dueMs);
      if (verdict.kind === "skip" || nowMs <= dueMs + ON_TIME_MS) return verdict;
      const late = verdictAt(nowMs);
      return late.kind === "skip" ? { ...late, reason: `late: ${late.reason}` } : verdict;
    },
  };
}

/** Whether a fire that is due at an instant goes out. */
export function sessionLets(spec: SessionSpec): (instantMs: number) => boolean {
  const calendars = spec.calendars.map(calendarOf);
  return (instantMs) => verdictOn(instantMs, calendars, spec).kind !== "skip";
}

/** When the verdict on an instant may be another: the end of its session at the latest. */
export function sessionChange(spec: SessionSpec): (instantMs: number) => number {
  const calendars = spec.calendars.map(calendarOf);
  return (instantMs) => changeAfter(instantMs, calendars, spec);
}

/** `Infinity` beyond the data. Unix milliseconds. */
function changeAfter(
  instantMs: number,
  calendars: readonly Calendar[],
  spec: SessionSpec,
): number {
  return Math.min(...calendars.map((each) => each.nextChange(instantMs, spec) ?? Infinity));
}

/** A verdict for each instant in [sinceMs, endMs). */
interface Answer {
  readonly sinceMs: number;
  readonly endMs: number;
  readonly verdict: Verdict;
}

function answerAt(
  instantMs: number,
  calendars: readonly Calendar[],
  spec: SessionSpec,
): Answer {
  return {
    sinceMs: instantMs,
    endMs: changeAfter(instantMs, calendars, spec),
    verdict: verdictOn(instantMs, calendars, spec),
  };
}

function verdictOn(
  instantMs: number,
  calendars: readonly Calendar[],
  spec: SessionSpec,
): Verdict {
  const states = Map.groupBy(calendars, (calendar) => calendar.stateAt(instantMs, spec));
  const { open = [], unknown = [], closed = [] } = Object.fromEntries(states);
  const isOpen = spec.match === "any" ? open.length > 0 : open.length === calendars.length;
  if (isOpen) return PASS;
  const isClosed = spec.match === "any" ? unknown.length === 0 : closed.length > 0;
  if (isClosed) {
    const texts = closed.map((calendar) => closedText(calendar, instantMs, spec));
    return { kind: "skip", reason: texts.join(", ") };
  }
  const text = unknown.map((calendar) => unknownText(calendar, instantMs)).join(", ");
  return spec.unknown === "fire" ? { kind: "pass", note: text } : { kind: "skip", reason: text };
}

/** The same text throughout the time that it is closed, so that one row of the journal can tell it. */
function closedText(calendar: Calendar, instantMs: number, spec: SessionSpec): string {
  const { mic, validTo } = calendar.spec;
  const openMs = calendar.nextOpen(instantMs, spec);
  return openMs === null
    ? `${mic} is closed, and its calendar ends ${validTo}`
    : `${mic} is closed until ${Temporal.Instant.fromEpochMilliseconds(openMs)}`;
}

function unknownText(calendar: Calendar, instantMs: number): string {
  const { mic, validFrom, validTo } = calendar.spec;
  return calendar.dayOf(instantMs) < dayNumber(validFrom)
    ? `${mic} is unknown before ${validFrom}`
    : `${mic} is unknown after ${validTo}`;
}
