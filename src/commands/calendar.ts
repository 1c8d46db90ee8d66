/** `beat calendar`: whether a market is open, and its sessions. */

import { systemClock } from "../clock.ts";
import type { CalendarFile } from "../config/calendar_file.ts";
import type { CalendarBook } from "../config/calendars.ts";
import { loadCalendars } from "../config/calendars.ts";
import { EXIT, UsageError } from "../errors.ts";
import type { MarketState } from "../triggers/calendar.ts";
import { calendarOf } from "../triggers/calendar.ts";
import { calendarDays, dayObject, printDays } from "./calendar_days.ts";
import { checkAlone, membersOf, readQuestions } from "./questions.ts";
import type { Shell } from "./shell.ts";
import { paintFor, printTable } from "./table.ts";
import { parseTimeOption } from "./time_option.ts";
import { dueText, spanText } from "./time_text.ts";

export interface CalendarOptions {
  /** A code or an alias, whatever the case. @default all calendars, a line each */
  readonly name?: string | undefined;
  /** RFC 3339, or a duration back from now. @default now */
  readonly at?: string | undefined;
  /** How many days are listed. @default "7", and none with `at` */
  readonly days?: string | undefined;
  /** Read a JSON array of questions from standard input instead. */
  readonly stdin?: boolean | undefined;
  readonly json?: boolean | undefined;
}

const DAYS_DEFAULT = 7;
const DAYS_MAX = 3_700;

/**
 * @throws {UsageError} a wrong option, or a calendar that is not known
 * @throws {ConfigError} a calendar that cannot be read
 */
export async function calendar(options: CalendarOptions, shell: Shell): Promise<number> {
  const book = await loadCalendars(shell.env);
  const nowMs = systemClock.wallMs();
  if (options.stdin === true) {
    checkAlone({ NAME: options.name, "`--at`": options.at, "`--days`": options.days });
    const questions = readQuestions(await shell.readStdin(), "{mic, instant}");
    shell.out(`${JSON.stringify(questions.map((each) => answer(each, book, nowMs)))}\n`);
    return EXIT.ok;
  }
  const atMs = options.at === undefined ? nowMs : parseTimeOption("--at", options.at, nowMs);
  if (options.name === undefined) return all(book, atMs, options, shell);
  const file = named(options.name, book);
  const count = options.days === undefined
    ? options.at === undefined ? DAYS_DEFAULT : 0
    : countOf(options.days);
  const days = calendarDays(file.spec, atMs, count);
  if (options.json === true) {
    const object = { ...calendarObject(file, atMs), days: days.map(dayObject) };
    shell.out(`${JSON.stringify(object, null, 2)}\n`);
    return EXIT.ok;
  }
  const { spec, name, aliases, officialThrough } = file;
  shell.out(
    `${paintFor(shell)("bold", spec.mic)}  ${name}, ${spec.tz}\n` +
      `also     ${aliases.join(", ") || "-"}\n` +
      `data     ${spec.validFrom} to ${spec.validTo}, official through ${officialThrough}\n` +
      `${dueText(atMs)}  ${stateText(file, atMs)}\n`,
  );
  if (days.length > 0) printDays(days, shell);
  return EXIT.ok;
}

function named(name: string, book: CalendarBook): CalendarFile {
  const file = book.find(name);
  if (file !== null) return file;
  throw new UsageError(`expected a known calendar, got "${name}"${book.advice(name)}`);
}

function countOf(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= DAYS_MAX) return count;
  throw new UsageError(
    `expected \`--days\` to be a whole number from 1 to ${DAYS_MAX}, got "${text}"`,
  );
}

const HEADINGS = ["CALENDAR", "NAME", "ZONE", "DATA UNTIL", "STATE"];
const SPARE = ["ZONE", "DATA UNTIL"];

/** A line for each calendar. */
function all(book: CalendarBook, atMs: number, options: CalendarOptions, shell: Shell): number {
  if (options.days !== undefined) {
    throw new UsageError("expected a calendar for `--days`, as in beat calendar XNYS --days 30");
  }
  if (options.json === true) {
    const objects = book.all.map((file) => calendarObject(file, atMs));
    shell.out(`${JSON.stringify(objects, null, 2)}\n`);
    return EXIT.ok;
  }
  const rows = book.all.map((file) => {
    const { spec, name } = file;
    return [spec.mic, name, spec.tz, spec.validTo, stateText(file, atMs)].map((text) => ({ text }));
  });
  printTable(HEADINGS, rows, shell, SPARE);
  return EXIT.ok;
}

/** `open, closes 2026-01-05T21:00:00Z, in 2 h`. */
function stateText({ spec }: CalendarFile, atMs: number): string {
  const market = calendarOf(spec);
  const state = market.stateAt(atMs);
  const nextMs = state === "open" ? market.nextClose(atMs) : market.nextOpen(atMs);
  if (nextMs === null) return state;
  const verb = state === "open" ? "closes" : "opens";
  return `${state}, ${verb} ${dueText(nextMs)}, in ${spanText(nextMs - atMs)}`;
}

const OPEN: Readonly<Record<MarketState, boolean | null>> = {
  open: true,
  closed: false,
  unknown: null,
};

/** Names are stable. `open` is null where it is unknown; times are RFC 3339. */
function calendarObject({ spec, name, aliases, officialThrough }: CalendarFile, atMs: number) {
  const market = calendarOf(spec);
  const text = (ms: number | null) => ms === null ? null : dueText(ms);
  return {
    mic: spec.mic,
    name,
    tz: spec.tz,
    aliases,
    valid_from: spec.validFrom,
    valid_to: spec.validTo,
    official_through: officialThrough,
    at: dueText(atMs),
    open: OPEN[market.stateAt(atMs)],
    next_open: text(market.nextOpen(atMs)),
    next_close: text(market.nextClose(atMs)),
  };
}

/** One wrong question does not spoil the answers to the others. */
function answer(
  question: unknown,
  book: CalendarBook,
  nowMs: number,
): { open: boolean | null; error?: string } {
  try {
    const { mic, instant } = membersOf(question);
    if (typeof mic !== "string" || typeof instant !== "string") {
      throw new UsageError(
        `expected \`mic\` and \`instant\` to be texts, got ${JSON.stringify({ mic, instant })}`,
      );
    }
    const { spec } = named(mic, book);
    const atMs = parseTimeOption("instant", instant, nowMs);
    return { open: OPEN[calendarOf(spec).stateAt(atMs)] };
  } catch (error) {
    if (error instanceof UsageError) return { open: null, error: error.message };
    throw error;
  }
}
