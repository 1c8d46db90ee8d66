/**
 * When a market is open, from its data: open, closed or unknown at an instant, and its sessions in
 * order. Local times become instants when a session is first asked for, and are kept.
 */

import type { CalendarSpec, SessionHours, WeeklyHours } from "../task.ts";
import type { Zone } from "./zone.ts";
import { zoneOf } from "./zone.ts";
import { firstReach } from "./zoned.ts";

/** `unknown`: the data say nothing of that date. */
export type MarketState = "open" | "closed" | "unknown";

/** One trading session. Unix milliseconds; ends are exclusive. */
export interface Session {
  /** Its date, in days since 1970-01-01. It may open on the day before. */
  readonly day: number;
  readonly openMs: number;
  readonly closeMs: number;
  /** Those that lie in the session, cut to it. */
  readonly breaks: readonly (readonly [startMs: number, endMs: number])[];
}

/** By how much a session is widened before its open and after its close. Milliseconds. */
export interface Margin {
  readonly leadMs: number;
  readonly lagMs: number;
}

export interface Calendar {
  readonly spec: CalendarSpec;
  /** How many sessions there are. */
  readonly count: number;
  /** The session at a place in their order, from 0. */
  at(index: number): Session;
  /** The place of the first session whose date is `day` or later; `count` where there is none. */
  indexFrom(day: number): number;
  /** The local date of an instant, in days since 1970-01-01. */
  dayOf(instantMs: number): number;
  stateAt(instantMs: number, margin?: Margin): MarketState;
  /** The first instant after `afterMs` at which the state may be another; `null` for never. */
  nextChange(afterMs: number, margin?: Margin): number | null;
  /** The first instant after `afterMs` at which it opens, after a break too; `null` beyond the data. */
  nextOpen(afterMs: number, margin?: Margin): number | null;
  /** The first instant after `afterMs` at which it closes, for a break too; `null` beyond the data. */
  nextClose(afterMs: number, margin?: Margin): number | null;
}

export const DAY_MS = 86_400_000;

const NO_MARGIN: Margin = { leadMs: 0, lagMs: 0 };

/** Compiled once for each object of data: the tasks of a configuration share theirs. */
const compiled = new WeakMap<CalendarSpec, Calendar>();

/** @throws {TriggerError} its zone does not exist */
export function calendarOf(spec: CalendarSpec): Calendar {
  let calendar = compiled.get(spec);
  if (calendar === undefined) compiled.set(spec, calendar = compile(spec));
  return calendar;
}

function compile(spec: CalendarSpec): Calendar {
  const zone = zoneOf(spec.tz);
  const hoursOn = readerOf(spec);
  const [firstDay, lastDay] = [dayNumber(spec.validFrom), dayNumber(spec.validTo)];
  const days: number[] = [];
  for (let day = firstDay; day <= lastDay; day++) if (hoursOn(day) !== null) days.push(day);
  const sessions: Session[] = [];
  /** Where the range begins, and where what is unknown begins. */
  const rangeMs = [firstReach(zone, firstDay * DAY_MS), firstReach(zone, (lastDay + 1) * DAY_MS)];

  const calendar: Calendar = {
    spec,
    count: days.length,
    at: (index) => (sessions[index] ??= sessionOf(days[index]!, hoursOn(days[index]!)!, zone)),
    indexFrom: (day) => lowerBound(days, day),
    dayOf: (instantMs) => Math.floor((instantMs + zone.at(instantMs).offsetMs) / DAY_MS),
    stateAt(instantMs, { leadMs, lagMs } = NO_MARGIN) {
      const today = calendar.dayOf(instantMs);
      const lastOfInterest = today + 1 + Math.ceil(leadMs / DAY_MS);
      let index = lowerBound(days, today - 1 - Math.ceil(lagMs / DAY_MS));
      for (; index < days.length && days[index]! <= lastOfInterest; index++) {
        const { openMs, closeMs, breaks } = calendar.at(index);
        if (instantMs < openMs - leadMs || instantMs >= closeMs + lagMs) continue;
        const isBreak = breaks.some(([startMs, endMs]) =>
          startMs <= instantMs && instantMs < endMs
        );
        if (!isBreak) return "open";
      }
      return today < firstDay || today > lastDay ? "unknown" : "closed";
    },
    nextChange(afterMs, { leadMs, lagMs } = NO_MARGIN) {
      let nextMs = Infinity;
      const take = (ms: number) => {
        if (ms > afterMs && ms < nextMs) nextMs = ms;
      };
      rangeMs.forEach(take);
      // A margin is less than a day, and so is what a session reaches beyond its date.
      let index = lowerBound(days, calendar.dayOf(afterMs) - 2);
      for (; index < days.length; index++) {
        const { openMs, closeMs, breaks } = calendar.at(index);
        take(openMs - leadMs);
        take(closeMs + lagMs);
        breaks.flat().forEach(take);
        if (openMs - leadMs > afterMs) break;
      }
      return nextMs === Infinity ? null : nextMs;
    },
    nextOpen: (afterMs, margin) => nextState("open", afterMs, margin),
    nextClose: (afterMs, margin) => nextState("closed", afterMs, margin),
  };

  /** Where one session follows on another without a gap, nothing opens or closes. */
  function nextState(wanted: MarketState, afterMs: number, margin?: Margin): number | null {
    let ms = calendar.nextChange(afterMs, margin);
    while (ms !== null) {
      const [before, state] = [calendar.stateAt(ms - 1, margin), calendar.stateAt(ms, margin)];
      const isChange = wanted === "open" ? before !== "open" : before === "open";
      if (state === wanted && isChange) return ms;
      ms = calendar.nextChange(ms, margin);
    }
    return null;
  }

  return calendar;
}

