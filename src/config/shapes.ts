/** The small shapes that `beat.yaml` is made of. The messages say what was expected (see `issues.ts`). */

import { z } from "zod";

import { DURATION, formatDuration, parseDuration } from "./duration.ts";
import { isZone, zoneWanted } from "./zone.ts";

/** The longest of most durations: a year. Milliseconds. */
const YEAR_MS = 366 * 86_400_000;
/** What was expected of a duration. */
export const A_DURATION = "a duration such as 15m, 1h30m or 500ms, or a number of seconds";

/** A duration, as whole milliseconds unless `isFractional`. */
export function duration(
  { minMs, maxMs = YEAR_MS, isFractional = false }: {
    minMs: number;
    maxMs?: number;
    isFractional?: boolean;
  },
) {
  const written = z.union([z.number(), z.string().regex(DURATION, { error: A_DURATION })], {
    error: A_DURATION,
  });
  return written.transform((value, context) => {
    const readMs = parseDuration(value);
    const durationMs = readMs === null || isFractional ? readMs : Math.round(readMs);
    if (durationMs !== null && durationMs >= minMs && durationMs <= maxMs) return durationMs;
    const range = `${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
    context.addIssue({ code: "custom", message: `a duration from ${range}` });
    return z.NEVER;
  });
}

/** One word of a list. */
export function words<const T extends readonly string[]>(list: T) {
  return z.enum(list, { error: list.join(", ") });
}

/** A text of one to 255 characters. */
export const line = z.string({ error: "text" }).min(1, { error: "text that is not empty" })
  .max(255, { error: "text of at most 255 characters" });
/** `true` or `false`, nothing else. */
export const flag = z.boolean({ error: "true or false" });
/** What was expected of a map. */
export const map = { error: "a map" };
/** The name of a time zone. */
export const zone = line.refine(isZone, { error: ({ input }) => zoneWanted(input) });

/** A whole number in a range, both ends included. */
export function wholeNumber({ min, max }: { min: number; max: number }) {
  return z.int({ error: `a whole number from ${min} to ${max}` })
    .min(min, { error: `a whole number from ${min} to ${max}` })
    .max(max, { error: `a whole number from ${min} to ${max}` });
}
