/** Trading sessions outside of which a task does not fire. */

import type { SessionSpec } from "../task.ts";
import type { Calendar, Margin } from "../triggers/calendar.ts";
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
  return {
    name: "session",
    judge({ dueMs }, nowMs) {
      const verdict = judgeAt(dueMs, calendars, spec);
      const isLate = nowMs > dueMs + ON_TIME_MS;
      if (!isLate || verdict.kind === "skip") return verdict;
      const late = judgeAt(nowMs, calendars, spec);
      if (late.kind !== "skip") return verdict;
      return { ...late, reason: `late: ${late.reason}` };
    },
  };
}

type Judged = Extract<Verdict, { kind: "pass" | "skip" }>;

function judgeAt(instantMs: number, calendars: readonly Calendar[], spec: SessionSpec): Judged {
  const stated = calendars.map((calendar) => ({
    calendar,
    state: calendar.stateAt(instantMs, spec),
  }));
  const having = (wanted: string) =>
    stated.filter(({ state }) => state === wanted).map(({ calendar }) => calendar);
  const [open, unknown, closed] = [having("open"), having("unknown"), having("closed")];
  const isAny = spec.match === "any";
  if (isAny ? open.length > 0 : open.length === stated.length) return PASS as Judged;
  if (isAny ? unknown.length === 0 : closed.length > 0) {
    return { kind: "skip", reason: closedText(instantMs, closed, spec) };
  }
  const text = unknown.map((calendar) => unknownText(calendar, instantMs)).join(", ");
  return spec.unknown === "fire" ? { kind: "pass", note: text } : { kind: "skip", reason: text };
}

/**
 * Which are closed, and until when. The same text throughout the time that they are, so that the
 * journal can tell all of it in one row.
 */
function closedText(instantMs: number, closed: readonly Calendar[], margin: Margin): string {
  return closed.map((calendar) => {
    const { mic, validTo } = calendar.spec;
    const openMs = calendar.nextOpen(instantMs, margin);
    return openMs === null
      ? `${mic} is closed, and its calendar ends ${validTo}`
      : `${mic} is closed until ${Temporal.Instant.fromEpochMilliseconds(openMs)}`;
  }).join(", ");
}

function unknownText(calendar: Calendar, instantMs: number): string {
  const { mic, validFrom, validTo } = calendar.spec;
  return calendar.dayOf(instantMs) < dayNumber(validFrom)
    ? `${mic} is unknown before ${validFrom}`
    : `${mic} is unknown after ${validTo}`;
}
