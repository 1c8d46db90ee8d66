/** What happens while a leader leads, in a plan: ticks, looks at fires and queues, and what workers do. */

import { PREPARE_MS, tick } from "../core/tick.ts";
import type { Tick } from "../core/tick.ts";
import { cursorText } from "../core/world.ts";
import { openKey } from "../open_fire.ts";
import type { Row } from "../event.ts";
import { levelWriter } from "../lead/level_writer.ts";
import { queueWatch } from "../lead/queue_watch.ts";
import type { Log } from "../log.ts";
import type { MemoryJournal } from "../memory/journal.ts";
import { memorySensors } from "../memory/sensors.ts";
import type { Settlement } from "../ports.ts";
import { BATCH_MAX } from "../ports.ts";
import { followerLooks } from "./follower_looks.ts";
import type { PastPresence, Planning } from "./plan.ts";
import type { SteppedClock } from "./stepped_clock.ts";
import type { Crew, Ending } from "./workers_model.ts";

/** The term of a plan. */
export const TERM = { namespace: "beat", fence: 1 };

/** As the leader does: `lead/levels.ts`. Milliseconds. */
const FIRST_LOOK_MS = 1_000;

const QUIET: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => QUIET };

/** Something that happens again and again. */
export interface Recurring {
  readonly isTick?: boolean;
  /** When it happens next; Infinity for never. Unix milliseconds. */
  nextMs(): number;
  run(nowMs: number): void | Promise<unknown>;
}

/** The next of them; of those at the same time, the first in their order. */
export function nextOf(
  events: readonly Recurring[],
  clock: SteppedClock,
): { readonly atMs: number; readonly run: Recurring["run"] } | null {
  let first: { atMs: number; run: Recurring["run"] } | null = null;
  for (const event of events) {
    const atMs = Math.max(event.nextMs(), clock.wallMs());
    if (atMs < (first?.atMs ?? Infinity)) first = { atMs, run: event.run };
  }
  return first;
}

/** What happens while a leader leads, in the order of its turn where it happens at the same time. */
export function eventsOf(
  planning: Planning,
  { now, journal, crew, clock }: {
    readonly now: Tick;
    readonly journal: MemoryJournal;
    readonly crew: Crew;
    readonly clock: SteppedClock;
  },
): Recurring[] {
  const { fromMs, untilMs, levels, past = null } = planning;
  const looking = followerLooks(fromMs);
  const ended: Ending[] = [];
  const notes = [...past?.notes ?? []];
  /** The tick or the change of a level that is under way: they come one after the other. */
  let underWay: Promise<unknown> = Promise.resolve();
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = underWay.then(work);
    underWay = mine;
    return mine;
  };
  const looks = levelLooks(planning, { now, journal, alone });
  let lookMs = levels === null ? Infinity : fromMs + FIRST_LOOK_MS;
  let look: Promise<void> = Promise.resolve();
  const { signal } = new AbortController();
  const noticedMs = (atMs: number) => past === null ? looking.after(atMs) : atMs;
  return [
    {
      nextMs: () => crew.nextMs() ?? Infinity,
      run(nowMs) {
        for (let end = crew.take(nowMs); end !== null; end = crew.take(nowMs)) ended.push(end);
      },
    },
    {
      nextMs: () => notes[0]?.atMs ?? Infinity,
      run: () => takeNote(now, notes.shift()!),
    },
    {
      nextMs: () => ended[0] === undefined ? Infinity : noticedMs(ended[0].atMs),
      run(nowMs) {
        looking.looked(nowMs);
        return settle(now, journal, ended.splice(0));
      },
    },
    {
      // What expires in its list is taken out with the next look after that.
      nextMs() {
        const ripeMs = crew.nextRipeMs() ?? Infinity;
        return ripeMs > clock.wallMs() ? ripeMs : looking.nextSampleMs(clock.wallMs());
      },
      run(nowMs) {
        if (looking.nextSampleMs(nowMs) > nowMs) return;
        looking.looked(nowMs);
        return settle(now, journal, crew.expire(nowMs));
      },
    },
    {
      nextMs: () => lookMs,
      run() {
        lookMs = Infinity;
        return look = looks().then(() => {
          lookMs = clock.wallMs() + (levels?.everyMs ?? Infinity);
        });
      },
    },
    {
      isTick: true,
      nextMs() {
        const dueMs = now.agenda.nextMs() ?? Infinity;
        if (dueMs >= untilMs) return Infinity;
        const seenMs = past?.lookMs(dueMs) ?? dueMs;
        // Who is in time has prepared it.
        return seenMs === dueMs ? dueMs - PREPARE_MS : seenMs;
      },
      async run() {
        const { broken } = await alone(() => tick(now, TERM, signal));
        // A plan that leaves a task out would look like one in which it is never due.
        for (const error of broken.values()) throw error;
        // It may have waited, to change a level.
        await look;
      },
    },
  ];
}

async function takeNote(
  { world, committer }: Tick,
  { name, text, row }: PastPresence["notes"][number],
): Promise<void> {
  const expect = cursorText(world, name);
  if (expect === text) return;
  const step = { task: name, expect, next: text, notBeforeMs: 0, row, publish: null };
  await committer.commitAll([[step]], TERM.fence);
}

/** The loop of `lead/levels.ts`, one look at a time; nothing to do where no queue is watched. */
function levelLooks(
  { levels, listsOf }: Planning,
  { now, journal, alone }: {
    readonly now: Tick;
    readonly journal: MemoryJournal;
    alone<T>(work: () => Promise<T>): Promise<T>;
  },
): () => Promise<void> {
  const { server, clock } = now;
  const writer = levelWriter({
    ...{ server, log: QUIET, fence: TERM.fence, now: () => now, alone },
    unsure() {},
  });
  const watch = queueWatch({
    ...{ server, clock, log: QUIET, writer, listsOf, fence: TERM.fence },
    sensors: memorySensors(journal.store),
    gauges: { consumers: () => Promise.resolve(null) },
  }, () => levels?.queues ?? {});
  return () => watch.look();
}

/** Records ends as the follower does when it reads results. */
async function settle(
  { world, server }: Tick,
  journal: MemoryJournal,
  ended: readonly Ending[],
): Promise<void> {
  const decidedMs = server.nowMs();
  const settlements: Settlement[] = [];
  for (const { open, runMs, by } of ended) {
    if (world.open.get(openKey(open)) === undefined) continue;
    const head = { task: open.task, dueMs: open.dueMs, decidedMs };
    const rows: Row[] = runMs === null
      ? [{ ...head, type: "fire.expired", detail: { reason: "ttl", by } }]
      : [
        { ...head, type: "fire.acked", detail: { by: "result" } },
        { ...head, type: "fire.finished", detail: { outcome: "success" } },
      ];
    settlements.push({ open, next: null, rows, remove: null });
    world.open.remove(openKey(open));
  }
  for (let start = 0; start < settlements.length; start += BATCH_MAX) {
    await journal.settle(settlements.slice(start, start + BATCH_MAX), TERM.fence);
  }
}
