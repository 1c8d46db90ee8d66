/**
 * Cron expressions of five or six fields. `cron_text.ts` says what is allowed, cron-parser turns the
 * items of the fields into values, and the instants are computed here, by the rule in `zoned.ts`:
 * cron-parser's own answers move with the width of a gap and repeat after a restart in an overlap.
 */

import { CronExpressionParser, type CronFieldCollection } from "cron-parser";
import { TriggerError } from "../errors.ts";
import { bitsOf } from "./bits.ts";
import { type CronItems, cronItems } from "./cron_text.ts";
import type { LocalPattern } from "./local_pattern.ts";
import type { Trigger } from "./mod.ts";
import { comes, monthDaysOf } from "./month_days.ts";
import { zonedTrigger } from "./zoned.ts";
import { zoneOf } from "./zone.ts";

/** @throws {TriggerError} the expression or the zone cannot be read, or its date never comes */
export function cron(
  { expression, tz }: { readonly expression: string; readonly tz: string },
): Trigger {
  return zonedTrigger(patternOf(expression), zoneOf(tz));
}

/** Most tasks share a few expressions, and reading one costs more than a thousand questions to it. */
const PATTERNS_MAX = 2_000;
const patterns = new Map<string, LocalPattern>();

function patternOf(expression: string): LocalPattern {
  let pattern = patterns.get(expression);
  if (pattern === undefined) {
    pattern = makePattern(cronItems(expression));
    if (!comes(pattern.days)) {
      throw new TriggerError(
        `expected a date that comes, got "${expression}": no such month has such a day`,
        expression,
      );
    }
    if (patterns.size >= PATTERNS_MAX) patterns.clear();
    patterns.set(expression, pattern);
  }
  return pattern;
}

/**
 * cron-parser refuses lists whose items overlap, so it gets the first item of each field, then the
 * second of each, and so on. It also checks days against months, which is ours to judge, so months
 * go alone.
 */
function makePattern(items: CronItems): LocalPattern {
  const rounds = Math.max(...Object.values(items).map((list) => list.length));
  const parsed = Array.from({ length: rounds }, (_, round) => parseRound(items, round));
  const months = items.month.map((item) => parse(`0 0 0 * ${item} *`));
  const numbers = (key: "second" | "minute" | "hour") =>
    bitsOf(parsed.flatMap((fields) => fields[key].values));
  const weekdays = parsed.map(({ dayOfWeek }) => ({
    values: dayOfWeek.values.map(String),
    nth: dayOfWeek.nthDay,
  }));
  const datesOf = parsed.flatMap(({ dayOfMonth }) => dayOfMonth.values);
  const numberOf = (text: string) => Number.parseInt(text, 10) % 7;
  return {
    times: { hours: numbers("hour"), minutes: numbers("minute"), seconds: numbers("second") },
    days: monthDaysOf({
      months: months.flatMap((fields) => fields.month.values),
      daysOfMonth: datesOf.filter((value) => typeof value === "number"),
      isLastDayOfMonth: datesOf.includes("L"),
      daysOfWeek: weekdays.flatMap(({ values, nth }) =>
        nth > 0 ? [] : values.filter((value) => !value.endsWith("L")).map(numberOf)
      ),
      lastWeekdays: weekdays.flatMap(({ values }) =>
        values.filter((value) => value.endsWith("L")).map(numberOf)
      ),
      nthWeekdays: weekdays.flatMap(({ values, nth }) =>
        nth > 0 ? [{ weekday: numberOf(values[0]!), nth }] : []
      ),
      combine: isFree(items.dayOfMonth) || isFree(items.dayOfWeek) ? "and" : "or",
    }),
  };
}

/** A day field restricts nothing only when it is a star alone; a `1-31` is a restriction. */
function isFree(items: readonly string[]): boolean {
  return items.length === 1 && items[0] === "*";
}

/** A field with fewer items gives its last one again. */
function parseRound(items: CronItems, round: number): CronFieldCollection {
  const pick = (list: readonly string[]) => list[Math.min(round, list.length - 1)]!;
  const { second, minute, hour, dayOfMonth, dayOfWeek } = items;
  const times = `${pick(second)} ${pick(minute)} ${pick(hour)}`;
  return parse(`${times} ${pick(dayOfMonth)} * ${pick(dayOfWeek)}`);
}

function parse(text: string): CronFieldCollection {
  try {
    // All are given so that cron-parser looks at neither the machine's zone, its clock nor its chance.
    const options = { tz: "UTC", currentDate: 0, hashSeed: "none" };
    return CronExpressionParser.parse(text, options).fields;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TriggerError(`expected a cron expression, got "${text}": ${reason}`, text);
  }
}
