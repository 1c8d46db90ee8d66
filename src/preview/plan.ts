/**
 * A plan: the core itself (term, tick, levels) on a clock that is set from one event to the next, a
 * journal in memory, and workers as a model has them. What it writes is what a live run would write.
 */

import { serverClock } from "../clock.ts";
import { closeTerm, openTerm } from "../lead/term.ts";
import { newHistory } from "../lead/history.ts";
import { levelWriter } from "../lead/level_writer.ts";
import { queueWatch } from "../lead/queue_watch.ts";
import type { Roster } from "../core/roster.ts";
import type { Tick } from "../core/tick.ts";
import { PREPARE_MS, tick } from "../core/tick.ts";
import { cursorText } from "../core/world.ts";
import type { Cursor, OpenFire } from "../cursor.ts";
import { encodeCursor, encodeOpen, openKey } from "../cursor.ts";
import type { JournalRow, Row } from "../event.ts";
import { decodeRow } from "../event.ts";
import { entryOf, openIdOf } from "../fire.ts";
import type { LevelSettings } from "../level.ts";
import type { Log } from "../log.ts";
import type { Settlement } from "../ports.ts";
import { BATCH_MAX } from "../ports.ts";
import type { MemoryJournal } from "../memory/journal.ts";
import { memoryJournal } from "../memory/journal.ts";
import { memorySensors } from "../memory/sensors.ts";
import type { Ending, WorkersModel } from "./workers_model.ts";
import { crewOf } from "./workers_model.ts";
import { steppedClock } from "./stepped_clock.ts";

export interface Planning {
  readonly roster: Roster;
  /** Decided in [fromMs, untilMs). */
  readonly fromMs: number;
  readonly untilMs: number;
  /** What the real journal holds; empty for a schedule that begins. */
  readonly seed: {
    readonly cursors: ReadonlyMap<string, Cursor>;
    readonly open: readonly OpenFire[];
  };
  readonly model: WorkersModel;
  /** Messages that wait in lists at the start, by list. */
  readonly backlog: ReadonlyMap<string, { readonly queue: string; readonly count: number }>;
  readonly levels: LevelSettings;
  listsOf(queue: string): readonly string[];
  /** Each row as it is written. */
  readonly onRow: (row: JournalRow) => void;
  /** What is known of a time that has passed; `null` for one to come. */
  readonly past?: PastPresence | null;
}

/** A leader of the past, as far as another schedule shares it. */
export interface PastPresence {
  /** When it looked at what is due at `dueMs`; Infinity for never. Unix milliseconds. */
  lookMs(dueMs: number): number;
  /** Levels and pauses, in order. */
  readonly notes: readonly { readonly name: string; readonly text: string; readonly row: Row }[];
}

/** What a plan came to, beside its rows. */
export interface Planned {
  /** The most that waited in each queue. */
  readonly depths: ReadonlyMap<string, number>;
}

/** As the leader does: `lead/levels.ts`. Milliseconds. */
const FIRST_LOOK_MS = 1_000;
const SAMPLE_MS = 1_000;

const TERM = { namespace: "beat", fence: 1 };
const QUIET: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => QUIET };

