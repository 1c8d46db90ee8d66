/** What an entry says of trading sessions: `calendar` and its kin, and the trigger `session`. */

import { z } from "zod";

import { sessionLets } from "../policies/session.ts";
import type { Openings } from "../policies/window.ts";
import { openingsOf, windowText } from "../policies/window.ts";
import type { SessionSpec, TriggerSpec, WindowSpec } from "../task.ts";
import { calendarOf } from "../triggers/calendar.ts";
import type { Trigger } from "../triggers/mod.ts";
import { SESSION_OFFSET_MAX_MS } from "../triggers/session.ts";
import type { CalendarBook } from "./calendars.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { nameOf } from "./issues.ts";
import type { Subject, Telling } from "./policies.ts";
import { duration, line, map, words } from "./shapes.ts";

/** A margin reaches less far than to another session's day. */
const MARGIN_MAX_MS = 12 * 3_600_000;

const margin = duration({ minMs: 0, maxMs: MARGIN_MAX_MS });

/** Stands for no calendar where `defaults` name one. */
const NONE = "none";

/** The keys of the policy, for each entry and for `defaults`. */
export const sessionKeys = {
  calendar: z.union([
    line.transform((name) => [name]),
    z.array(line, { error: "a list" }).min(1, { error: "a list that is not empty" }),
  ], { error: "none, the name of a calendar such as XNYS, or a list of them" }).optional(),
  match: words(["any", "all"]).optional(),
  during: words(["session"]).optional(),
  lead: margin.optional(),
  lag: margin.optional(),
  unknown: words(["fire", "skip"]).optional(),
};

/** The trigger, as an entry says it. */
export const sessionTrigger = z.strictObject({ calendar: line, at: line.default("open") }, map);

/** What has no meaning without `calendar`. */
const NEEDS_CALENDAR = ["during", "match", "lead", "lag", "unknown"] as const;

/**
 * The policy of an entry; `null` where it has none. What is wrong about it is told.
 * @param window that of the entry: both may leave no time in which it could go out
 */
export function sessionOf(
  { name, entry, trigger }: Subject,
  telling: Telling,
  window: WindowSpec | null,
): SessionSpec | null {
  const { yaml, calendars, tell } = telling;
  const { defaults } = yaml.data;
  const written = entry.calendar ?? defaults.calendar;
  if (written === undefined) {
    const lone = NEEDS_CALENDAR.find((key) => entry[key] !== undefined);
    // Where something was refused, that may be the calendar.
    if (lone !== undefined && !yaml.damaged.has(name) && !yaml.lost.has("defaults")) {
      const message = `expected \`tasks.${name}\` to have a \`calendar\` for its \`${lone}\``;
      tell({ where: yaml.whereOf(["tasks", name, lone]), message });
    }
    return null;
  }
  const path = [...(entry.calendar === undefined ? ["defaults"] : ["tasks", name]), "calendar"];
  const specs = written.filter((each) => each !== NONE).flatMap((each) => {
    const found = calendars.find(each);
    if (found !== null) return [found.spec];
    tell({
      where: yaml.whereOf(path),
      message: `expected \`${nameOf(path)}\` to be ${wanted(each, calendars)}`,
    });
    return [];
  });
  if (specs.length === 0) return null;
  const spec: SessionSpec = {
    calendars: [...new Set(specs)],
    match: entry.match ?? defaults.match ?? "any",
    leadMs: entry.lead ?? defaults.lead ?? 0,
    lagMs: entry.lag ?? defaults.lag ?? 0,
    unknown: entry.unknown ?? defaults.unknown ?? "fire",
  };
  const mics = spec.calendars.map(({ mic }) => mic).join(" and ");
  if (!isEverLet(trigger, spec, null)) {
    telling.hint(
      `${name} is never due in a session of ${mics}, and outside of one it is skipped: it will not ` +
        "be published; `calendar: none` ends that, `lead` and `lag` widen the session",
    );
  } else if (window !== null && !isEverLet(trigger, spec, window)) {
    telling.hint(
      `${name} is never due in a session of ${mics} that its window ${
        windowText(window)
      } lets it ` +
        "go out in: it will not be published; `window: none` or `calendar: none` ends that",
    );
  }
  return spec;
}

/** Those of a year and a half: enough for a task of once a year. */
const SESSIONS_MAX = 400;

/**
 * Whether some fire of a task goes out in a session, as far as the last sessions of the data tell. Where
 * there is one, it is the first after an open, a break or the opening of its window, or waits for that.
 */
function isEverLet(trigger: Trigger, spec: SessionSpec, window: WindowSpec | null): boolean {
  const lets = sessionLets(spec);
  const openings = window === null ? null : openingsOf(window);
  const opensMs = (dueMs: number) => Math.max(dueMs, openings?.at(dueMs).fromMs ?? dueMs);
  return spec.calendars.map(calendarOf).some((calendar) => {
    for (let at = Math.max(0, calendar.count - SESSIONS_MAX); at < calendar.count; at++) {
      const { openMs, closeMs, breaks } = calendar.at(at);
      const [sinceMs, untilMs] = [openMs - spec.leadMs, closeMs + spec.lagMs];
      const gates = openings === null ? [] : openingsIn(openings, sinceMs, untilMs);
      const starts = [sinceMs, ...breaks.map(([, endMs]) => endMs), ...gates];
      const isDue = starts.some((fromMs) => {
        const dueMs = trigger.next(fromMs - 1);
        return dueMs !== null && dueMs < untilMs && lets(dueMs) && opensMs(dueMs) === dueMs;
      });
      const isAwaited = gates.some((gateMs) => {
        const dueMs = trigger.last(gateMs);
        return dueMs !== null && opensMs(dueMs) === gateMs && lets(dueMs) && lets(gateMs);
      });
      if (isDue || isAwaited) return true;
    }
    return false;
  });
}

/** When a window opens in [sinceMs, untilMs). */
function openingsIn(openings: Openings, sinceMs: number, untilMs: number): number[] {
  const found: number[] = [];
  for (
    let opening = openings.at(sinceMs);
    opening.fromMs < untilMs;
    opening = openings.at(opening.endMs)
  ) found.push(opening.fromMs);
  return found.filter((ms) => ms >= sinceMs);
}

function wanted(name: string, calendars: CalendarBook): string {
  return `a known calendar, got ${JSON.stringify(name)}${calendars.advice(name)}`;
}

const AT = /^(open|close)\s*(?:([+-])\s*(\S.*))?$/;

/** `open`, `close-15m`. */
export function sessionTriggerOf(
  { calendar: name, at }: z.output<typeof sessionTrigger>,
  calendars: CalendarBook,
): { readonly spec: TriggerSpec } | { readonly message: string } {
  const found = calendars.find(name);
  if (found === null) {
    return { message: `to name in its \`session\` ${wanted(name, calendars)}` };
  }
  const [, anchor, sign, text] = AT.exec(at.trim()) ?? [];
  const offsetMs = text === undefined ? 0 : Math.round(parseDuration(text) ?? NaN);
  if (anchor === undefined || !(offsetMs <= SESSION_OFFSET_MAX_MS)) {
    return {
      message: "to have a session `at` such as open, open+5m or close-15m, within " +
        `${formatDuration(SESSION_OFFSET_MAX_MS)}, got ${JSON.stringify(at)}`,
    };
  }
  return {
    spec: {
      kind: "session",
      calendar: found.spec,
      anchor: anchor as "open" | "close",
      offsetMs: sign === "-" && offsetMs > 0 ? -offsetMs : offsetMs,
    },
  };
}
