/**
 * Workers as a plan takes them to be: each has so many hands for its queues, and each task runs for the
 * same time whenever it runs. Messages of a queue are taken in the order in which they came, those that
 * expired thrown away; queues that share a worker take turns, as with Celery.
 */

import TinyQueue from "tinyqueue";
import type { OpenFire } from "../open_fire.ts";
import { EXPIRY_MARGIN_MS } from "../follow/verdict.ts";
import type { MemoryStore } from "../memory/store.ts";

/** A worker, or several that are alike. */
export interface Pool {
  /** Messages that it runs at the same time. */
  readonly hands: number;
  /** Those that it consumes. */
  readonly queues: readonly string[];
}

/** What is taken to be true of workers. */
export interface WorkersModel {
  /** In a queue that none of them consumes, nothing ever waits. */
  readonly pools: readonly Pool[];
  /** How long a fire runs. Milliseconds. */
  runMs(open: OpenFire): number;
  /** How long a message of others runs in a queue. Milliseconds. */
  otherMs(queue: string): number;
}

/** A fire that came to its end, by the model. */
export interface Ending {
  readonly atMs: number;
  readonly open: OpenFire;
  /** `null`: it expired before anybody took it. */
  readonly runMs: number | null;
  /** Who saw its end. */
  readonly by: "worker" | "beat";
}

export interface Crew {
  /** A worker has it already: it runs from now on. */
  run(open: OpenFire, queue: string, nowMs: number): void;
  /** Messages of others have been pushed to a list. */
  fill(others: { list: string; queue: string; count: number }, nowMs: number): void;
  /** A fire has been pushed to its list. */
  push(open: OpenFire, queue: string, nowMs: number): void;
  /** When the next end is known to come; `null` for none. Unix milliseconds. */
  nextMs(): number | null;
  /** The next end, if it comes by `nowMs`. */
  take(nowMs: number): Ending | null;
  /** When the next that waits has expired for so long that Beat takes it out; `null` for none. */
  nextRipeMs(): number | null;
  /** Takes out what has. */
  expire(nowMs: number): Ending[];
  /** The most that waited in each queue so far. */
  readonly depths: ReadonlyMap<string, number>;
}

interface Work {
  readonly atMs: number;
  /** Of those at the same time, the one that began first. */
  readonly order: number;
  readonly staff: Staff;
  /** `null` for a message of others. */
  readonly open: OpenFire | null;
  readonly runMs: number | null;
}

/** A pool at work. */
interface Staff {
  readonly hands: number;
  /** Its queues; whose turn is next comes first. */
  readonly turns: Line[];
  busy: number;
}

interface Line {
  readonly queue: string;
  /** By list: what stands in it, oldest first; the messages themselves are in the store. */
  readonly waiting: Map<string, Waiting[]>;
  readonly staffs: Staff[];
  depth: number;
}

/** A fire, or so many messages of others in a row. */
type Waiting = { readonly open: OpenFire } | { readonly open: null; count: number };