export async function plan(planning: Planning): Promise<Planned> {
  const { fromMs, untilMs, roster, model, seed } = planning;
  const clock = steppedClock(fromMs);
  const serverMs = () => Math.floor(clock.wallMs());
  const journal = memoryJournal({ serverMs, fence: TERM.fence });
  fillStore(journal, seed);
  const parts = { journal, clock, server: serverClock(clock) };
  const crew = crewOf(journal.store, model);
  for (const [list, { queue, count }] of planning.backlog) crew.fill(list, queue, count);
  const opening = { owner: "plan", epoch: "plan", build: "plan", isHistoryLost: false };
  const now = (await openTerm(parts, roster, TERM, { ...opening, history: newHistory() }))!;
  const queueOf = (task: string) => roster.get(entryOf(task))?.task.queue ?? "";
  const looks = levelLooks(planning, now, journal);
  const pour = rowsOut(journal, planning.onRow, (open) => {
    crew.push(open, queueOf(open.task), serverMs());
  }, now);
  for (const open of seed.open) crew.push(open, queueOf(open.task), fromMs);
  pour();
  let lookMs = planning.past ? Infinity : fromMs + FIRST_LOOK_MS;
  const ended: Ending[] = [];
  const { signal } = new AbortController();
  const notes = [...planning.past?.notes ?? []];
  for (;;) {
    const dueMs = now.agenda.nextMs() ?? Infinity;
    const tickMs = planning.past ? planning.past.lookMs(dueMs) : dueMs - PREPARE_MS;
    const endMs = crew.nextMs() ?? Infinity;
    const noticeMs = ended.length === 0
      ? Infinity
      : planning.past
      ? ended[0]!.atMs
      : noticedMs(ended[0]!.atMs, fromMs);
    const noteMs = notes[0]?.row.decidedMs ?? Infinity;
    const nextMs = Math.max(clock.wallMs(), Math.min(tickMs, endMs, noticeMs, lookMs, noteMs));
    if (nextMs >= untilMs || (dueMs >= untilMs && nextMs === tickMs)) break;
    clock.moveTo(nextMs);
    if (endMs <= nextMs) {
      for (let end = crew.take(nextMs); end !== null; end = crew.take(nextMs)) ended.push(end);
    } else if (noteMs <= nextMs) await takeNote(now, notes.shift()!);
    else if (noticeMs <= nextMs) await settle(now, journal, ended.splice(0));
    else if (lookMs <= nextMs) {
      await looks();
      lookMs += planning.levels.everyMs;
    } else await tick(now, TERM, signal);
    pour();
  }
  clock.moveTo(untilMs);
  await closeTerm(now, TERM, { owner: "plan", reason: "its end" });
  pour();
  return { depths: crew.depths };
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

/** The leader looks at open fires in the middle between two whole seconds. */
function noticedMs(endMs: number, fromMs: number): number {
  const half = Math.ceil((endMs - SAMPLE_MS / 2) / SAMPLE_MS) * SAMPLE_MS + SAMPLE_MS / 2;
  return Math.max(half, fromMs);
}

/** The loop of `lead/levels.ts`, one look at a time; nothing to do where no queue is watched. */
function levelLooks(
  { levels, listsOf }: Planning,
  now: Tick,
  journal: MemoryJournal,
): () => Promise<void> {
  const { server, clock } = now;
  const writer = levelWriter({
    ...{ journal, server, log: QUIET, fence: TERM.fence, now: () => now },
    alone: (work) => work(),
  });
  const watch = queueWatch({
    ...{ server, clock, log: QUIET, writer, listsOf },
    sensors: memorySensors(journal.store),
    gauges: { consumers: () => Promise.resolve(null) },
  }, () => levels.queues);
  return () => watch.look();
}

function fillStore({ store }: MemoryJournal, { cursors, open }: Planning["seed"]): void {
  for (const [name, cursor] of cursors) store.cursors.set(name, encodeCursor(cursor));
  for (const each of open) store.open.set(openKey(each), encodeOpen(each));
}

/** Hands out the rows that were written since, and the fires that were published. */
function rowsOut(
  { store: { entries } }: MemoryJournal,
  onRow: (row: JournalRow) => void,
  onPublish: (open: OpenFire) => void,
  { world }: Tick,
): () => void {
  let isFirst = true;
  return () => {
    // The last one stays: the next id follows from it.
    const fresh = isFirst ? entries.slice() : entries.slice(1);
    isFirst = isFirst && fresh.length === 0;
    entries.splice(0, entries.length - 1);
    for (const { id, fields } of fresh) {
      const row = decodeRow(id, fields);
      if (typeof row === "string") continue;
      onRow(row);
      if (row.type !== "fire.published" || row.dueMs === null) continue;
      const open = world.open.get(openIdOf(row.task, row.dueMs, 0));
      if (open !== undefined) onPublish(open);
    }
  };
}

/** Records ends as the follower does when it reads results. */
async function settle(
  { world, server }: Tick,
  journal: MemoryJournal,
  ended: readonly Ending[],
): Promise<void> {
  const decidedMs = server.nowMs();
  const settlements: Settlement[] = [];
  for (const { open, runMs } of ended) {
    if (world.open.get(openKey(open)) === undefined) continue;
    const head = { task: open.task, dueMs: open.dueMs, decidedMs };
    const rows: Row[] = runMs === null
      ? [{ ...head, type: "fire.expired", detail: { reason: "ttl", by: "worker" } }]
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
