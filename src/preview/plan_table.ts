/** The rows of a plan as a person reads them: what fires often is counted, the rest stands line by line. */

import type { JournalRow } from "../event.ts";
import { TASK_NAME } from "../fire.ts";
import { isDecision } from "./decisions.ts";

/** A decision of a plan. Times are Unix milliseconds. */
export interface PlanRow {
  readonly decidedMs: number;
  readonly type: string;
  readonly task: string;
  readonly queue: string;
  /** Of the last due time, where there are more. */
  readonly dueMs: number;
  readonly fromMs: number;
  readonly count: number;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Decisions of a task in an hour, by what they were. */
export interface PlanLine {
  readonly atMs: number;
  readonly task: string;
  readonly queue: string;
  /** One row, or how many of each type and reason in the hour from `atMs` on. */
  readonly rows: readonly PlanRow[];
  readonly counts: ReadonlyMap<string, number> | null;
}

/** More decisions of a task in an hour than that are counted. */
const LINES_MAX = 4;
const HOUR_MS = 3_600_000;

/** `null` where the row is no decision of the schedule. */
export function planRowOf(row: JournalRow, queue: string): PlanRow | null {
  const { type, task, dueMs, decidedMs, detail } = row;
  if (!isDecision(row) || !TASK_NAME.test(task) || dueMs === null) return null;
  const isRange = type === "task.dropped";
  return {
    ...{ decidedMs, type, task, queue, dueMs, detail },
    fromMs: isRange ? Number(detail.fromMs) : dueMs,
    count: isRange ? Number(detail.count) : 1,
  };
}

/** In the order of time; hours of a task that would be long are one line each. */
export function planLines(rows: readonly PlanRow[]): PlanLine[] {
  const hours = new Map<string, PlanRow[]>();
  for (const row of rows) {
    const key = `${Math.floor(row.decidedMs / HOUR_MS)} ${row.task}`;
    const own = hours.get(key);
    if (own === undefined) hours.set(key, [row]);
    else own.push(row);
  }
  const lines = [...hours.values()].flatMap((own): PlanLine[] => {
    const { task, queue, decidedMs } = own[0]!;
    if (own.length <= LINES_MAX) {
      return own.map((row) => ({ atMs: row.decidedMs, task, queue, rows: [row], counts: null }));
    }
    const atMs = Math.floor(decidedMs / HOUR_MS) * HOUR_MS;
    const counts = new Map<string, number>();
    for (const row of own) {
      const what = kindText(row);
      counts.set(what, (counts.get(what) ?? 0) + row.count);
    }
    return [{ atMs, task, queue, rows: own, counts }];
  });
  return lines.sort((one, other) => one.atMs - other.atMs || (one.task < other.task ? -1 : 1));
}

/** `published`, `held by jitter`, `skipped by session`. */
export function kindText({ type, detail }: Pick<PlanRow, "type" | "detail">): string {
  if (type === "fire.published") return "published";
  return `${type === "fire.delayed" ? "held" : "skipped"} by ${detail.by}`;
}

/** What goes out per minute, by queue. */
export interface MinuteBook {
  add(row: PlanRow): void;
  /** By queue: how many in each minute that has any, by its start. Unix milliseconds. */
  readonly queues: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** The fullest second of a queue. */
  peakSecond(queue: string): number;
  /** The fullest minute of a queue, and whose fires it is full of; `null` for none. */
  peak(queue: string): Peak | null;
}

export interface Peak {
  readonly atMs: number;
  readonly count: number;
  /** Most first. */
  readonly tasks: readonly (readonly [task: string, count: number])[];
}

const MINUTE_MS = 60_000;

export function minuteBook(): MinuteBook {
  const queues = new Map<string, Map<number, number>>();
  const seconds = new Map<string, { atMs: number; count: number; most: number }>();
  const byTask = new Map<string, Map<string, number>>();
  return {
    queues,
    add({ type, task, queue, decidedMs }) {
      if (type !== "fire.published") return;
      const minuteMs = Math.floor(decidedMs / MINUTE_MS) * MINUTE_MS;
      const minutes = queues.get(queue) ?? new Map<number, number>();
      queues.set(queue, minutes.set(minuteMs, (minutes.get(minuteMs) ?? 0) + 1));
      const tasks = byTask.get(`${minuteMs} ${queue}`) ?? new Map<string, number>();
      byTask.set(`${minuteMs} ${queue}`, tasks.set(task, (tasks.get(task) ?? 0) + 1));
      const second = seconds.get(queue) ?? { atMs: -1, count: 0, most: 0 };
      const atMs = Math.floor(decidedMs / 1_000);
      const count = second.atMs === atMs ? second.count + 1 : 1;
      seconds.set(queue, { atMs, count, most: Math.max(second.most, count) });
    },
    peakSecond: (queue) => seconds.get(queue)?.most ?? 0,
    peak(queue) {
      let most: [number, number] | null = null;
      for (const each of queues.get(queue) ?? []) {
        if (most === null || each[1] > most[1]) most = each;
      }
      if (most === null) return null;
      const tasks = [...byTask.get(`${most[0]} ${queue}`) ?? []];
      tasks.sort(([, one], [, other]) => other - one);
      return { atMs: most[0], count: most[1], tasks };
    },
  };
}

/** Of a queue, the fullest minute of each of so many equal parts of the time. */
export function bucketsOf(
  minutes: ReadonlyMap<number, number>,
  { fromMs, untilMs, count }: { fromMs: number; untilMs: number; count: number },
): number[] {
  const buckets = new Array<number>(count).fill(0);
  const widthMs = Math.max(1, untilMs - fromMs) / count;
  for (const [atMs, fires] of minutes) {
    const place = Math.min(count - 1, Math.max(0, Math.floor((atMs - fromMs) / widthMs)));
    buckets[place] = Math.max(buckets[place]!, fires);
  }
  return buckets;
}
