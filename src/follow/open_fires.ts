/**
 * The open fires in memory: by key, by task id, per list in publish order, and by when to look at
 * them. There may be several hundred thousand while no worker runs, so each addition and each removal
 * costs the same however many there are, and what a waiting fire does not need is not kept for it.
 */

import type { OpenFire } from "../open_fire.ts";
import type { Loaded } from "../ports.ts";
import { isWaiting, openKey } from "../open_fire.ts";
import type { Notes } from "./evidence.ts";
import { lookBook } from "./look_book.ts";
import { deadlineAfter } from "./pace.ts";

/** An open fire and what the follower keeps about it. */
export interface Tracked {
  readonly key: string;
  open: OpenFire;
  /** Empty until somebody needs it. */
  taskId: string;
  notes: Notes | null;
  /** The page of the look book that it stands on; 0 for none. */
  page: number;
  isClosed: boolean;
}

export interface OpenFires {
  readonly size: number;
  /** Adds a fire, or takes the place of the one with the same key. */
  add(open: OpenFire): void;
  remove(key: string): void;
  get(key: string): OpenFire | undefined;
  values(): IterableIterator<OpenFire>;
  /** Keys of a task's fires that were due before `dueMs`, oldest first. Kept from the first question on. */
  runningOf(task: string, dueMs: number): string[];
  /** For the follower alone. */
  readonly tracked: TrackedFires;
}

export interface TrackedFires {
  get(key: string): Tracked | undefined;
  /** Makes the next text of a fire its text, and keeps its notes. */
  replace(tracked: Tracked, next: OpenFire): void;
  remove(tracked: Tracked): void;
  /** Lists that messages of open fires may stand in. */
  lists(): string[];
  /** Fires that wait in a list, in the order of their publishing. */
  waitingIn(list: string): Iterable<Tracked>;
  /** Fires of a task whose finish is awaited, in the order in which that was learned. */
  unfinishedOf(task: string): ReadonlySet<Tracked>;
  /** Looks at `tracked` at `atMs`, and no more at the time set before. Unix milliseconds. */
  lookAt(tracked: Tracked, atMs: number): void;
  /** Takes out what is to be looked at by now, `limit` at most. */
  takeDue(nowMs: number, limit: number): Tracked[];
  /** Fires that were added and have no task id yet, oldest first, `limit` at most; each once. */
  takeNew(limit: number): Tracked[];
}

export function openFires(): OpenFires {
  const byKey = new Map<string, Tracked>();
  const lines = waitingLines();
  const unfinished = groups<Tracked>();
  const book = lookBook<Tracked>();
  /** In the order in which they were added; without those that ended before anybody named them. */
  const nameless = new Set<Tracked>();
  /** By task, for the few that ask. */
  const asked = new Map<string, Set<Tracked>>();

  function enter(tracked: Tracked): void {
    const { open } = tracked;
    if (open.state === "acked") unfinished.add(open.task, tracked);
    else lines.add(tracked);
    book.put(tracked, isWaiting(open) ? deadlineAfter(open, -Infinity) : 0);
  }

  function leave(tracked: Tracked): void {
    unfinished.delete(tracked.open.task, tracked);
    lines.delete(tracked);
    book.drop(tracked);
  }

  function remove(tracked: Tracked): void {
    if (tracked.isClosed) return;
    tracked.isClosed = true;
    leave(tracked);
    byKey.delete(tracked.key);
    nameless.delete(tracked);
    asked.get(tracked.open.task)?.delete(tracked);
  }

  function add(open: OpenFire): void {
    const key = openKey(open);
    const known = byKey.get(key);
    if (known !== undefined) remove(known);
    const tracked = { key, open, taskId: "", notes: null, page: 0, isClosed: false };
    byKey.set(key, tracked);
    enter(tracked);
    nameless.add(tracked);
    asked.get(open.task)?.add(tracked);
  }

  function allOf(task: string): Set<Tracked> {
    let fires = asked.get(task);
    if (fires === undefined) {
      fires = new Set([...byKey.values()].filter(({ open }) => open.task === task));
      asked.set(task, fires);
    }
    return fires;
  }

  return {
    get size() {
      return byKey.size;
    },
    add,
    remove(key) {
      const tracked = byKey.get(key);
      if (tracked !== undefined) remove(tracked);
    },
    get: (key) => byKey.get(key)?.open,
    *values() {
      for (const { open } of byKey.values()) yield open;
    },
    runningOf: (task, dueMs) =>
      [...allOf(task)].filter(({ open }) => open.dueMs < dueMs)
        .sort((one, other) => one.open.dueMs - other.open.dueMs)
        .map(({ key }) => key),
    tracked: {
      get: (key) => byKey.get(key),
      replace(tracked, next) {
        // One that goes on waiting keeps its place: adding it again would undo the order.
        const keepsPlace = isWaiting(tracked.open) && isWaiting(next);
        if (!keepsPlace) leave(tracked);
        tracked.open = next;
        if (keepsPlace) book.put(tracked, deadlineAfter(next, -Infinity));
        else enter(tracked);
      },
      remove,
      lists: lines.lists,
      waitingIn: lines.waitingIn,
      unfinishedOf: unfinished.of,
      lookAt: (tracked, atMs) => book.put(tracked, atMs),
      takeDue: book.takeDue,
      takeNew(limit) {
        const fresh: Tracked[] = [];
        for (const tracked of nameless) {
          if (fresh.length >= limit) break;
          nameless.delete(tracked);
          if (tracked.taskId === "") fresh.push(tracked);
        }
        return fresh;
      },
    },
  };
}

