/** Times as Celery reads them right in every version: six fraction digits and a numeric offset. */

/**
 * `2026-11-24T18:51:45.971000+00:00`. JavaScript's own form (three digits and `Z`) is misread by
 * Celery 5.2, which takes the three digits as microseconds, and refused by some later versions.
 * @param timeMs Unix milliseconds, whole
 */
export function timeText(timeMs: number): string {
  const day = Math.floor(timeMs / DAY_MS);
  if (day !== lastDay) {
    lastDayText = new Date(day * DAY_MS).toISOString().slice(0, "2026-11-24T".length);
    lastDay = day;
  }
  const ms = timeMs - day * DAY_MS;
  const second = Math.floor(ms / 1000);
  return lastDayText + twoDigits(Math.floor(second / 3600)) + ":" +
    twoDigits(Math.floor(second / 60) % 60) + ":" + twoDigits(second % 60) + "." +
    String(1000 + Math.floor(ms % 1000)).slice(1) + "000+00:00";
}

const DAY_MS = 86_400_000;

/** Nearly all times of a batch are of one day, and a date costs more than all the rest of a message. */
let lastDay = NaN;
let lastDayText = "";

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

/**
 * Unix milliseconds, cut to whole ones, of an ISO 8601 text with any fraction; `null` when it is none.
 * A text without an offset is UTC: so Celery before 5.4 writes `date_done`.
 */
export function parseTimeText(text: unknown): number | null {
  if (typeof text !== "string" || !ISO_TIME.test(text)) return null;
  const timeMs = Date.parse(HAS_OFFSET.test(text) ? text : `${text}Z`);
  return Number.isNaN(timeMs) ? null : timeMs;
}

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$/;
const HAS_OFFSET = /(Z|[+-]\d\d:\d\d)$/;
