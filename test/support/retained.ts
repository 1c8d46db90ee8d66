/** A journal in memory that is cut off, and what can be read of it afterwards. */

import { acrossJournal } from "../../src/archive/across.ts";
import { decodeCursor } from "../../src/cursor.ts";
import { decodeOpen } from "../../src/open_fire.ts";
import type { JournalRow } from "../../src/event.ts";
import { compareIds } from "../../src/event.ts";
import { fireIdOf } from "../../src/fire.ts";
import type { MemoryArchive } from "../../src/memory/archive.ts";
import { memoryArchive } from "../../src/memory/archive.ts";
import type { MemoryJournal } from "../../src/memory/journal.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import type { Clock } from "../../src/ports.ts";
import type { Limits, RetainParts } from "../../src/retain/retain.ts";
import type { Held } from "./audited.ts";

export const FENCE = 7;

/** Time stands still, and nobody waits. */
export const STILL: Clock = {
  wallMs: () => 0,
  monotonicMs: () => 0,
  sleep: () => Promise.resolve(),
};

export interface Retained {
  readonly journal: MemoryJournal;
  readonly archive: MemoryArchive;
  /** For `retain`; the time is `nowMs` unless it is said. */
  parts(limits: Limits, nowMs?: number): RetainParts;
  /** Rows of archive and stream as one. @param options.withSnapshots @default false */
  rows(options?: { withSnapshots: boolean }): Promise<JournalRow[]>;
}

/** @param fence of the term in which it goes on */
export function retained(held: Held, nowMs: number, fence = FENCE): Retained {
  const journal = memoryJournal({ serverMs: () => nowMs, fence });
  const { store } = journal;
  store.entries.push(...held.entries);
  for (const [task, text] of held.cursors) store.cursors.set(task, text);
  for (const [key, text] of held.open) store.open.set(key, text);
  const archive = memoryArchive();
  const reading = acrossJournal(archive, {
    ...journal,
    firstId: () => Promise.resolve(store.entries[0]?.id ?? null),
  });
  return {
    journal,
    archive,
    parts: (limits, atMs = nowMs) => ({
      ...{ journal, archive, limits, clock: STILL },
      server: { nowMs: () => atMs },
      openFires: () => openFiresIn(store),
    }),
    async rows({ withSnapshots } = { withSnapshots: false }) {
      const rows = [];
      for await (const row of reading.read({ from: "-", to: "+" })) rows.push(row);
      return rows.filter(({ type }) => withSnapshots || type !== "journal.snapshot");
    },
  };
}

export function openFiresIn({ cursors, open }: Pick<Held, "cursors" | "open">): Set<string> {
  const fires = new Set<string>();
  for (const [key, text] of open) {
    const { task, dueMs } = decodeOpen(key, text);
    fires.add(fireIdOf(task, dueMs));
  }
  for (const [task, text] of cursors) {
    const { dueMs, pending } = decodeCursor(text);
    if (pending !== undefined) fires.add(fireIdOf(task, dueMs));
  }
  return fires;
}

/** Rows each once, in order. */
export function isInOrder(rows: readonly { readonly id: string }[]): boolean {
  return rows.every(({ id }, index) => index === 0 || compareIds(rows[index - 1]!.id, id) < 0);
}
