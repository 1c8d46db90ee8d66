/** The broker and the result backend, as Beat looks at them: read only. */

/** A message in a queue, as far as Beat looks at it. */
export interface QueuedMessage {
  /** The Celery task id, or empty when the element is not a message. */
  readonly taskId: string;
  readonly deliveryTag: string;
  /** From Beat's header; `null` for other people's messages. Unix milliseconds. */
  readonly publishedMs: number | null;
  /** The message's own end; `null` when it has none, or none that can be read. Unix milliseconds. */
  readonly expiresMs: number | null;
  readonly isRedelivered: boolean;
  /** The element to the letter. */
  readonly bytes: string;
}

/** A bounded look at the old end of a list. */
export interface QueueSample {
  readonly depth: number;
  /** Oldest (next to be served) first. All of the queue when it is as long as `depth`. */
  readonly oldest: readonly QueuedMessage[];
}

/** A result document of Celery, as far as Beat looks at it. */
export interface TaskResult {
  readonly status: "STARTED" | "SUCCESS" | "FAILURE" | "RETRY" | "REVOKED" | string;
  /** `date_done` in Unix milliseconds; `null` while it is not final. */
  readonly doneMs: number | null;
  /** For REVOKED: `expired`, `revoked` or `terminated`. */
  readonly revokedAs: string | null;
  readonly worker: string | null;
}

/** Something heard over pub/sub: never needed, only faster. */
export type Hint =
  /** A result document of this id changed. */
  | { readonly kind: "result"; readonly taskId: string }
  | {
    readonly kind: "event";
    readonly taskId: string;
    readonly type:
      | "received"
      | "started"
      | "succeeded"
      | "failed"
      | "retried"
      | "rejected"
      | "revoked";
    readonly worker: string;
    /** The worker's clock. Unix milliseconds. */
    readonly atMs: number;
    readonly runtimeMs: number | null;
    /** Of `revoked`: its `expires` had passed. */
    readonly isExpired: boolean;
  }
  | {
    readonly kind: "worker";
    readonly worker: string;
    readonly isOnline: boolean;
    /** Where it says them: a changed process, or a count that went back, is a worker started anew. */
    readonly processId?: number;
    readonly processed?: number;
    /** How often it says that it lives. @default 2,000. Milliseconds. */
    readonly beatMs?: number;
  }
  /** Workers can be heard from now on, or no longer: silence says something only in between. */
  | { readonly kind: "line"; readonly isUp: boolean };

/** Who holds a message: nobody, a worker, or a worker after it was given back at least once. */
export type Reservation = "none" | "first" | "again";

/** The broker and the result backend, read only. */
export interface Sensors {
  /** Stands between a queue and its priority step in the names of lists. */
  readonly sep: string;
  /** Whether results are stored where Beat can read them. */
  readonly hasResults: boolean;
  /**
   * @param limit the most messages of each list to read
   * @param fence of the leader who asks: a server that knows an older one only is no master any more, and
   * what waits there says nothing
   */
  sampleQueues(lists: readonly string[], limit: number, fence?: number): Promise<QueueSample[]>;
  /** Whether the message of each delivery tag is reserved by a worker and not acknowledged. */
  reservations(deliveryTags: readonly string[]): Promise<Reservation[]>;
  /** @throws {JournalUnavailableError} also when only the result backend is away */
  results(taskIds: readonly string[]): Promise<(TaskResult | null)[]>;
  /** Calls `onHint` until `signal` is aborted; reconnects by itself; what was sent meanwhile is lost. */
  listen(onHint: (hint: Hint) => void, signal: AbortSignal): void;
}
