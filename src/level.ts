/**
 * What levels are about: when a queue is under pressure and an objective burns, and where both are
 * measured. How far each is throttled is a `Level` (`event.ts`), under one of the keys here.
 */

/** The key of the level of a queue. */
export function queueKey(queue: string): string {
  return `queue:${queue}`;
}

/** The key of the level of an objective. */
export function sloKey(objective: string): string {
  return `slo:${objective}`;
}

/** From where on something counts: normal again at `low`, slowed from `high`, paused from `pause` on. */
export interface Marks {
  readonly low: number;
  readonly high: number;
  readonly pause: number;
}

/** When a queue is under pressure. */
export interface QueueMarks {
  /** Messages that wait. */
  readonly depth: Marks;
  /** How long a message waits, in milliseconds; `null`: only the depth counts. */
  readonly waitMs: Marks | null;
  /** How long a level lasts at least. Milliseconds. */
  readonly dwellMs: number;
}

/** What goes with a question over HTTP. */
export interface SourceHeaders {
  /** By name, as they are sent. */
  readonly values: Readonly<Record<string, string>>;
  /** What in them nobody is to read. */
  readonly secrets: readonly string[];
}

/** Where an objective's share of bad events is read. */
export type SourceSpec =
  /** The outcomes of Beat's own fires; of these tasks, or of all. */
  | { readonly kind: "workers"; readonly tasks: readonly string[] | null }
  /** The first value that a query of the HTTP API answers with. */
  | {
    readonly kind: "prometheus";
    readonly url: string;
    readonly headers: SourceHeaders;
    readonly query: string;
  }
  /** A number in a JSON document, and the time that it is of, by the keys that lead to them. */
  | {
    readonly kind: "http";
    readonly url: string;
    readonly headers: SourceHeaders;
    readonly path: readonly string[];
    /** `null`: it is of now. */
    readonly at: readonly string[] | null;
  }
  /** A key of the broker's Redis whose text is a number. */
  | { readonly kind: "redis"; readonly key: string };

/** A source that Beat asks. */
export type OutsideSource = Exclude<SourceSpec, { readonly kind: "workers" }>;

/** Both windows must burn: the long one says that it matters, the short one that it goes on. */
export interface BurnRule {
  readonly level: "slowed" | "paused";
  /** So many times as fast as the error budget lasts for. */
  readonly burn: number;
  readonly longMs: number;
  readonly shortMs: number;
}

/** A service level objective. */
export interface Objective {
  readonly name: string;
  /** The share of events that should be good: 0.999. */
  readonly target: number;
  readonly source: SourceSpec;
  readonly everyMs: number;
  readonly timeoutMs: number;
  /** What a source tells of a time before that is as good as nothing. Milliseconds. */
  readonly staleMs: number;
  /** How long a level lasts before it may fall. Milliseconds. */
  readonly holdMs: number;
  /** Fewer events in a window say nothing. */
  readonly minEvents: number;
  readonly rules: readonly BurnRule[];
}

/** What is measured beside the schedule. */
export interface LevelSettings {
  /** How often queues are looked at. Milliseconds. */
  readonly everyMs: number;
  /** Keyed by queue: those that some task that may be held back publishes to. */
  readonly queues: Readonly<Record<string, QueueMarks>>;
  readonly objectives: readonly Objective[];
}

/** Nothing is measured. */
export const NO_LEVELS: LevelSettings = { everyMs: 5_000, queues: {}, objectives: [] };

/** What a source tells. */
export interface Share {
  /** Of bad events, from 0 to 1; `null`: there were no events. */
  readonly share: number | null;
  /** When it was so, by the clock of who says it; `null` where that is not told. Unix milliseconds. */
  readonly atMs: number | null;
}

/** What levels follow, beside queues. Nothing of it is needed for a tick. */
export interface Gauges {
  /**
   * How many workers say that they consume each queue; those of which nobody says so count 0, and a
   * busy worker may say nothing. `null` where nobody may be asked.
   * @throws {JournalUnavailableError}
   */
  consumers(queues: readonly string[]): Promise<ReadonlyMap<string, number> | null>;
  /**
   * What a source tells. May hang until `signal` is aborted.
   * @throws {SourceError} it does not tell a share
   */
  share(source: OutsideSource, signal: AbortSignal): Promise<Share>;
}
