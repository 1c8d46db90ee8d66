/**
 * Celery workers: they take messages, hold them as `unacked`, run, acknowledge and store results; some
 * die, forget, are late or do it twice. What they did is kept for the end, in their own words.
 */

import type { Draws } from "./draws.ts";
import type { Command, Reply, Scheduler } from "./redis_words.ts";

/** `never`: takes messages and ends none. `away`: takes none. */
export type Habit = "never" | "twice" | "late" | "die" | "die_before_unacked" | "away";

/** A run of a task, as the worker remembers it. */
export interface Execution {
  readonly taskId: string;
  readonly fireId: string;
  readonly atMs: number;
  /** Unix milliseconds of Redis. */
  readonly serverMs: number;
}

/** What a worker says aloud. */
export type Saying =
  | { readonly kind: "result"; readonly taskId: string }
  | {
    readonly kind: "event";
    readonly type: "received" | "started" | "succeeded" | "revoked";
    readonly taskId: string;
    readonly worker: string;
    readonly isExpired: boolean;
    /** By the worker's clock. Unix milliseconds. */
    readonly atMs: number;
  }
  | { readonly kind: "worker"; readonly worker: string };

export interface WorkerParts {
  readonly draws: Draws;
  readonly scheduler: Scheduler;
  /** Lists in the order in which they are served. */
  readonly lists: readonly string[];
  /** `null` while Redis cannot be reached. */
  execute(command: Command): Reply;
  /** Whether a list has something in it: asking for that is cheap. */
  hasList(list: string): boolean;
  /** What is held as `unacked`, by tag. */
  unacked(): ReadonlyMap<string, string>;
  serverMs(): number;
  say(saying: Saying): void;
}

export interface Crew {
  readonly executions: readonly Execution[];
  /** Task ids whose message a worker dropped, as its end had passed. */
  readonly revoked: ReadonlySet<string>;
  /** Task ids that a worker ran at least once. */
  readonly ran: ReadonlySet<string>;
  /** Names of workers that run it now. */
  runnersOf(taskId: string): string[];
  /** Task ids of runs that have ended well. */
  readonly succeeded: ReadonlySet<string>;
  /** Tags and task ids of messages that a worker had as `unacked`. */
  readonly had: ReadonlySet<string>;
  /** Tags of messages between the list and `unacked`: the worker has them, and Redis does not say so. */
  readonly inHand: ReadonlySet<string>;
  /** Tags of messages that were given back, or delivered again. */
  readonly redelivered: ReadonlySet<string>;
  /** When each message was done with: acknowledged, and its result stored. By task id. */
  readonly doneMs: ReadonlyMap<string, number>;
  /** A bad habit of one of them for a while. */
  misbehave(worker: number, habit: Habit, forMs: number): void;
  /** All do as they should, from now on. */
  behave(): void;
}

const POLL_MS = 700;
const TAKEN_AT_ONCE = 25;
/** How long a message is in nobody's books, at most. */
const IN_HAND_MS = 30;
const VISIBILITY_MS = 45_000;

interface Worker {
  readonly name: string;
  readonly isAckingLate: boolean;
  /** Sends events (`-E`). */
  readonly isTalking: boolean;
  /** Its clock minus the server's. Milliseconds. */
  readonly aheadMs: number;
  habit: Habit | null;
  untilMs: number;
  /** What it took and has not finished; gone when it dies. */
  generation: number;
}

/** The headers that a worker reads. */
interface Headers {
  readonly id: string;
  readonly expires: string | null;
  readonly ignore_result: boolean;
  readonly "x-beat-fire-id": string;
}

