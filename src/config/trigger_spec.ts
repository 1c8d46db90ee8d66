/** What an entry says of when it is due, as a `TriggerSpec`. */

import { createHash } from "node:crypto";

import type { TriggerSpec } from "../task.ts";
import type { CalendarBook } from "./calendars.ts";
import { formatDuration } from "./duration.ts";
import type { TaskYaml } from "./schema.ts";
import { sessionTriggerOf } from "./session.ts";

/** The keys of which an entry has exactly one. */
const TRIGGER_KEYS = ["every", "cron", "crontab", "at", "session"] as const;
type TriggerKey = (typeof TRIGGER_KEYS)[number];

/** `key` is where a refusal belongs. */
export type SpecResult =
  | { readonly kind: "spec"; readonly spec: TriggerSpec; readonly key: TriggerKey }
  | { readonly kind: "refused"; readonly key: string | null; readonly message: string };

/**
 * @param options.timezone the zone of triggers that name none
 * @param options.calendars those that a session trigger may name
 */
export function triggerSpecOf(
  entry: TaskYaml,
  { name, timezone, calendars }: { name: string; timezone: string; calendars: CalendarBook },
): SpecResult {
  const keys = TRIGGER_KEYS.filter((key) => entry[key] !== undefined);
  const [key] = keys;
  if (key === undefined || keys.length > 1) {
    const got = key === undefined ? "none" : keys.join(" and ");
    return refuse(null, `to have one of every, cron, crontab, at and session, got ${got}`);
  }
  if (entry.phase !== undefined && key !== "every") {
    return refuse("phase", `to have \`phase\` with \`every\` only, got it with \`${key}\``);
  }
  if (entry.tz !== undefined && (key === "every" || key === "session")) {
    return refuse("tz", `to have \`tz\` with cron, crontab or at, got it with \`${key}\``);
  }
  const tz = entry.tz ?? timezone;
  switch (key) {
    case "every":
      return everyOf(entry.every!, { name, phase: entry.phase });
    case "cron":
      return { kind: "spec", key, spec: { kind: "cron", expression: entry.cron!, tz } };
    case "crontab":
      return crontabOf(entry.crontab!, tz);
    case "at":
      return atOf(entry.at!, tz);
    case "session": {
      const read = sessionTriggerOf(entry.session!, calendars);
      return "spec" in read ? { kind: "spec", key, ...read } : refuse(key, read.message);
    }
  }
}

function refuse(key: string | null, message: string): SpecResult {
  return { kind: "refused", key, message };
}

function everyOf(
  everyMs: number,
  { name, phase }: { name: string; phase: TaskYaml["phase"] },
): SpecResult {
  const phaseMs = phaseOf(phase, { name, everyMs });
  if (phaseMs === null) {
    return refuse("phase", `to have a \`phase\` below its \`every\`, ${formatDuration(everyMs)}`);
  }
  return { kind: "spec", key: "every", spec: { kind: "every", everyMs, phaseMs } };
}

/**
 * @param phase milliseconds, or `auto` for a place in the interval that follows from the name
 * @returns `null` when the phase is not below the interval
 */
export function phaseOf(
  phase: TaskYaml["phase"],
  { name, everyMs }: { name: string; everyMs: number },
): number | null {
  if (phase !== "auto") return (phase ?? 0) < everyMs ? phase ?? 0 : null;
  const fraction = createHash("sha1").update(name).digest().readUInt32BE(0) / 2 ** 32;
  return Math.floor(fraction * everyMs);
}

/** Celery prints its fields in this order, and says so, up to 5.2; then in the order of cron. */
const PRINTED = /^<crontab: (.+) \((m\/h\/d\/dM\/MY|m\/h\/dM\/MY\/d)\)>$/;

function crontabOf(crontab: NonNullable<TaskYaml["crontab"]>, tz: string): SpecResult {
  if (typeof crontab !== "string") {
    const { minute, hour, day_of_week, day_of_month, month_of_year } = crontab;
    return crontabSpec([minute, hour, day_of_month, month_of_year, day_of_week], tz);
  }
  const printed = PRINTED.exec(crontab.trim());
  const fields = (printed?.[1] ?? crontab).trim().split(/\s+/);
  if (fields.length !== 5) {
    const form = "minute, hour, day of month, month and day of week";
    return refuse(
      "crontab",
      `to have a \`crontab\` of five fields (${form}), got ${fields.length}`,
    );
  }
  const isOldOrder = printed?.[2] === "m/h/d/dM/MY";
  const [minute, hour, third, fourth, fifth] = fields as [string, string, string, string, string];
  return crontabSpec(
    isOldOrder ? [minute, hour, fourth, fifth, third] : [minute, hour, third, fourth, fifth],
    tz,
  );
}

function crontabSpec(
  [minute, hour, dayOfMonth, monthOfYear, dayOfWeek]: [string, string, string, string, string],
  tz: string,
): SpecResult {
  return {
    kind: "spec",
    key: "crontab",
    spec: { kind: "crontab", minute, hour, dayOfWeek, dayOfMonth, monthOfYear, tz },
  };
}

/** An instant with its offset, or a local time in `tz` that exists there. */
function atOf(text: string, tz: string): SpecResult {
  const atMs = instantOf(text.trim(), tz);
  if (atMs !== null) return { kind: "spec", key: "at", spec: { kind: "at", atMs } };
  return refuse(
    "at",
    `to have an \`at\` that exists, such as 2027-01-31T09:00:00+01:00, or without an offset in ` +
      `${tz}, got ${JSON.stringify(text)}`,
  );
}

/** Temporal reads more than that, and passes over what it has no use for: an offset among it. */
const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::[0-5]\d(?:\.\d{1,9})?)?(z|[+-]\d\d(?::?\d\d)?)?$/i;

function instantOf(text: string, tz: string): number | null {
  const time = TIME.exec(text);
  if (time === null) return null;
  try {
    if (time[1] !== undefined) return Temporal.Instant.from(text).epochMilliseconds;
    const local = Temporal.PlainDateTime.from(text);
    // The first pass of a repeated time; a time in a gap comes back as another one.
    const zoned = local.toZonedDateTime(tz, { disambiguation: "earlier" });
    return zoned.toPlainDateTime().equals(local) ? zoned.epochMilliseconds : null;
  } catch {
    return null;
  }
}