export function crewOf({ lists }: Pick<MemoryStore, "lists">, model: WorkersModel): Crew {
  const lines = linesOf(model.pools);
  const depths = new Map<string, number>();
  const works = new TinyQueue<Work>(
    [],
    (one, other) => one.atMs - other.atMs || one.order - other.order,
  );
  /** Fires that wait, and by when each is ripe. */
  const waiting = new Map<OpenFire, { readonly line: Line }>();
  const ripe = new TinyQueue<{ readonly atMs: number; readonly open: OpenFire }>(
    [],
    (one, other) => one.atMs - other.atMs,
  );
  let begun = 0;

  /** With somebody who serves it. */
  function lineOf(queue: string): Line {
    const line = lineIn(lines, queue);
    if (line.staffs.length === 0) line.staffs.push({ hands: Infinity, turns: [line], busy: 0 });
    return line;
  }

  function noteDepth({ queue, depth }: Line): void {
    if (depth > (depths.get(queue) ?? 0)) depths.set(queue, depth);
  }

  /** Lets free hands take what waits. */
  function serve(staff: Staff, nowMs: number): void {
    while (staff.busy < staff.hands) {
      const next = nextFor(staff);
      if (next === null) return;
      const { line, list } = next;
      const open = takeFirst(line.waiting.get(list)!);
      line.depth--;
      lists.get(list)?.pop();
      if (open !== null) waiting.delete(open);
      if (staff.turns.length > 1) {
        staff.turns.splice(staff.turns.indexOf(line), 1);
        staff.turns.push(line);
      }
      const isExpired = open !== null && open.expiresMs !== null && open.expiresMs < nowMs;
      const runMs = isExpired
        ? null
        : open === null
        ? model.otherMs(line.queue)
        : model.runMs(open);
      begin(staff, { open, runMs }, nowMs);
    }
  }

  function begin(staff: Staff, { open, runMs }: Pick<Work, "open" | "runMs">, nowMs: number): void {
    staff.busy++;
    works.push({ atMs: nowMs + (runMs ?? 0), order: begun++, staff, open, runMs });
  }

  return {
    depths,
    run(open, queue, nowMs) {
      begin(freest(lineOf(queue)), { open, runMs: model.runMs(open) }, nowMs);
    },
    fill({ list, queue, count }, nowMs) {
      if (count === 0) return;
      const messages = lists.get(list) ?? [];
      for (let each = 0; each < count; each++) messages.push("{}");
      lists.set(list, messages);
      const line = lineOf(queue);
      add(line, list, { open: null, count });
      for (const staff of line.staffs) serve(staff, nowMs);
      noteDepth(line);
    },
    push(open, queue, nowMs) {
      const line = lineOf(queue);
      add(line, open.list, { open });
      if (open.expiresMs !== null) {
        waiting.set(open, { line });
        ripe.push({ atMs: open.expiresMs + EXPIRY_MARGIN_MS + 1, open });
      }
      serve(freest(line), nowMs);
      noteDepth(line);
    },
    nextRipeMs() {
      for (let each = ripe.peek(); each !== undefined; each = ripe.peek()) {
        if (waiting.has(each.open)) return each.atMs;
        ripe.pop();
      }
      return null;
    },
    expire(nowMs) {
      const out: Ending[] = [];
      for (let each = ripe.peek(); each !== undefined && each.atMs <= nowMs; each = ripe.peek()) {
        const { open } = ripe.pop()!;
        const place = waiting.get(open);
        if (place === undefined) continue;
        waiting.delete(open);
        const own = place.line.waiting.get(open.list)!;
        const at = own.findIndex((one) => one.open === open);
        own.splice(at, 1);
        place.line.depth--;
        // In the store the newest comes first; others wait before the first fire, and never behind one.
        lists.get(open.list)?.splice(own.length - at, 1);
        out.push({ atMs: nowMs, open, runMs: null, by: "beat" });
      }
      return out;
    },
    nextMs: () => works.peek()?.atMs ?? null,
    take(nowMs) {
      for (let work = works.peek(); work !== undefined && work.atMs <= nowMs; work = works.peek()) {
        works.pop();
        work.staff.busy--;
        serve(work.staff, work.atMs);
        if (work.open !== null) {
          return { atMs: work.atMs, open: work.open, runMs: work.runMs, by: "worker" };
        }
      }
      return null;
    },
  };
}

/** Each queue with those who serve it. */
function linesOf(pools: readonly Pool[]): Map<string, Line> {
  const lines = new Map<string, Line>();
  for (const { hands, queues } of pools) {
    const turns = queues.map((queue) => lineIn(lines, queue));
    const staff: Staff = { hands, turns, busy: 0 };
    for (const line of turns) line.staffs.push(staff);
  }
  return lines;
}

function lineIn(lines: Map<string, Line>, queue: string): Line {
  let line = lines.get(queue);
  if (line === undefined) {
    lines.set(queue, line = { queue, waiting: new Map(), staffs: [], depth: 0 });
  }
  return line;
}

function freest({ staffs }: Line): Staff {
  return staffs.reduce((best, each) =>
    each.hands - each.busy > best.hands - best.busy ? each : best
  );
}

/** Of what waits, that of the first priority; of queues in which it is the same, by turns. */
function nextFor({ turns }: Staff): { readonly line: Line; readonly list: string } | null {
  let [first, rank]: [{ line: Line; list: string } | null, string] = [null, ""];
  for (const line of turns) {
    if (line.depth === 0) continue;
    for (const [list, own] of line.waiting) {
      if (own.length === 0) continue;
      // Empty, or a number behind the separator.
      const step = list.slice(line.queue.length);
      if (first === null || isBefore(step, rank)) [first, rank] = [{ line, list }, step];
    }
  }
  return first;
}

function isBefore(one: string, other: string): boolean {
  return one.length === other.length ? one < other : one.length < other.length;
}

function takeFirst(own: Waiting[]): OpenFire | null {
  const first = own[0]!;
  if (first.open !== null || first.count === 1) own.shift();
  else first.count--;
  return first.open;
}

function add(line: Line, list: string, more: Waiting): void {
  const own = line.waiting.get(list);
  if (own === undefined) line.waiting.set(list, [more]);
  else own.push(more);
  line.depth += more.open === null ? more.count : 1;
}
