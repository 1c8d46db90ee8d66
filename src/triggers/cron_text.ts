/**
 * What a cron expression may look like. Splits it, refuses what is not allowed with a sentence on
 * what is, and writes each item of each list in the plain form that cron-parser reads rightly.
 */

import { TriggerError } from "../errors.ts";
import { monthOf, weekdayOf } from "./names.ts";

/** The items of each field's list: `*`, `5`, `1-5`, `10-40/2`, `L`, `5L`, `5#2`; no names. */
export interface CronItems {
  readonly second: readonly string[];
  readonly minute: readonly string[];
  readonly hour: readonly string[];
  readonly dayOfMonth: readonly string[];
  readonly month: readonly string[];
  readonly dayOfWeek: readonly string[];
}

interface Field {
  readonly key: keyof CronItems;
  readonly label: string;
  readonly min: number;
  readonly max: number;
  /** How many values there are, which is the widest step. */
  readonly size: number;
  nameOf(text: string): number | null;
}

const noName = () => null;
const FIELDS: readonly Field[] = [
  { key: "second", label: "second", min: 0, max: 59, size: 60, nameOf: noName },
  { key: "minute", label: "minute", min: 0, max: 59, size: 60, nameOf: noName },
  { key: "hour", label: "hour", min: 0, max: 23, size: 24, nameOf: noName },
  { key: "dayOfMonth", label: "day of month", min: 1, max: 31, size: 31, nameOf: noName },
  { key: "month", label: "month", min: 1, max: 12, size: 12, nameOf: monthOf },
  { key: "dayOfWeek", label: "day of week", min: 0, max: 7, size: 7, nameOf: weekdayOf },
];

const NICKNAMES: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
  "@minutely": "* * * * *",
  "@secondly": "* * * * * *",
  "@weekdays": "0 0 * * 1-5",
  "@weekends": "0 0 * * 0,6",
};

/** Listing every value of every field takes about half of this. */
const LENGTH_MAX = 1_000;

/** @throws {TriggerError} it is not an expression of five or six fields, or a nickname */
export function cronItems(expression: string): CronItems {
  const refuse = (wanted: string, got: string): never => {
    throw new TriggerError(`expected ${wanted}, got "${got}"`, expression);
  };
  if (expression.length > LENGTH_MAX) {
    refuse(`a cron expression of at most ${LENGTH_MAX} characters`, expression.slice(0, 40) + "…");
  }
  const fields = spellOut(expression, refuse).split(/\s+/);
  if (fields.length === 5) fields.unshift("0");
  if (fields.length !== 6) {
    refuse("a cron expression of 5 fields, or 6 with seconds first", expression);
  }
  const entries = FIELDS.map((field, place) => {
    const read = (item: string) =>
      normalise(
        field,
        item,
        (wanted) => refuse(`\`${field.label}\` to be ${wanted}`, `${item}" in "${expression}`),
      );
    return [field.key, fields[place]!.split(",").map(read)];
  });
  return Object.fromEntries(entries);
}

type Refuse = (wanted: string) => never;

function spellOut(expression: string, refuse: (wanted: string, got: string) => never): string {
  const text = expression.trim();
  if (!text.startsWith("@")) return text;
  return NICKNAMES[text.toLowerCase()] ??
    refuse(`a nickname out of ${Object.keys(NICKNAMES).join(", ")}`, expression);
}

function normalise(field: Field, item: string, refuse: Refuse): string {
  if (item === "?") return "*";
  if (field.key === "dayOfMonth" && /^l$/i.test(item)) return "L";
  if (field.key === "dayOfWeek") {
    const special = /^(\w+?)(?:(l)|#([1-5]))$/i.exec(item);
    if (special !== null) {
      const weekday = valueOf(field, special[1]!, refuse);
      return special[2] === undefined ? `${weekday}#${special[3]}` : `${weekday}L`;
    }
  }
  refuseForeign(field, item, refuse);
  const plain = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(item);
  if (plain === null) return refuse(formsOf(field));
  const [, star, first, last, step] = plain;
  const steps = step === undefined ? "" : `/${stepOf(field, step, refuse)}`;
  if (star !== undefined) return `*${steps}`;
  const from = valueOf(field, first!, refuse);
  if (last === undefined) return `${from}${steps}`;
  const to = valueOf(field, last, refuse);
  if (to < from) {
    const instead = field.key === "dayOfWeek" && to === 0
      ? `${from}-7, for Sunday is 7 too`
      : `${from}-${field.max},${field.min}-${to}`;
    refuse(`a range that rises (only Celery's crontab wraps; write ${instead})`);
  }
  return `${from}-${to}${steps}`;
}

/** Forms that other dialects have, so that their users learn why they are refused. */
function refuseForeign(field: Field, item: string, refuse: Refuse): void {
  if (field.key === "dayOfMonth" && /^(?:l?w|\d+w|w\d+|l-\d+w?)$/i.test(item)) {
    refuse("without W and L-n, which are not supported (L alone is the last day)");
  }
  if (field.key === "dayOfWeek" && /^l$/i.test(item)) {
    refuse("a weekday before L, as 5L for the last Friday of the month");
  }
  if (field.key === "dayOfWeek" && item.includes("#")) {
    refuse("a weekday and its place in the month from 1 to 5, as 5#2");
  }
}

function valueOf(field: Field, text: string, refuse: Refuse): number {
  const value = /^\d{1,3}$/.test(text) ? Number(text) : field.nameOf(text);
  if (value === null || value < field.min || value > field.max) return refuse(formsOf(field));
  return value;
}

function stepOf(field: Field, text: string, refuse: Refuse): number {
  const step = Number(text);
  if (step < 1 || step > field.size) return refuse(`stepped by 1 to ${field.size}`);
  return step;
}

function formsOf({ key, min, max }: Field): string {
  const names = key === "month" ? " or names" : key === "dayOfWeek" ? ", names, 5L or 5#2" : "";
  const last = key === "dayOfMonth" ? " or L" : "";
  return `a list of values from ${min} to ${max}${names}${last}, ranges, or * with or without a step`;
}
