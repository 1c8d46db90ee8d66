/**
 * Which task is due next: a heap, so that a tick costs what is due and not what exists. Tasks that are
 * behind wait in a line of their own, so that a backlog does not stand before what is on time.
 */

import TinyQueue from "tinyqueue";
import type { ReadyTask, Roster } from "./roster.ts";

/** A task that is later than this is behind. Milliseconds. */
export const BEHIND_AFTER_MS = 1_000;

interface Item {
  readonly atMs: number;
  readonly task: string;
}

/** Each task stands in it at most once. Unix milliseconds. */
export interface Agenda {
  /** When the next task wants to be looked at, or `null` when none ever does. */
  nextMs(): number | null;
  /** Puts those that are late at the end of the line behind; how many stand in it then. */
  lineUp(nowMs: number): number;
  /** Takes out a task to look at by `nowMs`, of the lane that is named while it has one. */
  take(nowMs: number, lane: "on time" | "behind"): string | null;
  /** Puts a task back, to be looked at at `atMs`; `null` for never again. */
  put(task: string, atMs: number | null): void;
}

/** @param lookMs when to look at a task; `null` for never */
export function agendaOf(roster: Roster, lookMs: (ready: ReadyTask) => number | null): Agenda {
  const items: Item[] = [];
  for (const [task, ready] of roster) {
    const atMs = lookMs(ready);
    if (atMs !== null) items.push({ atMs, task });
  }
  const heap = new TinyQueue<Item>(items, (one, other) => one.atMs - other.atMs);
  const behind = line<Item>();
  const isDue = (nowMs: number) => heap.length > 0 && heap.peek()!.atMs <= nowMs;
  return {
    nextMs() {
      const atMs = Math.min(behind.first()?.atMs ?? Infinity, heap.peek()?.atMs ?? Infinity);
      return atMs === Infinity ? null : atMs;
    },
    lineUp(nowMs) {
      while (isDue(nowMs - BEHIND_AFTER_MS - 1)) behind.push(heap.pop()!);
      return behind.length;
    },
    take(nowMs, lane) {
      if (lane === "behind" && behind.length > 0) return behind.shift()!.task;
      return (isDue(nowMs) ? heap.pop() : behind.shift())?.task ?? null;
    },
    put(task, atMs) {
      if (atMs !== null) heap.push({ atMs, task });
    },
  };
}

/** First in, first out, at the same cost however long it is. */
function line<T>() {
  let items: T[] = [];
  let start = 0;
  return {
    get length() {
      return items.length - start;
    },
    first: () => items[start],
    push: (item: T) => void items.push(item),
    shift(): T | undefined {
      const item = items[start];
      if (item !== undefined) start++;
      if (start * 2 >= items.length) {
        items = items.slice(start);
        start = 0;
      }
      return item;
    },
  };
}
