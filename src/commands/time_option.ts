/** Times on the command line: RFC 3339, a date, or a duration back from now. */

import { parseDuration } from "../config/duration.ts";
import { UsageError } from "../errors.ts";
import type { ReadRange } from "../ports.ts";
import type { Span } from "../sql/tables.ts";

const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)$/;
const DATE = /^\d{4}-\d\d-\d\d$/;
const NUMBER = /^[\d.]+$/;

/**
 * The instant that an option means, in whole Unix milliseconds.
 *
 * @param option as it was written, for the message
 * @param nowMs what a duration is counted back from
 * @throws {UsageError}
 */
export function parseTimeOption(option: string, text: string, nowMs: number): number {
  // A number alone could be seconds, milliseconds or a year.
  const durationMs = NUMBER.test(text) ? null : parseDuration(text);
  if (durationMs !== null) return Math.round(nowMs - durationMs);
  const instantMs = DATE.test(text)
    ? instantMsOf(`${text}T00:00Z`)
    : RFC_3339.test(text)
    ? instantMsOf(text)
    : null;
  if (instantMs !== null) return instantMs;
  throw new UsageError(
    `expected \`${option}\` to be a time with its offset (2026-01-31T08:00:00Z), a date (UTC), ` +
      `or a duration back from now (90s, 24h, 7d), got "${text}"`,
  );
}

/** `--since` and `--until`, as they were written. */
export interface SpanOptions {
  readonly since?: string;
  readonly until?: string;
}

/**
 * Refuses what is wrong at any time, before somebody connects to ask for the time.
 * @throws {UsageError}
 */
export function checkSpan(options: SpanOptions): void {
  const { since, until } = options;
  // Whether an hour back is before an instant, the time decides.
  const isOpen = since !== undefined && until !== undefined && isBack(since) !== isBack(until);
  for (const each of isOpen ? [{ since }, { until }] : [options]) parseSpan(each, 0);
}

/**
 * From `--since` to `--until`.
 *
 * @param nowMs what a duration is counted back from: the server's time, as that of rows is
 * @throws {UsageError}
 */
export function parseSpan({ since, until }: SpanOptions, nowMs: number): Span {
  const sinceMs = since === undefined ? null : parseTimeOption("--since", since, nowMs);
  const untilMs = until === undefined ? null : parseTimeOption("--until", until, nowMs);
  if (sinceMs === null || untilMs === null || sinceMs <= untilMs) return { sinceMs, untilMs };
  throw new UsageError(`expected \`--since\` to be before \`--until\`, got ${since} and ${until}`);
}

/** A span as a range of the journal. */
export function rangeOf({ sinceMs, untilMs }: Span): ReadRange {
  return {
    from: sinceMs === null ? "-" : String(sinceMs),
    to: untilMs === null ? "+" : String(untilMs),
  };
}

function isBack(text: string): boolean {
  return !NUMBER.test(text) && parseDuration(text) !== null;
}

function instantMsOf(text: string): number | null {
  try {
    return Temporal.Instant.from(text).epochMilliseconds;
  } catch {
    return null;
  }
}
