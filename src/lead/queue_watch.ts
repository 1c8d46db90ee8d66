/**
 * Looks at queues once a period and moves their levels. Nothing waits for it: a look that fails or
 * takes long leaves the levels as they are. What it costs is bounded: the length and the old end of a
 * few lists, and a question to the workers now and then where messages wait.
 */

import type { ServerClock } from "../clock.ts";
import { queueKey } from "../level.ts";
import { JournalUnavailableError } from "../errors.ts";
import { pressureAfter } from "../levels/move.ts";
import type { QueueReading } from "../levels/queue.ts";
import { estimate, isStill, remember, standOf } from "../levels/queue.ts";
import type { Log } from "../log.ts";
import type { Clock } from "../ports.ts";
import type { QueueSample, Sensors } from "../sensors.ts";
import type { Gauges, QueueMarks } from "../level.ts";
import type { LevelWriter } from "./level_writer.ts";

/** Messages of each list that are read: enough to see one of Beat's among those of others. */
const SAMPLE_MAX = 20;
/** Queues of one look; of more, each look takes the next ones. */
const QUEUES_MAX = 50;
/** Queues read at once: some milliseconds for Redis and for a tick that comes in between. */
const PORTION = 10;
/** Workers are asked no more often than this. Milliseconds. */
const ASK_MS = 10_000;
/** Their answers count for so long, and for the first look after them in any case. Milliseconds. */
const ANSWER_MS = 15_000;

export interface QueueWatchParts {
  readonly sensors: Pick<Sensors, "sampleQueues">;
  readonly gauges: Pick<Gauges, "consumers">;
  readonly server: ServerClock;
  readonly clock: Clock;
  readonly log: Log;
  readonly writer: LevelWriter;
  readonly fence: number;
  /** The lists of a queue, one for each step of priority. */
  listsOf(queue: string): readonly string[];
}

/** @param marksOf keyed by queue, as they are now */
export function queueWatch(
  parts: QueueWatchParts,
  marksOf: () => Readonly<Record<string, QueueMarks>>,
) {
  const { server, writer } = parts;
  const readings = new Map<string, QueueReading[]>();
  const workers = workerBook(parts);
  let next = 0;

  /** @throws {JournalUnavailableError} */
  async function look(): Promise<void> {
    const marks = marksOf();
    const all = Object.keys(marks);
    if (next >= all.length) next = 0;
    const queues = all.slice(next, next + QUEUES_MAX);
    next += QUEUES_MAX;
    await forgetOthers(marks);
    if (queues.length === 0) return;
    const taken = await readQueues(parts, queues);
    for (const [queue, { depth, expired, frontMs }] of taken) {
      const reading = {
        ...{ atMs: server.nowMs(), depth, expired, frontMs },
        consumers: workers.consumers(queue),
      };
      const kept = remember(readings.get(queue) ?? [], reading);
      readings.set(queue, kept);
      await judge(queue, marks[queue]!, kept);
    }
    // Of all, not of this look alone: its turn and that of a question might never meet.
    workers.ask(all.filter((queue) => hasWaited(readings.get(queue) ?? [])));
  }

  async function judge(
    queue: string,
    marks: QueueMarks,
    kept: readonly QueueReading[],
  ): Promise<void> {
    const key = queueKey(queue);
    const found = estimate(kept);
    const stand = standOf(found, marks);
    const standing = writer.standing(key);
    const dwell = { nowMs: server.nowMs(), leastMs: marks.dwellMs };
    const to = pressureAfter(standing, stand.type, dwell);
    if (to === standing.level) return;
    // One look does not tell how fast it is served. That nobody serves it takes a new leader some more to
    // see, and a question that fails hides it.
    const isUnsure = standing.level === "paused" || (to === "normal" && kept.length === 1);
    if (isUnsure && isStill(kept)) return;
    const { depth, expired, ageMs, waitMs, drainPerS, consumers } = found;
    const facts = { depth, expired, ageMs, waitMs, drainPerS, consumers };
    await writer.change(key, { to, reason: stand.reason, facts });
  }

  /** A queue that nobody watches any more must not hold anything back. */
  async function forgetOthers(marks: Readonly<Record<string, QueueMarks>>): Promise<void> {
    for (const queue of readings.keys()) if (!Object.hasOwn(marks, queue)) readings.delete(queue);
    const prefix = queueKey("");
    for (const key of writer.raised(prefix)) {
      if (Object.hasOwn(marks, key.slice(prefix.length))) continue;
      await writer.change(key, { to: "normal", reason: "it is not watched any more", facts: {} });
    }
  }

  return { look };
}

