/** Which task is due next: a heap, so that a tick costs what is due and not what exists. */

import TinyQueue from "tinyqueue";
import type { Roster } from "./roster.ts";

interface Item {
  readonly atMs: number;
  readonly task: string;
}

/** Each task stands in it at most once. Unix milliseconds. */
export interface Agenda {
  /** When the next task wants to be looked at, or `null` when none ever does. */
  nextMs(): number | null;
  /** Takes out the tasks to look at by `nowMs`, earliest first. */
  takeDue(nowMs: number): string[];
  /** Puts a task back, to be looked at at `atMs`; `null` for never again. */
  put(task: string, atMs: number | null): void;
}

/** @param cursorMs the last decided due time of a task */
export function agendaOf(roster: Roster, cursorMs: (task: string) => number): Agenda {
  const items: Item[] = [];
  for (const [task, { trigger }] of roster) {
    const atMs = trigger.next(cursorMs(task));
    if (atMs !== null) items.push({ atMs, task });
  }
  const heap = new TinyQueue<Item>(items, (one, other) => one.atMs - other.atMs);
  return {
    nextMs: () => heap.peek()?.atMs ?? null,
    takeDue(nowMs) {
      const due: string[] = [];
      while (heap.length > 0 && heap.peek()!.atMs <= nowMs) due.push(heap.pop()!.task);
      return due;
    },
    put(task, atMs) {
      if (atMs !== null) heap.push({ atMs, task });
    },
  };
}
