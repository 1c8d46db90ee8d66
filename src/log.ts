/** Log lines: pino, and the names of log fields. Nothing is ever computed from logs. */

import { pino } from "pino";
import type { Clock } from "./ports.ts";
import type { Settings } from "./settings.ts";

/**
 * What a line may carry beside its constant message. Names travel in snake case (`fireId` as
 * `fire_id`). Passwords are not redacted here: they are never handed in.
 */
export interface LogFields {
  readonly task?: string;
  readonly fireId?: string;
  readonly queue?: string;
  readonly fence?: number;
  readonly reason?: string;
  readonly latenessMs?: number;
  /** Unix milliseconds; travels as `due`, RFC 3339. */
  readonly dueMs?: number;
  /** Unix milliseconds; travels as `until`, RFC 3339. */
  readonly untilMs?: number;
  /** Travels as `error`: code and message, and the stack of what Beat cannot explain. */
  readonly err?: unknown;
  readonly [field: string]: unknown;
}

/** Where a part of the program says what it does. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose lines all carry `fields`. */
  child(fields: LogFields): Log;
}

export interface LogOptions {
  readonly level: Settings["logLevel"];
  readonly format: Settings["logFormat"];
  /** Takes whole lines at once, so that nothing is lost when the process ends. */
  readonly write: (text: string) => void;
  /** Whether `write` ends on a terminal; decides for `auto`. */
  readonly isTerminal: boolean;
  /** Whether readable lines may have colours. */
  readonly hasColor: boolean;
}

/** Makes the log of a process. The readable format is loaded only where it is wanted. */
export async function createLog(options: LogOptions, clock: Pick<Clock, "wallMs">): Promise<Log> {
  const { level, format, write, isTerminal, hasColor } = options;
  const isText = format === "text" || (format === "auto" && isTerminal);
  const stream = { write: isText ? await prettyWriter(write, hasColor) : write };
  const logger = pino({
    level,
    base: null,
    timestamp: () => `,"ts":"${instantText(clock.wallMs())}"`,
    formatters: { level: (label) => ({ level: label }), log: wireFields },
  }, stream);
  return wrap(logger);
}

/** The methods of pino that are used here. */
type Line = (fields: object, message: string) => void;
interface Logger {
  debug: Line;
  info: Line;
  warn: Line;
  error: Line;
  child(fields: object): Logger;
}

function wrap(logger: Logger): Log {
  return {
    debug: (message, fields = {}) => logger.debug(fields, message),
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
    // pino's formatter does not see what a child carries.
    child: (fields) => wrap(logger.child(wireFields(fields))),
  };
}

async function prettyWriter(write: (text: string) => void, hasColor: boolean) {
  // The formatter alone: pino-pretty's own stream writes later than it is asked to.
  const { prettyFactory } = await import("pino-pretty");
  const format = prettyFactory({
    colorize: hasColor,
    timestampKey: "ts",
    // As every other time that Beat prints, those on the same line too.
    translateTime: "UTC:yyyy-mm-dd'T'HH:MM:ss.l'Z'",
    singleLine: true,
    errorLikeObjectKeys: [],
  });
  return (line: string) => write(format(line));
}

/** Fields that are instants in the code, and their names on the wire. */
const INSTANTS: Readonly<Record<string, string>> = {
  dueMs: "due",
  untilMs: "until",
};

function wireFields(fields: Record<string, unknown>): Record<string, unknown> {
  const wire: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const instant = INSTANTS[name];
    if (instant !== undefined && typeof value === "number") wire[instant] = instantText(value);
    else if (name === "err") wire.error = errorFields(value);
    else wire[snakeCase(name)] = value;
  }
  return wire;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = "code" in error ? error.code : undefined;
  const fields = code === undefined ? {} : { code };
  // A code means that the error was foreseen: its message says everything.
  const stack = code === undefined ? { stack: error.stack } : {};
  return { ...fields, message: error.message, ...stack };
}

function instantText(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(Math.floor(ms)).toString({
    fractionalSecondDigits: 3,
  });
}
