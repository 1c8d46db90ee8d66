/**
 * What readings of a queue come to: how many messages wait, how long the oldest has waited, how long
 * a new one will, and where that stands between the marks. Pure.
 *
 * Nobody tells how many messages others publish, so the rate at which a queue drains cannot be read
 * off its length. But queues are served in order: while one is read again and again, the publish time
 * at its front moves on, and how fast it does says how long a new message will wait. Where the front
 * moves half a second in a second, a message behind a front that is ten seconds old waits for twenty.
 */

import type { PressureEvent } from "../../machines/pressure.ts";
import type { QueueMarks } from "../level.ts";

/** One look at a queue, over all its lists. Times are the server's, Unix milliseconds. */
export interface QueueReading {
  readonly atMs: number;
  /** Messages that wait, the expired ones included. */
  readonly depth: number;
  /** Messages past their `expires`, as far as the look reached: workers drop them at once. */
  readonly expired: number;
  /** Publish time of the oldest message of Beat's that is not expired; `null` where none was seen. */
  readonly frontMs: number | null;
  /** Workers that say they consume it; `null` where that cannot be told. */
  readonly consumers: number | null;
}

/** What the readings come to. */
export interface QueueEstimate {
  /** Messages that wait and are not expired. */
  readonly depth: number;
  readonly expired: number;
  /** How long the oldest has waited; 0 for an empty queue, `null` where it cannot be told. Milliseconds. */
  readonly ageMs: number | null;
  /** How long a new message will wait; `null` where it cannot be told. Milliseconds. */
  readonly waitMs: number | null;
  /** Messages drained in a second; `null` where it cannot be told. */
  readonly drainPerS: number | null;
  readonly consumers: number | null;
  /** Nothing is taken from it, and nobody says that they consume it. */
  readonly isUnserved: boolean;
}

/** Readings further back than this say nothing of how a queue drains now. Milliseconds. */
export const MEMORY_MS = 60_000;

/**
 * A front stands still for so long before it counts that nobody consumes: more than one question to
 * the workers, because one with a solo pool answers nobody while it runs a task. Milliseconds.
 */
export const STILL_MS = 25_000;

/** Longer waits are told as this: they come of dividing by next to nothing. Milliseconds. */
const WAIT_MAX_MS = 86_400_000;

/** The readings that still count beside a new one, and it, in order. */
export function remember(readings: readonly QueueReading[], reading: QueueReading): QueueReading[] {
  // A queue that was empty starts anew; and so it is after the clock was set back.
  const start = readings.findLastIndex(({ depth, atMs }) => depth === 0 || atMs >= reading.atMs);
  const rest = readings.slice(start + 1);
  // However seldom it is looked at, there is one to compare with.
  const isKept = ({ atMs }: QueueReading, at: number) =>
    at === rest.length - 1 || reading.atMs - atMs <= MEMORY_MS;
  return [...rest.filter(isKept), reading];
}

/** @param readings as {@link remember} keeps them; at least one */
export function estimate(readings: readonly QueueReading[]): QueueEstimate {
  const { atMs, frontMs, expired, consumers, depth: all } = readings.at(-1)!;
  const depth = Math.max(0, all - expired);
  const told = { depth, expired, consumers, drainPerS: null, isUnserved: false };
  if (depth === 0) return { ...told, ageMs: 0, waitMs: 0 };
  if (frontMs === null) return { ...told, ageMs: null, waitMs: null };
  const ageMs = Math.max(0, atMs - frontMs);
  const pace = paceOf(readings);
  // Before there is a second reading, a queue is taken to drain as fast as it fills.
  const waitMs = pace === 0
    ? null
    : Math.round(Math.min(WAIT_MAX_MS, ageMs / (pace ?? 1), longestByDepth(readings)));
  const isKnown = pace !== null && waitMs !== 0;
  const drainPerS = !isKnown ? null : waitMs === null ? 0 : rounded(depth * 1_000 / waitMs);
  return { ...told, ageMs, waitMs, drainPerS, isUnserved: isUnserved(readings) };
}

/** Seconds of publish time that are served in a second; `null` where one reading is all there is. */
function paceOf(readings: readonly QueueReading[]): number | null {
  const last = readings.at(-1)!;
  const first = readings.find(({ frontMs }) => frontMs !== null)!;
  if (first === last) return null;
  // A message that was given back stands at the front again: then it has not moved.
  return Math.max(0, last.frontMs! - first.frontMs!) / (last.atMs - first.atMs);
}

/**
 * The wait that a shrinking queue bounds: so many were taken at least, whatever came meanwhile. It is
 * right where messages came in bursts, of which the front tells little. Milliseconds.
 */
function longestByDepth(readings: readonly QueueReading[]): number {
  const [first, last] = [readings[0]!, readings.at(-1)!];
  const taken = first.depth - last.depth;
  return taken > 0 ? last.depth * (last.atMs - first.atMs) / taken : Infinity;
}

function isUnserved(readings: readonly QueueReading[]): boolean {
  const last = readings.at(-1)!;
  const moved = readings.findLastIndex(({ frontMs, consumers }) =>
    frontMs !== last.frontMs || consumers !== 0
  );
  const since = readings[moved + 1];
  return since !== undefined && last.atMs - since.atMs >= STILL_MS;
}

/**
 * Messages wait, and as far as these readings reach, nothing was taken and no worker said that it consumes
 * it. So a few may say where there are not enough yet for {@link QueueEstimate.isUnserved}.
 */
export function isStill(readings: readonly QueueReading[]): boolean {
  const { depth, expired, frontMs } = readings.at(-1)!;
  return depth > expired && frontMs !== null &&
    readings.every((each) => each.frontMs === frontMs && (each.consumers ?? 0) === 0);
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

/** Where an estimate stands, and why. */
export interface Stand {
  readonly type: Exclude<PressureEvent["type"], "DWELT">;
  readonly reason: string;
}

const RANK = ["LOW", "BETWEEN", "HIGH", "OVER"] as const;

/** The worst that one of the marks says. Where no wait can be told, the depth says it alone. */
export function standOf(estimate: QueueEstimate, marks: QueueMarks): Stand {
  const { depth, waitMs, ageMs, isUnserved } = estimate;
  const stands: Stand[] = [{
    type: placeOf(depth, marks.depth),
    reason: `${depth} wait (marks ${marksText(marks.depth, String)})`,
  }];
  // How long one has waited is known where how long another will wait is not.
  const longestMs = Math.max(waitMs ?? 0, ageMs ?? 0);
  if (marks.waitMs !== null) {
    stands.push({
      type: placeOf(longestMs, marks.waitMs),
      reason: `a new message waits ${secondsText(longestMs)} ` +
        `(marks ${marksText(marks.waitMs, secondsText)})`,
    });
  }
  if (isUnserved) stands.push({ type: "OVER", reason: `${depth} wait, and no worker takes any` });
  return stands.reduce((worst, each) =>
    RANK.indexOf(each.type) > RANK.indexOf(worst.type) ? each : worst
  );
}

function placeOf(value: number, { low, high, pause }: QueueMarks["depth"]): Stand["type"] {
  if (value >= pause) return "OVER";
  if (value >= high) return "HIGH";
  return value > low ? "BETWEEN" : "LOW";
}

function marksText(
  { low, high, pause }: QueueMarks["depth"],
  text: (value: number) => string,
): string {
  return `${text(low)}, ${text(high)}, ${text(pause)}`;
}

function secondsText(durationMs: number): string {
  return `${Math.round(durationMs / 1000)} s`;
}
