/**
 * Celery's `crontab`. It looks like cron and means something else: a day has to match day of month
 * AND day of week, weekdays are 0 to 6, and ranges wrap. So it has a parser of its own.
 */

import { TriggerError } from "../errors.ts";
import { bitsOf } from "./bits.ts";
import type { Trigger } from "./mod.ts";
import { comes, monthDaysOf } from "./month_days.ts";
import { weekdayOf } from "./names.ts";
import { zonedTrigger } from "./zoned.ts";
import { zoneOf } from "./zone.ts";

/** Celery's five fields: each a list of stars, values and ranges; star and range may have a step. */
export interface CrontabFields {
  readonly minute: string;
  readonly hour: string;
  readonly dayOfWeek: string;
  readonly dayOfMonth: string;
  readonly monthOfYear: string;
}

interface Bounds {
  readonly label: string;
  readonly min: number;
  readonly max: number;
}

/** @throws {TriggerError} a field or the zone cannot be read, or the date never comes */
export function crontab(spec: CrontabFields & { readonly tz: string }): Trigger {
  const minutes = valuesOf(spec.minute, { label: "minute", min: 0, max: 59 });
  const hours = valuesOf(spec.hour, { label: "hour", min: 0, max: 23 });
  const daysOfMonth = valuesOf(spec.dayOfMonth, { label: "day_of_month", min: 1, max: 31 });
  const months = valuesOf(spec.monthOfYear, { label: "month_of_year", min: 1, max: 12 });
  const daysOfWeek = valuesOf(spec.dayOfWeek, WEEKDAY);
  const days = monthDaysOf({
    months,
    daysOfMonth,
    isLastDayOfMonth: false,
    daysOfWeek,
    lastWeekdays: [],
    nthWeekdays: [],
    combine: "and",
  });
  if (!comes(days)) {
    const dates = `day_of_month="${spec.dayOfMonth}", month_of_year="${spec.monthOfYear}"`;
    throw new TriggerError(
      `expected a date that comes, got ${dates}: no such month has such a day`,
      dates,
    );
  }
  const times = { hours: bitsOf(hours), minutes: bitsOf(minutes), seconds: bitsOf([0]) };
  return zonedTrigger({ days, times }, zoneOf(spec.tz));
}

const WEEKDAY: Bounds = { label: "day_of_week", min: 0, max: 6 };

function valuesOf(text: string, bounds: Bounds): Set<number> {
  return new Set(text.split(",").flatMap((item) => itemValues(item.trim(), bounds)));
}

function itemValues(item: string, bounds: Bounds): number[] {
  const parts = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(item);
  if (parts === null) return refuse(item, bounds);
  const [, star, first, last, step] = parts;
  // A single value has no step in Celery: `5/15` is an error there, not a range.
  if (star === undefined && last === undefined && step !== undefined) return refuse(item, bounds);
  const all = star !== undefined
    ? range(bounds.min, bounds.max)
    : wrapped(item, { first: first!, last: last ?? first! }, bounds);
  const stride = step === undefined ? 1 : Number(step);
  if (stride < 1) return refuse(item, bounds);
  return all.filter((_, place) => place % stride === 0);
}

/** `22-2` goes over the end of the field; a step counts along the range, wherever it wraps. */
function wrapped(
  item: string,
  { first, last }: { readonly first: string; readonly last: string },
  bounds: Bounds,
): number[] {
  const from = valueOf(item, first, bounds);
  const to = valueOf(item, last, bounds);
  if (from <= to) return range(from, to);
  return [...range(from, bounds.max), ...range(bounds.min, to)];
}

function valueOf(item: string, text: string, bounds: Bounds): number {
  const name = bounds === WEEKDAY ? weekdayOf(text) : null;
  const value = /^\d{1,3}$/.test(text) ? Number(text) : name;
  if (value === null || value < bounds.min || value > bounds.max) return refuse(item, bounds);
  return value;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, place) => from + place);
}

function refuse(item: string, { label, min, max }: Bounds): never {
  const names = label === WEEKDAY.label ? " (0 is Sunday) or names" : "";
  throw new TriggerError(
    `expected \`${label}\` to be a list of values from ${min} to ${max}${names}, ranges a-b or \
a-b/n, * or */n, got "${item}"`,
    item,
  );
}
