/** The world failed, or the caller did: errors with a code. Expected outcomes are values, not errors. */

export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  finding: 3,
  notLeading: 4,
  unavailable: 69,
  tryAgain: 75,
} as const;

/** An error that Beat explains: `code` for programs, `exitCode` for the shell. */
export class BeatError extends Error {
  readonly code: string;
  readonly exitCode: number;

  constructor(code: string, exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** One thing wrong with a configuration: where it stands, and what was wanted instead of what. */
export interface Problem {
  /** A variable's name, or `file:line`. */
  readonly where: string;
  /** `expected X to be Y, got Z`, and what to do. */
  readonly message: string;
}

/** Every problem of a configuration at once. */
export class ConfigError extends BeatError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const lines = problems.map(({ where, message }) => `  ${where}: ${message}`);
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    super("CONFIG", EXIT.usage, `${count} in the configuration\n${lines.join("\n")}`);
    this.problems = problems;
  }
}

/** Rows could not be written to their archive, or not be read from it. */
export class ArchiveError extends BeatError {
  constructor(message: string, options?: ErrorOptions) {
    super("ARCHIVE", EXIT.failure, message, options);
  }
}

/** A source of an objective did not tell a share of bad events. */
export class SourceError extends BeatError {
  constructor(message: string, options?: ErrorOptions) {
    super("SOURCE", EXIT.failure, message, options);
  }
}

/** A wrong command line. */
export class UsageError extends BeatError {
  constructor(message: string) {
    super("USAGE", EXIT.usage, message);
  }
}

/** A trigger that cannot be read; `input` is what came. */
export class TriggerError extends BeatError {
  readonly input: string;

  constructor(message: string, input: string) {
    super("TRIGGER", EXIT.usage, message);
    this.input = input;
  }
}

/** A message that must not be built: it could not travel, or it could kill a worker. */
export class MessageError extends BeatError {
  constructor(message: string) {
    super("MESSAGE", EXIT.usage, message);
  }
}

/** How a refusal of Redis is to be met (`redis/errors.ts` has the table). */
export type RetryKind =
  /** Connection lost, no answer in time, LOADING, BUSY …: ask again with back-off. */
  | "backoff"
  /** READONLY, UNBLOCKED: this server is not the master any more. */
  | "reconnect"
  /** OOM, MISCONF: nothing was written, a person must act; ask again slowly. */
  | "alarm"
  /** NOAUTH, NOPERM, WRONGPASS, a foreign journal: asking again is useless. */
  | "fatal";

/** No answer, or a refusal of the whole call. Nothing is known or nothing was written: safe to repeat. */
export class JournalUnavailableError extends BeatError {
  readonly retry: RetryKind;

  constructor(message: string, retry: RetryKind, options?: ErrorOptions) {
    super("UNAVAILABLE", EXIT.unavailable, message, options);
    this.retry = retry;
  }
}

/** What a question comes to; `null` while Redis is away. */
export async function unlessAway<T>(question: () => Promise<T>): Promise<T | null> {
  try {
    return await question();
  } catch (error) {
    if (!(error instanceof JournalUnavailableError)) throw error;
    return null;
  }
}

/** A later build has written what this one would not understand. */
export function tooOldToLead(known: number, asked: number): JournalUnavailableError {
  return new JournalUnavailableError(
    `expected a Beat that knows rows of version ${asked}, got one that knows ${known}: this build is ` +
      "older than what it finds, and does not lead; replace it",
    "alarm",
  );
}

/** A state that cannot be: log, crash, let the next leader recover. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new BeatError("INVARIANT", EXIT.failure, `invariant broken: ${message}`);
}
