/** A file of `env/calendars/`, or of a directory of the user's own: its shape, and what must hold in it. */

import { z } from "zod";

import type { Problem } from "../errors.ts";
import type { CalendarSpec } from "../task.ts";
import { dateText, dayNumber, readerOf } from "../triggers/calendar.ts";
import { problemsOf } from "./issues.ts";
import { line, map, zone } from "./shapes.ts";

/** A calendar with what is said of it beside its hours. */
export interface CalendarFile {
  readonly spec: CalendarSpec;
  readonly name: string;
  readonly aliases: readonly string[];
  /** The last date that a publication backs; later ones are projected by rule. */
  readonly officialThrough: string;
  readonly file: string;
}

const A_DATE = "a date such as 2026-01-31";
const A_TIME = "a time such as 09:30";

const date = z.string({ error: A_DATE }).refine(isDate, { error: A_DATE });
const time = z.string({ error: A_TIME }).regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: A_TIME });
const end = z.string({ error: A_TIME })
  .regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, { error: `${A_TIME}, or 24:00` });
const list = { error: "a list" };

const hours = {
  open: time,
  close: end,
  breaks: z.array(z.tuple([time, end], { error: "a start and an end" }), list),
  openDayOffset: z.union([z.literal(0), z.literal(-1)], { error: "0 or -1" }).optional(),
};
const weekday = z.int({ error: "1 (Monday) to 7" }).min(1, { error: "1 (Monday) to 7" })
  .max(7, { error: "1 (Monday) to 7" });

const FILE = z.strictObject({
  mic: line,
  name: line,
  tz: zone,
  aliases: z.array(line, list),
  validFrom: date,
  validTo: date,
  officialThrough: date,
  sessions: z.array(
    z.strictObject({
      ...hours,
      days: z.array(weekday, list),
      from: date.optional(),
      to: date.optional(),
    }, map),
    list,
  ),
  holidays: z.array(date, list),
  specialOpens: z.record(date, time, map),
  specialCloses: z.record(date, end, map),
  specialSessions: z.record(date, z.strictObject(hours, map), map),
  notes: z.array(z.string({ error: "text" }), list).optional(),
  source: z.array(z.string({ error: "text" }), list).optional(),
}, { error: "a map" });

function isDate(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(dayNumber(text)) &&
    dateText(dayNumber(text)) === text;
}

/** The calendar in a text; `null`, and problems, where it is none. */
export function parseCalendar(
  file: string,
  text: string,
  problems: Problem[],
): CalendarFile | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    problems.push({ where: file, message: `expected valid JSON: ${reason}` });
    return null;
  }
  const result = FILE.safeParse(value);
  if (!result.success) {
    const source = { schema: FILE, value, whereOf: () => file, isSecret: () => false };
    problems.push(...problemsOf(result.error, { ...source, adviceOn: () => null }));
    return null;
  }
  const { name, aliases, officialThrough, notes: _notes, source: _source, ...spec } = result.data;
  const wrong = faultsOf(spec);
  problems.push(...wrong.map((message) => ({ where: file, message })));
  return wrong.length > 0 ? null : { spec, name, aliases, officialThrough, file };
}

/** The longest range that a calendar may have. Days. */
const RANGE_MAX_DAYS = 366 * 50;

/** What the shapes cannot say: dates in order, hours that leave no doubt, sessions one after another. */
function faultsOf(spec: CalendarSpec): string[] {
  const { validFrom, validTo } = spec;
  const [firstDay, lastDay] = [dayNumber(validFrom), dayNumber(validTo)];
  if (lastDay < firstDay || lastDay - firstDay > RANGE_MAX_DAYS) {
    return [
      `expected \`validTo\` to be within 50 years after \`validFrom\`, ${validFrom}, got ${validTo}`,
    ];
  }
  return doubledHours(spec) ?? backwardBreak(spec) ?? strayHours(spec) ??
    firstClash(spec, firstDay, lastDay) ?? [];
}

/** Cut to its session, it would be none. */
function backwardBreak({ sessions, specialSessions }: CalendarSpec): string[] | null {
  const breaks = [...sessions, ...Object.values(specialSessions)].flatMap(({ breaks }) => breaks);
  const backward = breaks.find(([start, end]) => end <= start);
  if (backward === undefined) return null;
  return [`expected a break to end after it begins, got ${backward.join(" to ")}`];
}

/** Hours of a day without a session are those of another day, whose own then stay as they are. */
function strayHours(spec: CalendarSpec): string[] | null {
  const hoursOn = readerOf(spec);
  for (const key of ["specialOpens", "specialCloses"] as const) {
    const stray = Object.keys(spec[key]).find((date) =>
      date >= spec.validFrom && date <= spec.validTo && hoursOn(dayNumber(date)) === null
    );
    if (stray === undefined) continue;
    return [`expected \`${key}\` to name days that have a session, got ${stray}, which has none`];
  }
  return null;
}

function doubledHours({ sessions }: CalendarSpec): string[] | null {
  for (const [index, one] of sessions.entries()) {
    for (const other of sessions.slice(index + 1)) {
      const isApart = (one.to ?? "9999") < (other.from ?? "") ||
        (other.to ?? "9999") < (one.from ?? "");
      const day = one.days.find((each) => other.days.includes(each));
      if (!isApart && day !== undefined) {
        return [`expected \`sessions\` to name each day once, got weekday ${day} twice`];
      }
    }
  }
  return null;
}

function firstClash(spec: CalendarSpec, firstDay: number, lastDay: number): string[] | null {
  const hoursOn = readerOf(spec);
  let closed = -Infinity;
  for (let day = firstDay; day <= lastDay; day++) {
    const session = hoursOn(day);
    if (session === null) continue;
    if (session.close <= session.open) {
      return [`expected the session of ${dateText(day)} to close after it opens`];
    }
    if (session.open < closed) {
      return [`expected the session of ${dateText(day)} to open after the one before has closed`];
    }
    closed = session.close;
  }
  return null;
}
