/** Times and spans as people read them. */

/** RFC 3339 in UTC with milliseconds. */
export function instantText(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(ms).toString({ fractionalSecondDigits: 3 });
}

/** RFC 3339 in UTC, without a fraction where that is nought: due times mostly are whole seconds. */
export function dueText(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(ms).toString();
}

const UNITS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1_000]] as const;

/** A span in its largest unit and the next: `4 ms`, `1.25 s`, `2 min 5 s`, `3 d 4 h`. */
export function spanText(ms: number): string {
  if (ms < 0) return `-${spanText(-ms)}`;
  if (ms < 1_000) return `${trimmed(ms, 1)} ms`;
  if (ms < 60_000) return `${trimmed(ms / 1_000, 2)} s`;
  let restMs = Math.round(ms / 1_000) * 1_000;
  const parts: string[] = [];
  for (const [unit, unitMs] of UNITS) {
    const count = Math.floor(restMs / unitMs);
    restMs -= count * unitMs;
    if (count > 0) parts.push(`${count} ${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

function trimmed(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
