/** The variables that Beat knows: what each may be, and its default. */

import { z } from "zod";

import { TASK_NAME } from "../fire.ts";
import { LEASE_MAX_MS } from "../settings.ts";
import { isZone, zoneWanted } from "./zone.ts";

// By convention of this folder, the `error` of a schema says what was expected, as in
// "expected `X` to be …"; `issues.ts` writes the sentence around it.

const text = z.string();

const FLAGS: ReadonlyMap<string, boolean> = new Map([
  ...["true", "1", "yes", "on"].map((word) => [word, true] as const),
  ...["false", "0", "no", "off"].map((word) => [word, false] as const),
]);

function flag(standard: boolean) {
  return z.string().transform((value, context) => {
    const read = FLAGS.get(value.trim().toLowerCase());
    if (read !== undefined) return read;
    context.addIssue({ code: "custom", message: "true or false (or 1/0, yes/no, on/off)" });
    return z.NEVER;
  }).default(standard);
}

const DECIMAL = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

function number({ what, isAllowed }: { what: string; isAllowed: (value: number) => boolean }) {
  return z.string().transform((value, context) => {
    const read = Number(value);
    if (DECIMAL.test(value) && isAllowed(read)) return read;
    context.addIssue({ code: "custom", message: what });
    return z.NEVER;
  });
}

function whole({ min, max, unit }: { min: number; max?: number; unit?: string }) {
  const range = max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
  const highest = max ?? Number.MAX_SAFE_INTEGER;
  return number({
    what: `a whole number ${unit === undefined ? "" : `of ${unit} `}${range}`,
    isAllowed: (value) => Number.isInteger(value) && value >= min && value <= highest,
  });
}

/** The longest interval that a variable may name: a leap year. */
const INTERVAL_MAX_S = 366 * 86_400;

/** Above zero, and no finer than the shortest interval of a trigger. */
const seconds = number({
  what: `a number of seconds from 0.01 to ${INTERVAL_MAX_S}`,
  isAllowed: (value) => value >= 0.01 && value <= INTERVAL_MAX_S,
});

const minutes = whole({ min: 1, max: INTERVAL_MAX_S / 60, unit: "minutes" });

/** What a namespace may be: it is the first part of each of Beat's keys. */
export const NAMESPACE = z.string().regex(TASK_NAME, {
  error: "letters, digits, `_`, `.`, `:`, `-`",
})
  .max(64, { error: "at most 64 characters" });
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export const LOG_FORMATS = ["auto", "json", "text"] as const;

/** The bounds of a lease. Seconds. */
export const LEASE_S = { min: 0.5, max: LEASE_MAX_MS / 1000 } as const;

function oneOf<const T extends readonly string[]>(words: T) {
  const schema = z.enum(words, { error: words.join(", ") });
  return z.string().transform((value) => value.trim().toLowerCase()).pipe(schema);
}

/** A name, or an address with dots or, where there are two at least, with colons. */
const HOST = /^[A-Za-z0-9_.-]+$|^(?=.*:.*:)[0-9A-Fa-f:.]+$/;

/** Variables without a default here have theirs in `beat.yaml`'s schema, or depend on others. */
export const VARIABLES = z.object({
  // These decide which files are read; see `env_files.ts`.
  MINSY_ENV_PROFILE: text.default("dev"),
  MINSY_SERVICE: text.default("beat"),
  MINSY_CELERY_PROFILE: text.default("beat"),
  MINSY_ENV_FILES: text.optional(),
  MINSY_ENV_FILE: text.optional(),

  CELERY_BROKER_URL: text.optional(),
  CELERY_RESULT_BACKEND: text.optional(),
  BEAT_REDIS_URL: text.optional(),
  BEAT_SENTINEL_PASSWORD: text.optional(),
  REDIS_HOST: z.string().trim().regex(HOST, {
    error: "a host's name or address, without a port (REDIS_PORT has that)",
  }).optional(),
  REDIS_PORT: whole({ min: 1, max: 65_535 }).optional(),
  REDIS_DB: whole({ min: 0, max: 999_999 }).optional(),
  REDIS_PASSWORD: text.optional(),
  CELERY_TIMEZONE: z.string().trim().refine(isZone, { error: ({ input }) => zoneWanted(input) })
    .default("UTC"),

  BEAT_CONFIG: z.string().trim().default("env/beat.yaml"),
  BEAT_CALENDARS: z.string().trim().optional(),
  BEAT_NAMESPACE: z.string().trim().pipe(NAMESPACE).optional(),
  BEAT_LEASE_SECONDS: number({
    what: `a number of seconds from ${LEASE_S.min} to ${LEASE_S.max}`,
    isAllowed: (value) => value >= LEASE_S.min && value <= LEASE_S.max,
  }).optional(),
  BEAT_ARCHIVE: z.string().trim().optional(),
  BEAT_LOG_LEVEL: oneOf(LOG_LEVELS).optional(),
  BEAT_LOG_FORMAT: oneOf(LOG_FORMATS).optional(),

  POSTGRES_BACKUP_ENABLED: flag(true),
  POSTGRES_BACKUP_HOUR_UTC: whole({ min: 0, max: 23 }).default(3),
  POSTGRES_BACKUP_MINUTE_UTC: whole({ min: 0, max: 59 }).default(0),
  USER_EMAIL_CSV_EXPORT_ENABLED: flag(true),
  USER_EMAIL_CSV_EXPORT_INTERVAL_MINUTES: minutes.default(60),
  BACKTEST_STALE_JOB_CLEANUP_ENABLED: flag(true),
  BACKTEST_STALE_JOB_CLEANUP_INTERVAL_MINUTES: minutes.default(10),
  PAPER_TRADING_ENABLED: flag(true),
  PAPER_TRADING_LOOP_INTERVAL_SECONDS: seconds.default(1),
  PAPER_TRADING_QUEUE_BACKLOG_SOFT_LIMIT: whole({ min: 1, unit: "messages" }).default(2000),
  MARKET_DATA_REFRESH_ACTIVE_SUBSCRIPTIONS_INTERVAL_SECONDS: seconds.default(15),
  NOTIFICATIONS_ENABLED: flag(true),
  NOTIFICATIONS_LOOP_INTERVAL_SECONDS: seconds.default(5),
  TRADING_APPROVAL_ENABLED: flag(true),
  TRADING_APPROVAL_EXPIRE_SCAN_INTERVAL_SECONDS: seconds.default(10),
});

/** Every variable, checked; absent where it is unset and has no default. */
export type Values = z.output<typeof VARIABLES>;
export type VariableName = keyof Values;

/** Variables of which nothing is shown. */
export const SECRET_VARIABLES: ReadonlySet<string> = new Set<VariableName>([
  ...["CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "BEAT_REDIS_URL"] as const,
  ...["BEAT_SENTINEL_PASSWORD", "REDIS_PASSWORD"] as const,
]);
