/** Things that are allowed, but deserve a word at start. */

import type { TriggerSpec } from "../task.ts";
import { formatDuration } from "./duration.ts";
import { nearestWord } from "./nearest.ts";
import { VARIABLES } from "./variables.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What to say about a trigger, or `null`. */
export function triggerHint(
  name: string,
  spec: TriggerSpec,
  { hasPhase }: { hasPhase: boolean },
): string | null {
  if (spec.kind === "every" && spec.everyMs >= HOUR_MS && !hasPhase) {
    return `${name} is due every ${formatDuration(spec.everyMs)} ${anchored(spec.everyMs)}, ` +
      `whenever Beat starts; \`phase\` moves that`;
  }
  if (spec.kind !== "cron") return null;
  const fields = spec.expression.trim().split(/\s+/);
  if (fields.length === 6 && (fields[2] === "?" || fields[4] === "?")) {
    return `${name}: six fields begin with seconds, so \`?\` stands for each hour or month here; ` +
      `where the last is meant as the year, as in EventBridge, leave it out`;
  }
  if (hasBothDays(fields)) {
    return `${name}: day of month and day of week are both given; cron is due when either fits ` +
      `(\`crontab\` wants both)`;
  }
  return null;
}

/** The most times of day that are listed one by one. */
const LISTED_MAX = 4;

/** When multiples of `everyMs` since the epoch are, in words. */
function anchored(everyMs: number): string {
  if (everyMs === HOUR_MS) return "on the hour";
  if (everyMs === 7 * DAY_MS) return "at 00:00 UTC on Thursdays";
  if (DAY_MS % everyMs !== 0) return "counted from 1970-01-01 00:00 UTC";
  const count = DAY_MS / everyMs;
  const times = Array.from({ length: Math.min(count, LISTED_MAX) }, (_, at) => clock(at * everyMs));
  return count > LISTED_MAX ? `at ${times[0]}, ${times[1]} … UTC` : `at ${times.join(", ")} UTC`;
}

function clock(ofDayMs: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  return `${two(ofDayMs / HOUR_MS)}:${two((ofDayMs % HOUR_MS) / 60_000)}`;
}

function hasBothDays(fields: readonly string[]): boolean {
  const [dayOfMonth, , dayOfWeek] = fields.slice(-3);
  const isFree = (field: string | undefined) => field === "*" || field === "?";
  return fields.length >= 5 && !isFree(dayOfMonth) && !isFree(dayOfWeek);
}

/** The first parts of the variables that Beat reads; others cannot be slips of them. */
const PREFIXES = [
  ...new Set(Object.keys(VARIABLES.shape).map((name) => name.slice(0, name.indexOf("_") + 1))),
];

/** Names that are set, are not read, and look like one that is read and not set. */
export function slipHints(names: Iterable<string>): string[] {
  const set = new Set(names);
  const unset = Object.keys(VARIABLES.shape).filter((name) => !set.has(name));
  const hints: string[] = [];
  for (const name of set) {
    if (name in VARIABLES.shape || !PREFIXES.some((prefix) => name.startsWith(prefix))) continue;
    const meant = nearestWord(name, unset, { slipsMost: 2 });
    if (meant !== null) hints.push(`${name} is set, but not read; did you mean ${meant}?`);
  }
  return hints;
}
