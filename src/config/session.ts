/** What an entry says of trading sessions: `calendar` and its kin, and the trigger `session`. */

import { z } from "zod";

import type { SessionSpec, TriggerSpec } from "../task.ts";
import { SESSION_OFFSET_MAX_MS } from "../triggers/session.ts";
import type { CalendarBook } from "./calendars.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { duration, line, map, words } from "./shapes.ts";

/** A margin reaches less far than to another session's day. */
const MARGIN_MAX_MS = 12 * 3_600_000;

const margin = duration({ minMs: 0, maxMs: MARGIN_MAX_MS });

/** The keys of the policy, for each entry and for `defaults`. */
export const sessionKeys = {
  calendar: z.union([
    line.transform((name) => [name]),
    z.array(line, { error: "a list" }).min(1, { error: "a list that is not empty" }),
  ], { error: "the name of a calendar such as XNYS, or a list of them" }).optional(),
  match: words(["any", "all"]).optional(),
  during: words(["session", "always"]).optional(),
  lead: margin.optional(),
  lag: margin.optional(),
  unknown: words(["fire", "skip"]).optional(),
};

type SessionYaml = z.output<z.ZodObject<typeof sessionKeys>>;

/** The trigger, as an entry says it. */
export const sessionTrigger = z.strictObject({ calendar: line, at: line.default("open") }, map);

/** Where a refusal belongs, and what was expected: the end of a sentence about the entry. */
export interface Refusal {
  readonly key: string;
  readonly message: string;
}

/** What has no meaning without `calendar`. */
const NEEDS_CALENDAR = ["match", "lead", "lag", "unknown"] as const;

/**
 * The policy of an entry; `null` where it has none.
 *
 * @param entry goes before `defaults`
 * @param refuse told of what cannot be
 */
export function sessionOf(
  entry: SessionYaml,
  defaults: SessionYaml,
  { calendars, refuse }: { calendars: CalendarBook; refuse(refusal: Refusal): void },
): SessionSpec | null {
  const said: SessionYaml = { ...defaults, ...withoutUndefined(entry) };
  if (said.calendar === undefined) {
    const lone = entry.during === "session" ? "during" : NEEDS_CALENDAR.find((key) => key in entry);
    if (lone !== undefined) {
      refuse({ key: lone, message: `to have a \`calendar\` for its \`${lone}\`` });
    }
    return null;
  }
  if (said.during === "always") return null;
  const specs = said.calendar.flatMap((name) => {
    const found = calendars.find(name);
    if (found === null) refuse({ key: "calendar", message: wanted(name, calendars) });
    return found === null ? [] : [found.spec];
  });
  if (specs.length === 0) return null;
  return {
    calendars: [...new Set(specs)],
    match: said.match ?? "any",
    leadMs: said.lead ?? 0,
    lagMs: said.lag ?? 0,
    unknown: said.unknown ?? "fire",
  };
}

function withoutUndefined(value: SessionYaml): SessionYaml {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}

function wanted(name: string, calendars: CalendarBook): string {
  return `to have a known \`calendar\`, got ${JSON.stringify(name)}${calendars.advice(name)}`;
}

const AT = /^(open|close)\s*(?:([+-])\s*(\S.*))?$/;

/** `open`, `close-15m`. */
export function sessionTriggerOf(
  { calendar: name, at }: z.output<typeof sessionTrigger>,
  calendars: CalendarBook,
): { readonly spec: TriggerSpec } | { readonly message: string } {
  const found = calendars.find(name);
  if (found === null) return { message: wanted(name, calendars) };
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