/** Fires taken in without a breath: some ten milliseconds. */
const BREATH = 5_000;

/**
 * Open fires as they were loaded. A million take seconds, and the lease is to be kept meanwhile.
 *
 * @param breathe lets others have their turn
 */
export async function openOf(
  { open }: Pick<Loaded, "open">,
  breathe: () => Promise<void>,
): Promise<OpenFires> {
  const fires = openFires();
  // A hash has no order, and of too many the oldest are let go.
  const inOrder = open.toSorted((one, other) => one.publishedMs - other.publishedMs);
  for (const [index, each] of inOrder.entries()) {
    if (index % BREATH === BREATH - 1) await breathe();
    fires.add(each);
  }
  return fires;
}

/** Per list: the waiting fires in publish order, and how many others may come back to it. */
function waitingLines() {
  interface Line {
    waiting: Set<Tracked>;
    others: number;
    lastMs: number;
    /** Not where the clock was set back between two of them. */
    isSorted: boolean;
  }
  const lines = new Map<string, Line>();

  function add(tracked: Tracked): void {
    const { open } = tracked;
    let line = lines.get(open.list);
    if (line === undefined) {
      line = { waiting: new Set(), others: 0, lastMs: 0, isSorted: true };
      lines.set(open.list, line);
    }
    if (!isWaiting(open)) {
      line.others++;
      return;
    }
    if (open.publishedMs < line.lastMs) line.isSorted = false;
    line.lastMs = Math.max(line.lastMs, open.publishedMs);
    line.waiting.add(tracked);
  }

  function remove(tracked: Tracked): void {
    const { open } = tracked;
    const line = lines.get(open.list);
    if (line === undefined || open.state === "acked") return;
    if (isWaiting(open)) line.waiting.delete(tracked);
    else line.others--;
    if (line.waiting.size === 0 && line.others === 0) lines.delete(open.list);
  }

  function waitingIn(list: string): Iterable<Tracked> {
    const line = lines.get(list);
    if (line === undefined) return [];
    if (!line.isSorted) {
      const sorted = [...line.waiting].sort((a, b) => a.open.publishedMs - b.open.publishedMs);
      line.waiting = new Set(sorted);
      line.isSorted = true;
    }
    return line.waiting;
  }

  return { add, delete: remove, waitingIn, lists: () => [...lines.keys()] };
}

/** Sets by name; an empty one is not kept. */
export function groups<T>() {
  const byName = new Map<string, Set<T>>();
  const none: ReadonlySet<T> = new Set();
  return {
    add(name: string, item: T): void {
      const group = byName.get(name);
      if (group === undefined) byName.set(name, new Set([item]));
      else group.add(item);
    },
    delete(name: string, item: T): void {
      const group = byName.get(name);
      if (group?.delete(item) && group.size === 0) byName.delete(name);
    },
    of: (name: string): ReadonlySet<T> => byName.get(name) ?? none,
  };
}
