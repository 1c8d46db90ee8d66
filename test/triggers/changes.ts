/** Days on which clocks change, in zones that change them in unlike ways. */

export interface Change {
  readonly tz: string;
  /** The first instant with the new offset. Unix milliseconds. */
  readonly atMs: number;
}

const CASES = [
  { tz: "America/New_York", year: 2026 }, // an hour, at 02:00
  { tz: "Europe/London", year: 2026 }, // an hour, at 01:00; UTC itself in winter
  { tz: "Australia/Lord_Howe", year: 2026 }, // half an hour
  { tz: "Antarctica/Troll", year: 2026 }, // two hours
  { tz: "Pacific/Chatham", year: 2026 }, // at 02:45, with a quarter in the offset
  { tz: "America/Santiago", year: 2026 }, // at midnight, both ways
  { tz: "Africa/Cairo", year: 2026 }, // forward at midnight
  { tz: "Pacific/Apia", year: 2011 }, // a whole day left out, on 30 December
];

/** Each change of each zone in its year. */
export const CHANGES: readonly Change[] = CASES.flatMap(({ tz, year }) => {
  const changes: Change[] = [];
  const start = Temporal.PlainDate.from({ year, month: 1, day: 1 }).toZonedDateTime(tz);
  for (let at = start.getTimeZoneTransition("next"); at !== null;) {
    if (at.year > year) break;
    changes.push({ tz, atMs: at.epochMilliseconds });
    at = at.getTimeZoneTransition("next");
  }
  return changes;
});

export function nameOf({ tz, atMs }: Change): string {
  return `${tz} at ${Temporal.Instant.fromEpochMilliseconds(atMs)}`;
}
