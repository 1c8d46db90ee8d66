/** The words between the model of Redis and the simulated world around it. */

/** As the production client hands replies out; an error reply is a value here. */
export type Reply = string | number | null | Error | readonly Reply[];

export type Command = readonly string[];

/** Simulated time. The world implements it; nobody else waits. */
export interface Scheduler {
  /** Milliseconds since the start of the simulation; never goes back. */
  now(): number;
  /** Runs `run` at that time, or as soon as possible where it has passed. @returns a way to cancel */
  at(ms: number, run: () => void): () => void;
}

/** An error that Redis replied; the name is how the production code tells it from others. */
export class ReplyError extends Error {
  override readonly name = "ReplyError";
}

/** What a server says unasked: `["message", channel, text]`, `["pmessage", pattern, channel, text]`. */
export type Push = readonly string[];

/** One connection, as the server sees it. */
export interface Session {
  /** Commands since MULTI; `null` outside of a transaction. */
  queue: Command[] | null;
  /** One of the queued commands was refused, so that EXEC refuses all. */
  isSpoiled: boolean;
  readonly channels: Set<string>;
  /** Patterns with what matches them. */
  readonly patterns: Map<string, RegExp>;
  readonly onPush: (push: Push) => void;
  /** The server ended the connection: it crashed, or CLIENT KILL. */
  readonly onClose: () => void;
}

/** The writes of one command, script or transaction: they reach the disk and a replica together. */
export interface LogEntry {
  /** As they are replayed: with ids and times filled in. */
  readonly writes: readonly Command[];
}
