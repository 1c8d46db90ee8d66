/**
 * Notices that history was cut: a replica of Redis was promoted before it had everything, or the
 * append-only file lost its end. Nothing tells a client so; but what was in the journal once must be
 * in it later, and the id of its newest row only grows.
 *
 * A leader hears that id with each reply, and asks for it as well: nothing may be due for a day, and
 * what was lost is to be decided anew now. A standby asks: it may be the one that leads next.
 */

import { waitFor } from "../clock.ts";
import { unlessAway } from "../errors.ts";
import { compareIds, NO_ID } from "../event.ts";
import type { Clock, Committed, Journal, LastId, Settled, Stage } from "../ports.ts";
import type { Looks } from "./looks.ts";
import { LOOKS } from "./looks.ts";

/** What one replica knows of the history; it outlives its terms. */
export interface History {
  /** The newest row that it has seen; `0-0` before the first. */
  lastId: string;
  /** What is missing, the oldest first. Each stays until it is told in the journal. */
  cuts: readonly Cut[];
  /** Called with each cut when it is noticed. */
  readonly onCut: (cut: Cut) => void;
}

/** Rows after `fromId`, up to `toId`, are gone. */
export interface Cut {
  readonly fromId: string;
  readonly toId: string;
}

/** Rows after the end of a cut among which the leader of then has told of it. */
const TOLD_WITHIN = 1_000;

/** Untold cuts that are remembered, the newest: the first batch of a term tells all of them. */
const CUTS_MAX = 100;

export function newHistory(onCut: History["onCut"] = () => {}): History {
  return { lastId: NO_ID, cuts: [], onCut };
}

/** `journal`, with each reply held against `history`. */
export function watchHistory(journal: Journal, history: History): Journal {
  return {
    ...journal,
    async commit(steps, fence) {
      const known = history.lastId;
      return noted(history, known, await journal.commit(steps, fence));
    },
    async settle(settlements, fence) {
      const known = history.lastId;
      return noted(history, known, await journal.settle(settlements, fence));
    },
    async load(how) {
      await lookBack(journal, history);
      const known = history.lastId;
      const loaded = await journal.load(how);
      note(history, known, { before: loaded.lastId, after: loaded.lastId });
      return loaded;
    },
  };
}

/** `stage`, with each reply held against `history`. */
export function watchStage(stage: Stage, history: History): Stage {
  return {
    ...stage,
    stage(batches, fence) {
      const staged = stage.stage(batches, fence);
      if (staged === null) return null;
      return {
        ...staged,
        commit() {
          const known = history.lastId;
          return staged.commit().map(async (replied) => noted(history, known, await replied));
        },
      };
    },
  };
}

/**
 * Looks whether the newest row that was seen is still there: others may have come after those that
 * are gone. What is written meanwhile may be known first.
 *
 * @param signal an answer that comes after it is aborted is passed over
 * @throws {JournalUnavailableError}
 */
export async function lookBack(
  journal: Pick<Journal, "trace">,
  history: History,
  signal?: AbortSignal,
): Promise<void> {
  const known = history.lastId;
  const { stayedId, newestId } = await journal.trace(known);
  if (signal?.aborted) return;
  // A journal that holds nothing so old has been trimmed or emptied, which is another matter.
  if (stayedId === known) {
    if (compareIds(newestId, history.lastId) > 0) history.lastId = newestId;
    return;
  }
  if (stayedId !== null) cutAt(history, stayedId, known);
  history.lastId = newestId;
}

/**
 * Looks back in the journal, again and again. Passes over a Redis that is away: others say that.
 *
 * @param onCut called once where rows are gone, and no more looks then
 */
export async function watchJournal(
  { journal, clock, history, looks = LOOKS }: {
    readonly journal: Pick<Journal, "trace">;
    readonly clock: Clock;
    readonly history: History;
    readonly looks?: Looks;
  },
  signal: AbortSignal,
  onCut?: () => void,
): Promise<void> {
  while (!signal.aborted) {
    await unlessAway(() => lookBack(journal, history, signal));
    if (history.cuts.length > 0 && onCut !== undefined) return onCut();
    await waitFor(clock, looks.journalMs, signal);
  }
}

/** Forgets the cuts that a leader of meanwhile has told of. @throws {JournalUnavailableError} */
export async function forgetTold(journal: Pick<Journal, "read">, history: History): Promise<void> {
  for (const cut of history.cuts) {
    if (await isTold(journal, cut)) forget(history, [cut]);
  }
}

/** @param cuts some of those that `history` holds */
export function forget(history: History, cuts: readonly Cut[]): void {
  history.cuts = history.cuts.filter((each) => !cuts.includes(each));
}

async function isTold(journal: Pick<Journal, "read">, { fromId }: Cut): Promise<boolean> {
  let count = 0;
  for await (const { type, detail } of journal.read({ from: fromId, to: "+" })) {
    if (type === "term.history_shortened" && detail.fromId === fromId) return true;
    if (++count >= TOLD_WITHIN) break;
  }
  return false;
}

function noted<T extends Committed | Settled>(history: History, known: string, reply: T): T {
  if (reply.kind === "done") note(history, known, reply.lastId);
  return reply;
}

/** @param known the newest row that had been seen when the question was sent */
function note(history: History, known: string, { before, after }: LastId): void {
  if (compareIds(before, known) < 0) {
    cutAt(history, before, known);
    history.lastId = after;
  } else if (compareIds(after, history.lastId) > 0) history.lastId = after;
}

/**
 * Noticed on two ways at once, it is one cut still. Where rows from after a cut stayed, it is another:
 * somebody has led since.
 */
function cutAt(history: History, fromId: string, known: string): void {
  const older = history.cuts.filter(({ toId }) => compareIds(toId, fromId) <= 0);
  const same = history.cuts.slice(older.length);
  const cut = same.reduce(union, { fromId, toId: known });
  const isNew = same.every((each) => compareIds(fromId, each.fromId) < 0);
  if (!isNew && same.length === 1 && same[0]!.toId === cut.toId) return;
  history.cuts = [...older, cut].slice(-CUTS_MAX);
  if (isNew) history.onCut(cut);
}

function union(one: Cut, other: Cut): Cut {
  return {
    fromId: compareIds(one.fromId, other.fromId) < 0 ? one.fromId : other.fromId,
    toId: compareIds(one.toId, other.toId) > 0 ? one.toId : other.toId,
  };
}
