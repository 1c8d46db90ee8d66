/** Random cron expressions, each with a predicate that says by itself what the text means. */

import fc from "fast-check";

/** What a clock on the wall and a calendar show. */
export interface Shown {
  readonly hour: number;
  readonly minute: number;
  readonly day: number;
  readonly month: number;
  /** 0 for Sunday. */
  readonly weekday: number;
  readonly daysInMonth: number;
}

export interface RandomCron {
  /** Five fields. */
  readonly text: string;
  readonly isEveryHour: boolean;
  matches(shown: Shown): boolean;
}

interface Item {
  readonly text: string;
  has(value: number, shown: Shown): boolean;
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

const star: Item = { text: "*", has: () => true };
const lastDay: Item = { text: "L", has: (_, { day, daysInMonth }) => day === daysInMonth };

/** Dense enough that a few days have something to show. */
export const randomCron: fc.Arbitrary<RandomCron> = fc.record({
  minute: listOf(oneOf(numberItems({ min: 0, max: 59 }))),
  hour: listOf(oneOf(numberItems({ min: 0, max: 23 }))),
  day: listOf(oneOf([...numberItems({ min: 1, max: 31 }), fc.constant(lastDay)])),
  month: listOf(oneOf(numberItems({ min: 1, max: 12 }))),
  weekday: listOf(oneOf([...numberItems({ min: 0, max: 6 }), ...weekdayItems()])),
}).map(({ minute, hour, day, month, weekday }) => {
  const has = (items: Item[], value: number, shown: Shown) =>
    items.some((item) => item.has(value, shown));
  const isFree = (items: Item[]) => textOf(items) === "*";
  const anyHour = { hour: 0, minute: 0, day: 1, month: 1, weekday: 0, daysInMonth: 31 };
  return {
    text: [minute, hour, day, month, weekday].map(textOf).join(" "),
    isEveryHour: Array.from({ length: 24 }, (_, value) => value)
      .every((value) => has(hour, value, anyHour)),
    matches(shown) {
      const isTime = has(minute, shown.minute, shown) && has(hour, shown.hour, shown);
      if (!isTime || !has(month, shown.month, shown)) return false;
      const isDate = has(day, shown.day, shown);
      const isWeekday = has(weekday, shown.weekday, shown);
      return isFree(day) || isFree(weekday) ? isDate && isWeekday : isDate || isWeekday;
    },
  };
});

function textOf(items: readonly Item[]): string {
  return items.map((item) => item.text).join(",");
}

/** A star more often than not, else up to three items, which may overlap. */
function listOf(item: fc.Arbitrary<Item>): fc.Arbitrary<Item[]> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant<Item[]>([star]) },
    { weight: 2, arbitrary: fc.array(item, { minLength: 1, maxLength: 3 }) },
  );
}

function oneOf(items: fc.Arbitrary<Item>[]): fc.Arbitrary<Item> {
  return fc.oneof(...items);
}

function numberItems({ min, max }: Bounds): fc.Arbitrary<Item>[] {
  const value = fc.integer({ min, max });
  const step = fc.integer({ min: 1, max: max - min + 1 });
  const pair = fc.tuple(value, value).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  return [
    value.map((only) => ({ text: `${only}`, has: (asked) => asked === only })),
    step.map((by) => ({ text: `*/${by}`, has: (asked) => (asked - min) % by === 0 })),
    fc.tuple(value, step).map(([from, by]) => ({
      text: `${from}/${by}`,
      // Cron's week has two Sundays: it ends with 7.
      has: (asked) =>
        [asked, ...(max === 6 && asked === 0 ? [7] : [])]
          .some((each) => each >= from && (each - from) % by === 0),
    })),
    pair.map(([from, to]) => ({
      text: `${from}-${to}`,
      has: (asked) => asked >= from && asked <= to,
    })),
    fc.tuple(pair, step).map(([[from, to], by]) => ({
      text: `${from}-${to}/${by}`,
      has: (asked) => asked >= from && asked <= to && (asked - from) % by === 0,
    })),
  ];
}

const NAMES = ["sun", "Mon", "TUE", "wednesday", "Thu", "fri", "SATURDAY"];

function weekdayItems(): fc.Arbitrary<Item>[] {
  const weekday = fc.integer({ min: 0, max: 6 });
  return [
    fc.constant({ text: "7", has: (asked) => asked === 0 }),
    weekday.map((only) => ({ text: NAMES[only]!, has: (asked) => asked === only })),
    weekday.map((only) => ({
      text: `${only}L`,
      has: (asked, { day, daysInMonth }) => asked === only && day > daysInMonth - 7,
    })),
    fc.tuple(weekday, fc.integer({ min: 1, max: 5 })).map(([only, nth]) => ({
      text: `${only}#${nth}`,
      has: (asked, { day }) => asked === only && Math.ceil(day / 7) === nth,
    })),
  ];
}
