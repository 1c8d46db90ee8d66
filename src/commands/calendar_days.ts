/** Days of a calendar, each with its session or why it has none. */

import type { CalendarSpec } from "../task.ts";
import type { Session } from "../triggers/calendar.ts";
import { calendarOf, dateText, dayNumber, isoWeekday } from "../triggers/calendar.ts";
import type { Shell } from "./shell.ts";
import { printTable } from "./table.ts";
import { dueText } from "./time_text.ts";

export interface CalendarDay {
  readonly date: string;
  readonly tz: string;
  /** `null` where there is none, or none is known. */
  readonly session: Session | null;
  readonly note: "" | "holiday" | "no session" | "unknown" | "other hours";
}

/** `count` days from the local date of an instant on. */
export function calendarDays(spec: CalendarSpec, atMs: number, count: number): CalendarDay[] {
  const market = calendarOf(spec);
  const first = market.dayOf(atMs);
  return Array.from({ length: count }, (_, place) => {
    const day = first + place;
    const index = market.indexFrom(day);
    const next = index < market.count ? market.at(index) : null;
    const session = next?.day === day ? next : null;
    const date = dateText(day);
    return { date, tz: spec.tz, session, note: noteOn(spec, date, session !== null) };
  });
}

function noteOn(spec: CalendarSpec, date: string, isOn: boolean): CalendarDay["note"] {
  const day = dayNumber(date);
  if (day < dayNumber(spec.validFrom) || day > dayNumber(spec.validTo)) return "unknown";
  if (!isOn) return spec.holidays.includes(date) ? "holiday" : "no session";
  const isSpecial = [spec.specialSessions, spec.specialOpens, spec.specialCloses]
    .some((dates) => Object.hasOwn(dates, date));
  return isSpecial ? "other hours" : "";
}

/** Names are stable; times are RFC 3339. */
export function dayObject({ date, session, note }: CalendarDay): Record<string, unknown> {
  return {
    date,
    open: session === null ? null : dueText(session.openMs),
    close: session === null ? null : dueText(session.closeMs),
    breaks: (session?.breaks ?? []).map((each) => each.map(dueText)),
    note: note === "" ? null : note,
  };
}

const HEADINGS = ["DATE", "LOCAL", "BREAKS", "OPEN", "CLOSE", "NOTE"];

export function printDays(days: readonly CalendarDay[], shell: Shell): void {
  const rows = days.map(({ date, tz, session, note }) => {
    const weekday = WEEKDAYS[isoWeekday(dayNumber(date)) - 1]!;
    const hours = session === null ? ["-", "-", "-", "-"] : [
      localSpan([session.openMs, session.closeMs], tz),
      session.breaks.map((each) => localSpan(each, tz)).join(", ") || "-",
      dueText(session.openMs),
      dueText(session.closeMs),
    ];
    const cells = [`${weekday} ${date}`, ...hours, note].map((text) => ({ text }));
    return session === null ? cells.map((cell) => ({ ...cell, colour: "dim" as const })) : cells;
  });
  printTable(HEADINGS, rows, shell, ["LOCAL"]);
}

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** `09:30 to 16:00`; with the weekday where it begins on the day before. */
function localSpan([fromMs, toMs]: readonly [number, number], tz: string): string {
  const local = (ms: number) => Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(tz);
  const [from, to] = [local(fromMs), local(toMs)];
  const clock = (at: Temporal.ZonedDateTime) => at.toPlainTime().toString().slice(0, 5);
  const isOvernight = !from.toPlainDate().equals(to.subtract({ nanoseconds: 1 }).toPlainDate());
  const before = isOvernight ? `${WEEKDAYS[from.dayOfWeek - 1]} ` : "";
  return `${before}${clock(from)} to ${clock(to)}`;
}
