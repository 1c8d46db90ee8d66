/**
 * Notices that history was cut: a replica of Redis was promoted before it had everything, or the
 * append-only file lost its end. Nothing tells a client so; but the id of the journal's newest row,
 * which each reply carries, only grows in one history.
 */

import { compareIds } from "../event.ts";
import type { Journal, LastId } from "../ports.ts";

/** What one replica knows of the history; it outlives its terms. */
export interface History {
  /** The newest row that it has seen; `0-0` before the first. */
  lastId: string;
  /** Rows after `fromId`, up to `toId`, are gone; `null` while nothing is. Stays until it is told. */
  cut: { readonly fromId: string; readonly toId: string } | null;
}

export function newHistory(): History {
  return { lastId: "0-0", cut: null };
}

/** `journal`, with each reply held against `history`. */
export function watchHistory(journal: Journal, history: History): Journal {
  return {
    ...journal,
    async commit(steps, fence) {
      const known = history.lastId;
      const reply = await journal.commit(steps, fence);
      if (reply.kind === "done") note(history, known, reply.lastId);
      return reply;
    },
    async settle(settlements, fence) {
      const known = history.lastId;
      const reply = await journal.settle(settlements, fence);
      if (reply.kind === "done") note(history, known, reply.lastId);
      return reply;
    },
    async load() {
      const known = history.lastId;
      const loaded = await journal.load();
      note(history, known, { before: loaded.lastId, after: loaded.lastId });
      return loaded;
    },
  };
}

/** @param known the newest row that had been seen when the question was sent */
function note(history: History, known: string, { before, after }: LastId): void {
  if (compareIds(before, known) < 0) {
    history.cut = { fromId: before, toId: history.cut?.toId ?? known };
    history.lastId = after;
  } else if (compareIds(after, history.lastId) > 0) history.lastId = after;
}
