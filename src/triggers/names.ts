/** English names of weekdays and months, whole or cut to three letters or more, in any case. */

const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS = [
  "january",
  "february",
  "march",
  "april",
  "may",
  "june",
  "july",
  "august",
  "september",
  "october",
  "november",
  "december",
];

/** 0 for Sunday to 6, or `null`. */
export function weekdayOf(name: string): number | null {
  return placeOf(WEEKDAYS, name);
}

/** 1 for January to 12, or `null`. */
export function monthOf(name: string): number | null {
  const place = placeOf(MONTHS, name);
  return place === null ? null : place + 1;
}

function placeOf(names: readonly string[], name: string): number | null {
  const wanted = name.toLowerCase();
  const place = wanted.length < 3 ? -1 : names.findIndex((known) => known.startsWith(wanted));
  return place < 0 ? null : place;
}