/** Two readings in a row: what comes and goes between them needs no question. */
function hasWaited(readings: readonly QueueReading[]): boolean {
  return readings.length > 1 && readings.slice(-2).every(({ depth }) => depth > 0);
}

type Look = Pick<QueueReading, "depth" | "expired" | "frontMs">;

async function readQueues(
  parts: QueueWatchParts,
  queues: readonly string[],
): Promise<[queue: string, look: Look][]> {
  const looks: [queue: string, look: Look][] = [];
  for (let start = 0; start < queues.length; start += PORTION) {
    looks.push(...await readPortion(parts, queues.slice(start, start + PORTION)));
  }
  return looks;
}

async function readPortion(
  { sensors, server, fence, listsOf }: QueueWatchParts,
  queues: readonly string[],
): Promise<[queue: string, look: Look][]> {
  const lists = queues.flatMap((queue) => listsOf(queue).map((list) => ({ queue, list })));
  const names = lists.map(({ list }) => list);
  const samples = await sensors.sampleQueues(names, SAMPLE_MAX, fence);
  const nowMs = server.nowMs();
  return queues.map((queue) => {
    const own = samples.filter((_, index) => lists[index]!.queue === queue);
    return [queue, lookOf(own, nowMs)];
  });
}

function lookOf(samples: readonly QueueSample[], nowMs: number): Look {
  const seen = samples.flatMap(({ oldest }) => oldest);
  const isExpired = (expiresMs: number | null) => expiresMs !== null && expiresMs <= nowMs;
  const living = seen.filter(({ expiresMs }) => !isExpired(expiresMs));
  const times = living.flatMap(({ publishedMs }) => publishedMs ?? []);
  return {
    depth: samples.reduce((sum, { depth }) => sum + depth, 0),
    expired: seen.length - living.length,
    frontMs: times.length === 0 ? null : Math.min(...times),
  };
}

interface Answer {
  readonly count: number;
  /** Monotonic milliseconds. */
  readonly atMs: number;
  /** A look has taken it in. */
  isTold: boolean;
}

/** What workers said they consume. Asked beside the looks: an answer takes up to a second. */
function workerBook({ gauges, clock, log }: QueueWatchParts) {
  const answers = new Map<string, Answer>();
  let askedMs = -Infinity;
  let isAsking = false;

  async function askNow(queues: readonly string[]): Promise<void> {
    try {
      const counts = await gauges.consumers(queues);
      const atMs = clock.monotonicMs();
      for (const [queue, count] of counts ?? []) answers.set(queue, { count, atMs, isTold: false });
    } catch (error) {
      if (!(error instanceof JournalUnavailableError)) throw error;
      log.debug("workers cannot be asked", { err: error });
    } finally {
      isAsking = false;
    }
  }

  return {
    /** `null` where nothing was said lately. */
    consumers(queue: string): number | null {
      const answer = answers.get(queue);
      if (answer === undefined) return null;
      if (answer.isTold && clock.monotonicMs() - answer.atMs > ANSWER_MS) return null;
      answer.isTold = true;
      return answer.count;
    },
    ask(queues: readonly string[]): void {
      const nowMs = clock.monotonicMs();
      if (queues.length === 0 || isAsking || nowMs - askedMs < ASK_MS) return;
      isAsking = true;
      askedMs = nowMs;
      // What is no refusal of Redis is a defect: left unsaid, it would end the process.
      askNow(queues).catch((error) => log.error("workers cannot be asked", { err: error }));
    },
  };
}
