/**
 * A plan: the core itself (term, tick, levels) on a clock that is set from one event to the next, a
 * journal in memory, and workers as a model has them. What it writes is what a live run would write.
 */

import { serverClock } from "../clock.ts";
import { closeTerm, openTerm } from "../lead/term.ts";
import { newHistory } from "../lead/history.ts";
import type { Roster } from "../core/roster.ts";
import type { Tick } from "../core/tick.ts";
import type { Cursor } from "../cursor.ts";
import type { OpenFire } from "../open_fire.ts";
import { encodeCursor } from "../cursor.ts";
import { encodeOpen, openKey } from "../open_fire.ts";
import type { JournalRow, Row } from "../event.ts";
import { decodeRow } from "../row_text.ts";
import { entryOf, openIdOf } from "../fire.ts";
import type { LevelSettings } from "../level.ts";
import type { MemoryJournal } from "../memory/journal.ts";
import { memoryJournal } from "../memory/journal.ts";
import { pushMessage } from "../memory/store.ts";
import type { Crew, WorkersModel } from "./workers_model.ts";
import { crewOf } from "./workers_model.ts";
import type { Recurring } from "./plan_events.ts";
import { eventsOf, nextOf, TERM } from "./plan_events.ts";
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
  /** Messages of others that wait in lists at the start, by list. */
  readonly backlog: ReadonlyMap<string, { readonly queue: string; readonly count: number }>;
  /** `null`: levels stay as they are. */
  readonly levels: LevelSettings | null;
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
  readonly notes: readonly {
    readonly atMs: number;
    /** Of its cursor. */
    readonly name: string;
    readonly text: string;
    readonly row: Row;
  }[];
}

/** What a plan came to, beside its rows. */
export interface Planned {
  /** The most that waited in each queue. */
  readonly depths: ReadonlyMap<string, number>;
}

export async function plan(planning: Planning): Promise<Planned> {
  const { fromMs, untilMs, roster, model, seed } = planning;
  const events: Recurring[] = [];
  /** A tick waits for what is due in a moment: the others go on meanwhile. */
  const clock = steppedClock(fromMs, async (endMs) => {
    const others = events.filter(({ isTick }) => isTick !== true);
    for (let event = nextOf(others, clock); event !== null; event = nextOf(others, clock)) {
      if (event.atMs > endMs) return;
      clock.moveTo(event.atMs);
      await begun(event.run(event.atMs));
    }
  });
  const serverMs = () => Math.floor(clock.wallMs());
  const journal = memoryJournal({ serverMs, fence: TERM.fence });
  fillStore(journal, seed);
  const parts = { journal, clock, server: serverClock(clock) };
  const crew = crewOf(journal.store, model);
  const opening = { owner: "plan", epoch: "plan", build: "plan", lostAfter: null };
  const now = (await openTerm(parts, roster, TERM, { ...opening, history: newHistory() }))!;
  const queueOf = (task: string) => roster.get(entryOf(task))?.task.queue ?? "";
  const pour = rowsOut(journal, planning.onRow, (open) => {
    crew.push(open, queueOf(open.task), serverMs());
  }, now);
  beginWith(planning, { journal, crew, queueOf });
  pour();
  events.push(...eventsOf(planning, { now, journal, crew, clock }));
  for (let event = nextOf(events, clock); event !== null; event = nextOf(events, clock)) {
    if (event.atMs >= untilMs) break;
    clock.moveTo(event.atMs);
    await event.run(event.atMs);
    pour();
  }
  clock.moveTo(untilMs);
  await closeTerm(now, TERM, { owner: "plan", reason: "its end" });
  pour();
  return { depths: crew.depths };
}

/** What workers have, and what waits: messages of others first, because nobody knows their places. */
function beginWith(
  { seed: { open: all }, backlog, fromMs }: Planning,
  { journal: { store }, crew, queueOf }: {
    readonly journal: MemoryJournal;
    readonly crew: Crew;
    queueOf(task: string): string;
  },
): void {
  const isQueued = ({ state }: OpenFire) => state === "queued";
  for (const open of all) if (!isQueued(open)) crew.run(open, queueOf(open.task), fromMs);
  for (const [list, { queue, count }] of backlog) crew.fill({ list, queue, count }, fromMs);
  for (const open of all.filter(isQueued)) {
    // What its message says does not matter here.
    pushMessage(store, open.list, "{}");
    crew.push(open, queueOf(open.task), fromMs);
  }
}

/** As far as it comes without waiting for what is under way. */
async function begun(work: void | Promise<unknown>): Promise<void> {
  let isOver = false;
  Promise.resolve(work).then(() => isOver = true);
  for (let turn = 0; turn < TURNS_MAX && !isOver; turn++) await Promise.resolve();
}

/** More than anything here needs that waits for nothing. */
const TURNS_MAX = 200;

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
