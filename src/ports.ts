/**
 * Everything outside, as types, but what `sensors.ts` and `request.ts` have. Implementations: `clock.ts`,
 * `memory/`, `redis/`.
 */

import type { Cursor } from "./cursor.ts";
import type { OpenFire } from "./open_fire.ts";
import type { JournalRow, Row } from "./event.ts";

/** The only source of time. */
export interface Clock {
  /** Unix milliseconds; may jump. For records, never for durations. */
  wallMs(): number;
  /** Milliseconds since some start, fractional; never goes back. For leases and latencies. */
  monotonicMs(): number;
  /**
   * Resolves after `durationMs`, or at once when `signal` is aborted. Never rejects: who sleeps
   * looks at the world again anyway.
   */
  sleep(durationMs: number, signal: AbortSignal): Promise<void>;
}

/** The most steps of one commit, so that the lease and the workers get in between. */
export const BATCH_MAX = 200;

/** One decision to record: a row, the cursor that it moves, and perhaps a message. */
export interface Step {
  /** The cursor's name: a task, or one of `LOG_CURSOR`. */
  readonly task: string;
  /** The cursor's text that this step expects; empty for "there is none". */
  readonly expect: string;
  /** The cursor's text after it; empty to remove the cursor. */
  readonly next: string;
  /** Refused as `early` before this time of the server. 0 for any time. Unix milliseconds. */
  readonly notBeforeMs: number;
  /** Refused as `stale` after this time of the server. Absent for any time. Unix milliseconds. */
  readonly notAfterMs?: number;
  readonly row: Row;
  readonly publish: Publish | null;
}

/** A message, and the open fire that stands for it. */
export interface Publish {
  readonly message: string;
  readonly open: OpenFire;
}

/** What became of a step. All but `committed` wrote nothing for it. */
export type Outcome =
  | { readonly kind: "committed" }
  /** The cursor is already at or past it. */
  | { readonly kind: "duplicate" }
  /** The cursor is another than expected, and not past it. */
  | { readonly kind: "gap" }
  /** The server's time is before `notBeforeMs`, or after `notAfterMs`. */
  | { readonly kind: "early" | "stale" }
  /** The cursor is under a revision that this step does not know. */
  | { readonly kind: "revision" }
  /** The key of its list is of another type. */
  | { readonly kind: "wrongtype" };

/**
 * The id of the journal's newest row before and after a call; `0-0` for none. What was there once
 * must be there later: an id that fell shows that history was cut.
 */
export interface LastId {
  readonly before: string;
  readonly after: string;
}

/** What a write came to. `fenced`: someone newer leads, nothing was written, step down. */
export type Written<T> =
  | { readonly kind: "fenced" }
  | {
    readonly kind: "done";
    /** The server's time, read once in the script. Unix milliseconds. */
    readonly serverMs: number;
    /** In the order of what was to be written. */
    readonly outcomes: readonly T[];
    readonly lastId: LastId;
  };

export type Committed = Written<Outcome>;

/** What became known of an open fire: rows, and its next text. */
export interface Settlement {
  /** The open fire as it stands; another text in Redis answers `duplicate`. */
  readonly open: OpenFire;
  /** As it stands afterwards, or `null` to close it. */
  readonly next: OpenFire | null;
  /** At least one. */
  readonly rows: readonly Row[];
  /** An expired message to take out; not among the `reach` oldest (any more), the answer is `raced`. */
  readonly remove: { readonly list: string; readonly bytes: string; readonly reach: number } | null;
}

export type SettleOutcome = "settled" | "duplicate" | "raced" | "wrongtype";

export type Settled = Written<SettleOutcome>;

/** What a new leader starts from. */
export interface Loaded {
  readonly serverMs: number;
  /** The id of the journal's newest row; `0-0` for none, and after `reload`, which does not look. */
  readonly lastId: string;
  /** Keyed by task; log cursors included. */
  readonly cursors: ReadonlyMap<string, Cursor>;
  readonly open: readonly OpenFire[];
}

/** What became of a row that was seen once. */
export interface Trace {
  /** The newest row that is not after it: itself, where it is still there. `null` for none. */
  readonly stayedId: string | null;
  /** The id of the journal's newest row; `0-0` for none. */
  readonly newestId: string;
}

/** How large the hot journal is. */
export interface JournalExtent {
  readonly rows: number;
  /** Of all of it; `null` where the server does not say. */
  readonly bytes: number | null;
  /** Of its first entry and its last; `null` for none. */
  readonly firstId: string | null;
  readonly lastId: string | null;
}

/** What became of a request to cut old rows off. */
export type Trimmed =
  | { readonly kind: "fenced" }
  /** It begins elsewhere than was thought, or the first row that was to stay is not there. */
  | { readonly kind: "moved" }
  | { readonly kind: "done"; readonly rows: number };

/** A range of the journal, both ends included. */
export interface ReadRange {
  /** A stream id or Unix milliseconds as text; `-` for the start. */
  readonly from: string;
  /** As `from`; `+` for the end. */
  readonly to: string;
}

/** Told of an entry that is no row. */
export type OnForeign = (id: string, why: string) => void;

/** The only door out. Publishing without recording cannot be written. */
export interface Journal {
  /**
   * Takes each step whole: row, cursor, message and open fire, or nothing of it. The outcomes line
   * up with the steps. Sending the same steps again changes nothing.
   *
   * @param steps at most `BATCH_MAX`; steps of one task in order
   * @param fence the leader's term, a count that only grows
   * @throws {JournalUnavailableError} no answer or a refusal of the whole; safe to repeat
   */
  commit(steps: readonly Step[], fence: number): Promise<Committed>;

