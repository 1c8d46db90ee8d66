/** Which days a schedule names, a whole month at a time. Days are counted from 1 January 1970. */

import { highestBit, lowestBit, populationOf } from "./bits.ts";

/** What the day fields of a schedule say. Weekdays count from Sunday, 0. */
export interface DayFields {
  /** 1 to 12. */
  readonly months: Iterable<number>;
  /** 1 to 31. */
  readonly daysOfMonth: Iterable<number>;
  readonly isLastDayOfMonth: boolean;
  readonly daysOfWeek: Iterable<number>;
  /** Weekdays of which the last in the month is meant. */
  readonly lastWeekdays: Iterable<number>;
  /** The n-th of a weekday in the month, n from 1. */
  readonly nthWeekdays: readonly { readonly weekday: number; readonly nth: number }[];
  /** Whether a day has to be in both sets or in one of them. */
  readonly combine: "and" | "or";
}

/** Day fields as words of bits: which days of a month match depends only on its length and start. */
export interface MonthDays {
  /** Bit m: month m, from 0. */
  readonly months: number;
  /** Bit d: day d, from 0. */
  readonly dates: number;
  readonly isLastDayOfMonth: boolean;
  /** Bit w: weekday w. */
  readonly weekdays: number;
  readonly lastWeekdays: number;
  readonly nthWeekdays: DayFields["nthWeekdays"];
  readonly combine: DayFields["combine"];
  /** By length and first weekday of a month, its matching days; `UNKNOWN` until asked for. */
  readonly masks: number[];
}

/** Dates repeat, weekdays included, after 400 years. What does not come in that time never does. */
const CYCLE_MONTHS = 400 * 12;
const UNKNOWN = -1;

export function monthDaysOf(fields: DayFields): MonthDays {
  return {
    months: wordOf(fields.months, 1),
    dates: wordOf(fields.daysOfMonth, 1),
    isLastDayOfMonth: fields.isLastDayOfMonth,
    weekdays: wordOf(fields.daysOfWeek, 0),
    lastWeekdays: wordOf(fields.lastWeekdays, 0),
    nthWeekdays: fields.nthWeekdays,
    combine: fields.combine,
    masks: new Array<number>(28).fill(UNKNOWN),
  };
}

function wordOf(values: Iterable<number>, first: number): number {
  let word = 0;
  for (const value of values) word |= 1 << (value - first);
  return word;
}

/** The first matching day at or after `fromDay`; `Infinity` when none ever comes. */
export function nextDay(days: MonthDays, fromDay: number): number {
  const { monthIndex, dayOfMonth } = civilOf(fromDay);
  let month = monthIndex;
  let firstDay = fromDay - dayOfMonth;
  let rest = maskOf(days, month, firstDay) & (-1 << dayOfMonth);
  for (let looked = 0; rest === 0; looked++) {
    if (looked > CYCLE_MONTHS) return Infinity;
    firstDay += lengthOf(month);
    month++;
    rest = maskOf(days, month, firstDay);
  }
  return firstDay + lowestBit(rest);
}

/** The last matching day at or before `toDay`; `-Infinity` when there never was one. */
export function previousDay(days: MonthDays, toDay: number): number {
  const { monthIndex, dayOfMonth } = civilOf(toDay);
  let month = monthIndex;
  let firstDay = toDay - dayOfMonth;
  let rest = maskOf(days, month, firstDay) & ~(-2 << dayOfMonth);
  for (let looked = 0; rest === 0; looked++) {
    if (looked > CYCLE_MONTHS) return -Infinity;
    month--;
    firstDay -= lengthOf(month);
    rest = maskOf(days, month, firstDay);
  }
  return firstDay + highestBit(rest);
}

export function hasDay(days: MonthDays, day: number): boolean {
  const { monthIndex, dayOfMonth } = civilOf(day);
  return (maskOf(days, monthIndex, day - dayOfMonth) >> dayOfMonth & 1) === 1;
}

/** How many matching days there are in [fromDay, endDay). */
export function countDays(days: MonthDays, fromDay: number, endDay: number): number {
  if (endDay <= fromDay) return 0;
  const { monthIndex, dayOfMonth } = civilOf(fromDay);
  let month = monthIndex;
  let firstDay = fromDay - dayOfMonth;
  let count = -populationOf(maskOf(days, month, firstDay) & ~(-1 << dayOfMonth));
  for (;;) {
    const length = lengthOf(month);
    const mask = maskOf(days, month, firstDay);
    if (firstDay + length >= endDay) {
      return count + populationOf(mask & ~(-2 << (endDay - firstDay - 1)));
    }
    count += populationOf(mask);
    firstDay += length;
    month++;
  }
}

/** Whether a matching day ever comes. */
export function comes(days: MonthDays): boolean {
  return nextDay(days, 0) !== Infinity;
}

/** The matching days of a month as bits; `firstDay` is the number of its first day. */
function maskOf(days: MonthDays, month: number, firstDay: number): number {
  if ((days.months >> modulo(month, 12) & 1) === 0) return 0;
  const length = lengthOf(month);
  const firstWeekday = modulo(firstDay + 4, 7);
  const place = (length - 28) * 7 + firstWeekday;
  const known = days.masks[place]!;
  if (known !== UNKNOWN) return known;
  return days.masks[place] = computeMask(days, length, firstWeekday);
}

function computeMask(days: MonthDays, length: number, firstWeekday: number): number {
  let byWeekday = 0;
  for (let day = 0; day < length; day++) {
    const weekday = (firstWeekday + day) % 7;
    const isLast = day + 7 >= length;
    const matching = isLast ? days.weekdays | days.lastWeekdays : days.weekdays;
    if ((matching >> weekday & 1) === 1) byWeekday |= 1 << day;
  }
  for (const { weekday, nth } of days.nthWeekdays) {
    const day = modulo(weekday - firstWeekday, 7) + (nth - 1) * 7;
    if (day < length) byWeekday |= 1 << day;
  }
  const byDate = days.isLastDayOfMonth ? days.dates | 1 << (length - 1) : days.dates;
  const inMonth = ~(-2 << (length - 1));
  return (days.combine === "and" ? byDate & byWeekday : byDate | byWeekday) & inMonth;
}

/** Month (counted from January of the year 0) and day in it (from 0), in the Gregorian calendar. */
function civilOf(day: number): { monthIndex: number; dayOfMonth: number } {
  // Years begin in March here, so that the leap day is the last day of a year.
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra -
    (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const month = Math.floor((5 * dayOfYear + 2) / 153);
  const dayOfMonth = dayOfYear - Math.floor((153 * month + 2) / 5);
  return { monthIndex: (era * 400 + yearOfEra) * 12 + month + 2, dayOfMonth };
}

const LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function lengthOf(monthIndex: number): number {
  const month = modulo(monthIndex, 12);
  if (month !== 1) return LENGTHS[month]!;
  const year = (monthIndex - month) / 12;
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
}

/** The remainder that has the divisor's sign, so that days before 1970 have weekdays too. */
function modulo(value: number, divisor: number): number {
  const rest = value % divisor;
  return rest < 0 ? rest + divisor : rest;
}
