/**
 * What policies could know at an instant of the past, from the rows: which fires ran, the levels, the
 * pauses. Who decides may not have seen the newest rows yet, so it can be asked as of an earlier one.
 */

import type { Fold, Folded } from "../audit/fold.ts";
import type { SkipRun } from "../core/skip_run.ts";
import type { World } from "../core/world.ts";
import type { Cursor } from "../cursor.ts";
import type { JournalRow } from "../event.ts";
import { openIdOf, parseFireId } from "../fire.ts";
import { openFires } from "../follow/open_fires.ts";

/** How long after the end of a fire a decision may have been made without it. Milliseconds. */
export const SLACK_MS = 30_000;

/** A change of what is known, by its place among all changes. */
export interface Change {
  readonly number: number;
  /** When it was decided. Unix milliseconds. */
  readonly atMs: number;
}

export interface PastFacts {
  /** @param noted levels and pauses after the row */
  take(row: JournalRow, folded: Folded, noted: ReadonlyMap<string, Cursor>): void;
  /** Changes at or after `sinceMs` that a decision about a task could rest on, oldest first. */
  changes(task: string, sinceMs: number): readonly Change[];
  /** As `changes`, and of them the ends of the task's own fires. */
  ends(task: string, sinceMs: number): readonly Change[];
  /** Nobody will ask about a task as of an earlier time. */
  trim(task: string, beforeMs: number): void;
  /**
   * The world of one task, as `decide` wants it. What was published by `at.nowMs` is known to it in
   * any case: it has done that itself.
   */
  world(task: string, cursor: Cursor, at: Seen, run?: SkipRun): World;
  /** Of all changes so far. */
  readonly newest: number;
  /** Cursors of levels and pauses, as they stand. */
  readonly notes: ReadonlyMap<string, Cursor>;
}

/** What whoever decides at `nowMs` has seen. */
export interface Seen {
  readonly nowMs: number;
  /** The number of the last change that was. @default all */
  readonly asOf?: number;
  /** The same for the ends of fires, which are recorded beside its work. @default `asOf` */
  readonly endsAsOf?: number;
}

interface Running {
  readonly openId: string;
  readonly dueMs: number;
}

interface RunChange extends Change {
  readonly fire: Running;
  readonly isBegun: boolean;
}

interface NoteChange extends Change {
  readonly before: ReadonlyMap<string, Cursor>;
}

/** Of one task: the fires that run, by fire id, and how that came about. */
interface Line {
  readonly running: Map<string, Running>;
  changes: RunChange[];
}

/** Changes are only thrown away where there are so many. */
const TRIM_AT = 64;

/** @param seed what the rows before the first came to: fires that had not ended, levels and pauses */
export function pastFacts(
  seed: Pick<Fold, "fires"> & { readonly notes: ReadonlyMap<string, Cursor> },
): PastFacts {
  const lines = new Map<string, Line>();
  const nothingOpen = openFires();
  let { notes } = seed;
  const noteChanges: NoteChange[] = [];
  let newest = 0;

  function lineOf(task: string): Line {
    let line = lines.get(task);
    if (line === undefined) {
      line = { running: new Map(), changes: [] };
      lines.set(task, line);
    }
    return line;
  }

  function setRunning(line: Line, fireId: string, fire: Running | null, atMs: number): void {
    const known = line.running.get(fireId);
    if (known?.openId === fire?.openId) return;
    if (known !== undefined) {
      line.running.delete(fireId);
      line.changes.push({ number: ++newest, atMs, fire: known, isBegun: false });
    }
    if (fire === null) return;
    line.running.set(fireId, fire);
    line.changes.push({ number: ++newest, atMs, fire, isBegun: true });
  }

  for (const [fireId, { openId, state }] of seed.fires) {
    const id = parseFireId(fireId);
    if (id === null || !isRunning(state)) continue;
    lineOf(id.task).running.set(fireId, { openId, dueMs: id.dueMs });
  }

  return {
    take(row, folded, noted) {
      if (folded.kind === "stepped" && row.dueMs !== null) {
        const { openId, state } = folded.fire;
        const fire = isRunning(state) ? { openId, dueMs: row.dueMs } : null;
        setRunning(lineOf(row.task), openIdOf(row.task, row.dueMs, 0), fire, row.decidedMs);
        return;
      }
      if (noted === notes) return;
      noteChanges.push({ number: ++newest, atMs: row.decidedMs, before: notes });
      notes = noted;
    },
    changes(task, sinceMs) {
      const own = lines.get(task)?.changes ?? [];
      return [...own, ...noteChanges].filter(({ atMs }) => atMs >= sinceMs)
        .sort((one, other) => one.number - other.number);
    },
    ends: (task, sinceMs) =>
      (lines.get(task)?.changes ?? []).filter(({ atMs, isBegun }) => !isBegun && atMs >= sinceMs),
    trim(task, beforeMs) {
      const line = lines.get(task);
      if (line !== undefined && line.changes.length >= TRIM_AT) {
        line.changes = line.changes.filter(({ atMs }) => atMs >= beforeMs);
      }
    },
    world(task, cursor, at, run) {
      const { asOf = newest } = at;
      const noted = noteChanges.find(({ number }) => number > asOf)?.before ?? notes;
      const line = lines.get(task);
      return {
        cursors: new Map([...noted, [task, cursor]]),
        open: {
          ...nothingOpen,
          runningOf: (_task, dueMs) =>
            line === undefined
              ? []
              : runningIn(line, { ...at, endsAsOf: at.endsAsOf ?? asOf }, dueMs),
        },
        runs: new Map(run === undefined ? [] : [[task, [run]]]),
        again: new Map(),
        recordedMs: 0,
      };
    },
    get newest() {
      return newest;
    },
    get notes() {
      return notes;
    },
  };
}

/** Keys of what ran, as `OpenFires.runningOf` gives them. */
function runningIn(
  { running, changes }: Line,
  { nowMs, endsAsOf }: Pick<Required<Seen>, "nowMs" | "endsAsOf">,
  dueMs: number,
): string[] {
  const then = new Set(running.values());
  for (const { number, atMs, fire, isBegun } of changes.toReversed()) {
    if (number <= endsAsOf) break;
    if (!isBegun) then.add(fire);
    else if (atMs > nowMs) then.delete(fire);
  }
  return [...then].filter((each) => each.dueMs < dueMs)
    .sort((one, other) => one.dueMs - other.dueMs)
    .map(({ openId }) => openId);
}

/** Published, and not seen to end: what Beat keeps as an open fire. */
export function isRunning(state: string): boolean {
  return state.startsWith("published.") || state === "acked.unfinished";
}