/** Local hours of a session date as readings: milliseconds as if the local clock were UTC. */
export interface Readings {
  readonly open: number;
  readonly close: number;
  readonly breaks: readonly (readonly [start: number, end: number])[];
}

/** Reads the hours of a date, or `null` where it has no session. The range is not looked at. */
export function readerOf(spec: CalendarSpec): (day: number) => Readings | null {
  const holidays = new Set(spec.holidays.map(dayNumber));
  const special = byDay(spec.specialSessions);
  const opens = byDay(spec.specialOpens);
  const closes = byDay(spec.specialCloses);
  const weekly = spec.sessions.map((hours) => ({
    hours,
    fromDay: hours.from === undefined ? -Infinity : dayNumber(hours.from),
    toDay: hours.to === undefined ? Infinity : dayNumber(hours.to),
  }));
  const regular = (day: number): WeeklyHours | null => {
    const weekday = isoWeekday(day);
    return weekly.find(({ hours, fromDay, toDay }) =>
      fromDay <= day && day <= toDay && hours.days.includes(weekday)
    )?.hours ?? null;
  };
  return (day) => {
    const hours: SessionHours | null = special.get(day) ??
      (holidays.has(day) ? null : regular(day));
    if (hours === null) return null;
    const open = (day + (hours.openDayOffset ?? 0)) * DAY_MS + timeOf(opens.get(day) ?? hours.open);
    const close = day * DAY_MS + timeOf(closes.get(day) ?? hours.close);
    const breaks = hours.breaks.map(([start, end]) =>
      [
        Math.max(open, day * DAY_MS + timeOf(start)),
        Math.min(close, day * DAY_MS + timeOf(end)),
      ] as const
    ).filter(([start, end]) => start < end);
    return { open, close, breaks };
  };
}

function sessionOf(day: number, { open, close, breaks }: Readings, zone: Zone): Session {
  return {
    day,
    openMs: firstReach(zone, open),
    closeMs: firstReach(zone, close),
    breaks: breaks.map(([start, end]) => [firstReach(zone, start), firstReach(zone, end)] as const),
  };
}

function byDay<T>(entries: Readonly<Record<string, T>>): Map<number, T> {
  return new Map(Object.entries(entries).map(([date, value]) => [dayNumber(date), value]));
}

/** Days since 1970-01-01 of a date YYYY-MM-DD. */
export function dayNumber(date: string): number {
  const [year, month, day] = date.split("-").map(Number) as [number, number, number];
  return Date.UTC(year, month - 1, day) / DAY_MS;
}

/** The date YYYY-MM-DD of a day since 1970-01-01. */
export function dateText(day: number): string {
  return Temporal.Instant.fromEpochMilliseconds(day * DAY_MS).toString().slice(0, 10);
}

/** Of a day since 1970-01-01, a Thursday. 1 for Monday to 7 for Sunday. */
export function isoWeekday(day: number): number {
  return ((day + 3) % 7 + 7) % 7 + 1;
}

/** HH:MM as milliseconds of the day. */
function timeOf(text: string): number {
  return Number(text.slice(0, 2)) * 3_600_000 + Number(text.slice(3)) * 60_000;
}

/** The first place in a rising list whose number is `wanted` or more. */
function lowerBound(list: readonly number[], wanted: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