export function crewOf(count: number, parts: WorkerParts): Crew {
  const { scheduler, draws } = parts;
  const executions: Execution[] = [];
  const doneMs = new Map<string, number>();
  const revoked = new Set<string>();
  const ran = new Set<string>();
  const succeeded = new Set<string>();
  const had = new Set<string>();
  const runs = new Set<
    { readonly taskId: string; readonly worker: Worker; readonly generation: number }
  >();
  const inHand = new Set<string>();
  const redelivered = new Set<string>();
  /** Since when each tag is held. */
  const sinceMs = new Map<string, number>();
  const workers: Worker[] = Array.from({ length: count }, (_, index) => ({
    name: `worker-${index}`,
    isAckingLate: draws("worker", index).chance(0.4),
    isTalking: draws("worker", index).chance(0.5),
    aheadMs: draws("worker clock", index).pick([0, 0, 0, -1_500, -5_000, 2_000]),
    ...{ habit: null, untilMs: 0, generation: 0 },
  }));
  for (const worker of workers) poll(worker);

  function poll(worker: Worker): void {
    const draw = draws("poll", worker.name);
    scheduler.at(scheduler.now() + POLL_MS * (0.5 + draw.unit()), () => {
      poll(worker);
      if (worker.habit !== null && scheduler.now() > worker.untilMs) worker.habit = null;
      if (worker.habit === "die") return;
      if (worker.isTalking && draw.chance(0.2)) parts.say({ kind: "worker", worker: worker.name });
      if (worker.habit !== "away") takeSome(worker);
      if (draw.chance(0.1)) restoreOld();
    });
  }

  function takeSome(worker: Worker): void {
    let left = TAKEN_AT_ONCE;
    for (const list of parts.lists) {
      if (!parts.hasList(list)) continue;
      while (left-- > 0) {
        const text = parts.execute(["RPOP", list]);
        if (typeof text !== "string") break;
        take(worker, list, text);
      }
    }
  }

  function take(worker: Worker, list: string, text: string): void {
    const message = JSON.parse(text);
    if (message.headers === undefined) return;
    const headers: Headers = message.headers;
    const tag: string = message.properties.delivery_tag;
    if (worker.habit === "die_before_unacked") return;
    inHand.add(tag);
    const laterMs = draws("hand", worker.name).unit() * IN_HAND_MS;
    scheduler.at(scheduler.now() + laterMs, () => {
      inHand.delete(tag);
      hold(worker, { text, headers, tag, list });
    });
  }

  function hold(
    worker: Worker,
    { text, headers, tag, list }: {
      readonly text: string;
      readonly headers: Headers;
      readonly tag: string;
      readonly list: string;
    },
  ): void {
    const kept = parts.execute(["HSET", "unacked", tag, `[${text},"",${JSON.stringify(list)}]`]);
    if (kept instanceof Error || kept === null) return;
    sinceMs.set(tag, scheduler.now());
    if (had.has(tag)) redelivered.add(tag);
    had.add(tag).add(headers.id);
    doneMs.delete(headers.id);
    const { generation, habit } = worker;
    event(worker, "received", headers.id);
    const runs = habit === "twice" ? 2 : 1;
    for (let run = 0; run < runs; run++) runLater(worker, { headers, tag }, generation);
  }

  function runLater(
    worker: Worker,
    message: { readonly headers: Headers; readonly tag: string },
    generation: number,
  ): void {
    const draw = draws("run", worker.name);
    const { headers, tag } = message;
    const startMs = scheduler.now() + draw.unit() * 200;
    const runMs = worker.habit === "late"
      ? 40_000 + draw.unit() * 60_000
      : draw.unit() ** 3 * 6_000;
    const isGone = () => worker.generation !== generation || worker.habit === "never";
    scheduler.at(startMs, () => {
      if (isGone()) return;
      if (headers.expires !== null && Date.parse(headers.expires) < parts.serverMs()) {
        revoked.add(headers.id);
        finish(headers, tag, "REVOKED", worker);
        return;
      }
      const { id: taskId, "x-beat-fire-id": fireId } = headers;
      ran.add(taskId);
      const run = { taskId, worker, generation };
      runs.add(run);
      executions.push({ taskId, fireId, atMs: scheduler.now(), serverMs: parts.serverMs() });
      event(worker, "started", taskId);
      if (!worker.isAckingLate) ack(tag);
      scheduler.at(startMs + runMs, () => {
        runs.delete(run);
        if (!isGone()) finish(headers, tag, "SUCCESS", worker);
      });
    });
  }

  function ack(tag: string): boolean {
    const reply = parts.execute(["HDEL", "unacked", tag]);
    if (reply instanceof Error || reply === null) return false;
    sinceMs.delete(tag);
    return true;
  }

  /** Again and again until Redis takes it. */
  function finish(headers: Headers, tag: string, status: string, worker: Worker): void {
    if (status === "SUCCESS") succeeded.add(headers.id);
    const isStored = headers.ignore_result || store(worker, headers.id, status);
    if (!isStored || !ack(tag)) {
      scheduler.at(scheduler.now() + 1_000, () => finish(headers, tag, status, worker));
      return;
    }
    doneMs.set(headers.id, scheduler.now());
    if (!headers.ignore_result) parts.say({ kind: "result", taskId: headers.id });
    const type = status === "REVOKED" ? "revoked" : "succeeded";
    event(worker, type, headers.id, status === "REVOKED");
  }

  function clockMs({ aheadMs }: Worker): number {
    return Math.floor(parts.serverMs() + aheadMs);
  }

  function store(worker: Worker, taskId: string, status: string): boolean {
    const document = JSON.stringify({
      status,
      result: status === "REVOKED"
        ? { exc_type: "TaskRevokedError", exc_message: ["expired"] }
        : null,
      task_id: taskId,
      date_done: new Date(clockMs(worker)).toISOString().replace("Z", "+00:00"),
    });
    const key = `celery-task-meta-${taskId}`;
    const reply = parts.execute(["SET", key, document, "EX", "86400"]);
    return reply === "OK";
  }

  function event(
    worker: Worker,
    type: "received" | "started" | "succeeded" | "revoked",
    taskId: string,
    isExpired = false,
  ): void {
    if (!worker.isTalking) return;
    const atMs = clockMs(worker);
    parts.say({ kind: "event", type, taskId, worker: worker.name, isExpired, atMs });
  }

  /** To the old end of its list, marked. What a rollback of Redis brought back is older than it seems. */
  function restoreOld(): void {
    const held = parts.unacked();
    for (const tag of sinceMs.keys()) if (!held.has(tag)) sinceMs.delete(tag);
    for (const [tag, text] of held) {
      const heldMs = sinceMs.get(tag);
      if (heldMs === undefined) sinceMs.set(tag, scheduler.now());
      else if (scheduler.now() - heldMs >= VISIBILITY_MS) restore(tag, text);
    }
  }

  function restore(tag: string, text: string): void {
    const [message, , list] = JSON.parse(text);
    message.headers.redelivered = true;
    message.properties.delivery_info.redelivered = true;
    if (parts.execute(["HDEL", "unacked", tag]) !== 1) return;
    sinceMs.delete(tag);
    redelivered.add(tag);
    parts.execute(["RPUSH", list, JSON.stringify(message)]);
  }

  return {
    executions,
    doneMs,
    revoked,
    runnersOf: (id) =>
      [...runs].filter(({ taskId, worker, generation }) =>
        taskId === id && worker.generation === generation
      ).map(({ worker }) => worker.name),
    ran,
    succeeded,
    inHand,
    had,
    redelivered,
    misbehave(index, habit, forMs) {
      const worker = workers[index % workers.length]!;
      worker.habit = habit;
      worker.untilMs = scheduler.now() + forMs;
      if (habit === "die") worker.generation++;
    },
    behave() {
      for (const worker of workers) worker.habit = null;
    },
  };
}
