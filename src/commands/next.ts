/** `beat next`: when an expression is due, for people one a line, for programs as JSON. */

import { systemClock } from "../clock.ts";
import { EXIT, TriggerError, UsageError } from "../errors.ts";
import type { TriggerSpec } from "../task.ts";
import { type Trigger, triggerOf } from "../triggers/mod.ts";
import type { SessionReader } from "./next_session.ts";
import { checkAlone, membersOf, readQuestions } from "./questions.ts";
import type { Shell } from "./shell.ts";
import { parseTimeOption } from "./time_option.ts";
import { dueText } from "./time_text.ts";

export interface NextOptions {
  /**
   * Five fields, six with seconds first, or a nickname; where `dialect` says so, Celery's five, or a
   * calendar and a time of its session, as in `XNYS close-15m`.
   */
  readonly expression?: string | undefined;
  /** Words behind the expression: those of one that was written without quotes. */
  readonly further?: readonly string[] | undefined;
  /** Refused where `dialect` is `session`: its exchange has one. @default "UTC" */
  readonly tz?: string | undefined;
  /** RFC 3339, or a duration back from now. @default now */
  readonly from?: string | undefined;
  /** @default "5" */
  readonly count?: string | undefined;
  /** `cron`, `celery` or `session`. @default "cron" */
  readonly dialect?: string | undefined;
  /** Read a JSON array of questions from standard input instead. */
  readonly stdin?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** What standard input holds an array of. */
const QUESTION = "{expression, tz, start, count, dialect}";

const COUNT_DEFAULT = 5;
const ZONE_DEFAULT = "UTC";
/** An answer is a list in memory; nobody reads more. */
const COUNT_MAX = 100_000;

/**
 * Prints due times strictly after a time.
 * @throws {UsageError} a wrong option, or standard input that is no array of questions
 * @throws {TriggerError} the expression or the zone cannot be read
 */
export async function next(options: NextOptions, shell: Shell): Promise<number> {
  if (options.further !== undefined && options.further.length > 0) {
    throw new UsageError(
      'expected one expression with quotes around it, as in beat next "30 2 * * *", got ' +
        `${
          options.further.length + 1
        } words: without quotes, a shell parts it and may write names ` +
        "of files for each `*`",
    );
  }
  if (options.stdin === true) {
    const { expression, tz, from, count, dialect } = options;
    checkAlone({
      ...{ EXPRESSION: expression, "`--tz`": tz, "`--from`": from },
      ...{ "`--count`": count, "`--dialect`": dialect },
    });
    const questions = readQuestions(await shell.readStdin(), QUESTION);
    const sessions = await sessionsFor(questions, shell);
    const answers = questions.map((question) => answer(question, sessions));
    shell.out(JSON.stringify(answers) + "\n");
    return EXIT.ok;
  }
  const spec = specOf(options, await sessionsFor([options], shell));
  const tz = spec.kind === "session" ? spec.calendar.tz : options.tz ?? ZONE_DEFAULT;
  const trigger = triggerOf(spec);
  const nowMs = systemClock.wallMs();
  const fromMs = options.from === undefined
    ? nowMs
    : parseTimeOption("--from", options.from, nowMs);
  const dues = duesOf(trigger, fromMs, countOf("--count", options.count ?? COUNT_DEFAULT));
  if (options.json === true) {
    shell.out(JSON.stringify(dues.map(dueText)) + "\n");
    return EXIT.ok;
  }
  if (dues.length === 0) {
    const end = spec.kind === "session" ? `: its calendar ends ${spec.calendar.validTo}` : "";
    shell.err(`never due after that time${end}\n`);
  }
  for (const dueMs of dues) {
    const local = shell.isOutTerminal ? `  ${localText(trigger, dueMs, tz)}` : "";
    shell.out(`${dueText(dueMs)}${local}\n`);
  }
  return EXIT.ok;
}

/** Calendars are read for those that ask for one; `null` where nobody does. */
async function sessionsFor(
  questions: readonly unknown[],
  shell: Shell,
): Promise<SessionReader | null> {
  const isAsked = questions.some((each) =>
    (each as { dialect?: unknown } | null)?.dialect === "session"
  );
  return isAsked ? (await import("./next_session.ts")).sessionReader(shell) : null;
}

/** One wrong question does not spoil the answers to the others. */
function answer(question: unknown, sessions: SessionReader | null): string[] | { error: string } {
  try {
    const { expression, tz, start, count, dialect } = membersOf(question);
    if (tz !== undefined && typeof tz !== "string") {
      throw new UsageError(`expected \`tz\` to be a zone's name, got ${JSON.stringify(tz)}`);
    }
    const trigger = triggerOf(specOf({ expression, dialect, tz }, sessions));
    const nowMs = systemClock.wallMs();
    if (start !== undefined && typeof start !== "string") {
      throw new UsageError(`expected \`start\` to be a time as text, got ${JSON.stringify(start)}`);
    }
    const fromMs = start === undefined ? nowMs : parseTimeOption("start", start, nowMs);
    return duesOf(trigger, fromMs, countOf("count", count ?? COUNT_DEFAULT)).map(dueText);
  } catch (error) {
    if (error instanceof TriggerError || error instanceof UsageError) {
      return { error: error.message };
    }
    throw error;
  }
}

function specOf(
  { expression, dialect, tz }: {
    readonly expression?: unknown;
    readonly dialect?: unknown;
    readonly tz?: string | undefined;
  },
  sessions: SessionReader | null,
): TriggerSpec {
  if (typeof expression !== "string") {
    throw new UsageError(
      `expected an expression such as "30 2 * * *", got ${JSON.stringify(expression) ?? "none"}`,
    );
  }
  switch (dialect ?? "cron") {
    case "cron":
      return { kind: "cron", expression, tz: tz ?? ZONE_DEFAULT };
    case "celery":
      return celerySpec(expression, tz ?? ZONE_DEFAULT);
    case "session":
      if (tz === undefined) return sessions!(expression);
      throw new UsageError(
        `expected no \`tz\` beside the dialect session, got "${tz}"; a session has its exchange's zone`,
      );
    default:
      throw new UsageError(
        `expected \`dialect\` to be cron, celery or session, got ${JSON.stringify(dialect)}`,
      );
  }
}

/** Celery has five named fields; on a line they stand in cron's order. */
function celerySpec(expression: string, tz: string): TriggerSpec {
  const fields = expression.trim().split(/\s+/);
  const [minute, hour, dayOfMonth, monthOfYear, dayOfWeek] = fields;
  if (fields.length !== 5 || dayOfWeek === undefined) {
    throw new TriggerError(
      "expected five fields: minute hour day_of_month month_of_year day_of_week, " +
        `got "${expression}"`,
      expression,
    );
  }
  return {
    kind: "crontab",
    minute: minute!,
    hour: hour!,
    dayOfMonth: dayOfMonth!,
    monthOfYear: monthOfYear!,
    dayOfWeek,
    tz,
  };
}

function countOf(name: string, value: unknown): number {
  const count = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof count === "number" && Number.isInteger(count) && count >= 1 && count <= COUNT_MAX) {
    return count;
  }
  throw new UsageError(
    `expected \`${name}\` to be a whole number from 1 to ${COUNT_MAX}, got ${
      JSON.stringify(value)
    }`,
  );
}

function duesOf(trigger: Trigger, fromMs: number, count: number): number[] {
  const dues: number[] = [];
  for (let dueMs = trigger.next(fromMs); dueMs !== null; dueMs = trigger.next(dueMs)) {
    dues.push(dueMs);
    if (dues.length === count) break;
  }
  return dues;
}

/** The local time, and a word where the clocks change; `Sun 2026-03-08 03:00:00-04:00`. */
function localText(trigger: Trigger, dueMs: number, tz: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(dueMs).toZonedDateTimeISO(tz);
  const weekday = local.toLocaleString("en", { weekday: "short" });
  const shown = `${weekday} ${local.toPlainDate()} ${local.toPlainTime()}${local.offset}`;
  const reading = trigger.explain?.(dueMs) ?? null;
  switch (reading?.dst) {
    case "moved":
      return `${shown}  (${reading.local} does not exist there)`;
    case "first-pass":
      return `${shown}  (this reading comes twice)`;
    default:
      return shown;
  }
}
