/**
 * Workers as a plan takes them to be: each queue has so many hands, and each task runs for the same time
 * whenever it runs. Messages are taken in the order in which they came, those that expired thrown away.
 */

import TinyQueue from "tinyqueue";
import type { OpenFire } from "../cursor.ts";
import { EXPIRY_MARGIN_MS } from "../follow/verdict.ts";
import type { MemoryStore } from "../memory/store.ts";

/** What is taken to be true of workers. */
export interface WorkersModel {
  /** Messages of a queue that run at the same time; Infinity where nothing ever waits. */
  hands(queue: string): number;
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
  /** Puts messages of others into a list. */
  fill(list: string, queue: string, count: number): void;
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
  readonly queue: string;
  /** `null` for a message of others. */
  readonly open: OpenFire | null;
  readonly runMs: number | null;
}

interface Line {
  /** By list: what stands in it, oldest first; the messages themselves are in the store. */
  readonly waiting: Map<string, (OpenFire | null)[]>;
  busy: number;
}

export function crewOf({ lists }: Pick<MemoryStore, "lists">, model: WorkersModel): Crew {
  const lines = new Map<string, Line>();
  const depths = new Map<string, number>();
  const works = new TinyQueue<Work>(
    [],
    (one, other) => one.atMs - other.atMs || one.order - other.order,
  );
  /** Fires that wait, and by when each is ripe. */
  const waiting = new Map<OpenFire, { readonly queue: string }>();
  const ripe = new TinyQueue<{ readonly atMs: number; readonly open: OpenFire }>(
    [],
    (one, other) => one.atMs - other.atMs,
  );
  let begun = 0;

  function lineOf(queue: string): Line {
    let line = lines.get(queue);
    if (line === undefined) lines.set(queue, line = { waiting: new Map(), busy: 0 });
    return line;
  }

  function add(list: string, queue: string, open: OpenFire | null): void {
    const line = lineOf(queue).waiting;
    const fires = line.get(list);
    if (fires === undefined) line.set(list, [open]);
    else fires.push(open);
  }

  /** Lets free hands take what waits; of the lists of a queue, that of the first priority first. */
  function begin(queue: string, nowMs: number): void {
    const line = lineOf(queue);
    while (line.busy < model.hands(queue)) {
      const [list] = [...line.waiting].filter(([, fires]) => fires.length > 0)
        .map(([name]) => name).sort((one, other) =>
          one.length - other.length || (one < other ? -1 : 1)
        );
      if (list === undefined) break;
      const open = line.waiting.get(list)!.shift()!;
      lists.get(list)?.pop();
      if (open !== null) waiting.delete(open);
      const isExpired = open !== null && open.expiresMs !== null && open.expiresMs < nowMs;
      const runMs = isExpired ? null : open === null ? model.otherMs(queue) : model.runMs(open);
      line.busy++;
      works.push({ atMs: nowMs + (runMs ?? 0), order: begun++, queue, open, runMs });
    }
    const depth = [...line.waiting.values()].reduce((sum, fires) => sum + fires.length, 0);
    if (depth > (depths.get(queue) ?? 0)) depths.set(queue, depth);
  }

  return {
    depths,
    fill(list, queue, count) {
      const messages = lists.get(list) ?? [];
      for (let each = 0; each < count; each++) {
        messages.push("{}");
        add(list, queue, null);
      }
      lists.set(list, messages);
    },
    push(open, queue, nowMs) {
      add(open.list, queue, open);
      if (open.expiresMs !== null) {
        waiting.set(open, { queue });
        ripe.push({ atMs: open.expiresMs + EXPIRY_MARGIN_MS + 1, open });
      }
      begin(queue, nowMs);
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
        const line = lineOf(place.queue).waiting.get(open.list)!;
        const at = line.indexOf(open);
        line.splice(at, 1);
        // In the store the newest comes first.
        lists.get(open.list)?.splice(line.length - at, 1);
        out.push({ atMs: nowMs, open, runMs: null, by: "beat" });
      }
      return out;
    },
    nextMs: () => works.peek()?.atMs ?? null,
    take(nowMs) {
      for (let work = works.peek(); work !== undefined && work.atMs <= nowMs; work = works.peek()) {
        works.pop();
        lineOf(work.queue).busy--;
        begin(work.queue, work.atMs);
        if (work.open !== null) {
          return { atMs: work.atMs, open: work.open, runMs: work.runMs, by: "worker" };
        }
      }
      return null;
    },
  };
}