  /**
   * Records what became of open fires. As `commit`: each whole or not at all, harmless to repeat.
   *
   * @param settlements at most `BATCH_MAX`
   * @throws {JournalUnavailableError}
   */
  settle(settlements: readonly Settlement[], fence: number): Promise<Settled>;

  /**
   * Cursors and open fires, all of them, as one state.
   * @param how `cursors`: no open fires. `paged`: in pieces, for whoever holds the newest fence
   * @throws {JournalUnavailableError} also (`fatal`) when the journal was written by something else
   */
  load(how?: "cursors" | "paged"): Promise<Loaded>;

  /**
   * Cursors and open fires of some tasks, read again after an outcome that was not expected.
   * @param openIds keys of the open fires in question (`openKey`)
   */
  reload(tasks: readonly string[], openIds: readonly string[]): Promise<Loaded>;

  /** Looks for a row by its id. @throws {JournalUnavailableError} */
  trace(id: string): Promise<Trace>;

  /** @throws {JournalUnavailableError} */
  extent(): Promise<JournalExtent>;

  /**
   * Cuts off every row before `cutId`, which is there and stays.
   *
   * @param request.firstId with which the journal begins
   * @throws {JournalUnavailableError}
   */
  trim(request: { firstId: string; cutId: string }, fence: number): Promise<Trimmed>;

  /**
   * Rows in the order they were recorded; entries that are not rows are passed to `onForeign`.
   * @param onMoved called before a row, or the end, where rows before it may have been cut off meanwhile
   */
  read(range: ReadRange, onForeign?: OnForeign, onMoved?: () => void): AsyncIterable<JournalRow>;

  /** As `read`, newest first. */
  readBack(range: ReadRange, onForeign?: OnForeign): AsyncIterable<JournalRow>;
}

/** Commits that stand with the server, and are not carried out yet. */
export interface Staged {
  /**
   * Carries all of them out. A promise for each, in their order, of what {@link Journal.commit} would
   * give; each may reject as it does.
   */
  commit(): readonly Promise<Committed>[];
  /** None of them is carried out. */
  discard(): void;
}

/** Sends commits ahead of their time: what is due at one instant then waits for one word. */
export interface Stage {
  /** For fewer steps it is not worth its two calls more. */
  readonly stepsMin: number;
  /**
   * What was staged before is discarded.
   *
   * @param batches each as a commit takes it, and without a task that another has
   * @returns `null` where it cannot be done now: the batches are to be committed one by one
   */
  stage(batches: readonly (readonly Step[])[], fence: number): Staged | null;
}

/** Rows in a row that were taken out of the hot journal, under the ids of the first and the last. */
export interface Segment {
  readonly firstId: string;
  readonly lastId: string;
  readonly rows: number;
}

/** Where rows go before they are cut off: of one history, and readable by anything. */
export interface Archive {
  /**
   * Whole or not at all, and safe against a loss of power; the same again changes nothing.
   *
   * @param lines one JSON object a row, without line ends (`archive/line.ts`)
   * @throws {ArchiveError}
   */
  write(segment: Segment, lines: readonly string[]): Promise<void>;
  /** By their first ids; those that lie within another are left out. @throws {ArchiveError} */
  list(): Promise<readonly Segment[]>;
  /** Lines, some at a time, in their order. @throws {ArchiveError} in the middle, too */
  read(segment: Segment): AsyncIterable<readonly string[]>;
  /** Why nothing can be written to it; `null` where it can. Leaves nothing behind. */
  problem(): Promise<string | null>;
}

export type Taken =
  | {
    readonly kind: "taken";
    readonly fence: number;
    /** The id of the history that this namespace holds. */
    readonly epoch: string;
    /** The namespace had no epoch, and got this one now. */
    readonly isNewEpoch: boolean;
    readonly serverMs: number;
  }
  | {
    readonly kind: "held";
    readonly owner: string;
    readonly fence: number;
    readonly leftMs: number;
  };

/** Who leads, as one look shows it. */
export interface Leadership {
  /** The server's time. Unix milliseconds. */
  readonly serverMs: number;
  /** `null` while nobody leads. */
  readonly leader: {
    readonly owner: string;
    readonly fence: number;
    readonly leftMs: number;
  } | null;
  /** Replicas that are connected, the leader among them; `null` where that cannot be told. */
  readonly replicas: number | null;
}

/** One leader at a time, for a bounded time. */
export interface Lease {
  /**
   * @param request.owner unique to this process
   * @param request.minFence the highest fence that this replica has seen; the new one is above it
   * @param request.epoch the id to give to a namespace that has none
   * @throws {JournalUnavailableError}
   */
  take(
    request: { owner: string; ttlMs: number; minFence: number; epoch: string },
  ): Promise<Taken>;
  /** `serverMs`, or `null` when the lease is no longer ours. */
  renew(request: { owner: string; fence: number; ttlMs: number }): Promise<number | null>;
  /** Gives the lease up where `owner` has it, under whatever fence: the reply to its taking may be lost. */
  release(owner: string): Promise<void>;
  /** Changes nothing. @throws {JournalUnavailableError} */
  look(): Promise<Leadership>;
}
