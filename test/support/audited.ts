/** Audits of a journal in memory, and the entries of one as a test may change them. */

import { auditOf } from "../../src/audit/audit.ts";
import type { Report } from "../../src/audit/close.ts";
import type { AuditOptions } from "../../src/audit/ledger.ts";
import { noteOutside, QUEUE_MAX, sightingOf } from "../../src/audit/outside.ts";
import { verify } from "../../src/audit/verify.ts";
import { decodeCursor } from "../../src/cursor.ts";
import { decodeOpen } from "../../src/open_fire.ts";
import { decodeRow } from "../../src/row_text.ts";
import { memorySensors } from "../../src/memory/sensors.ts";
import type { MemoryStore } from "../../src/memory/store.ts";

/** What Redis holds, as an audit sees it. */
export type Held = Pick<MemoryStore, "entries" | "cursors" | "open" | "lists">;

/** A copy that a test may change. */
export function copyOf({ entries, cursors, open, lists }: Held): Held {
  return {
    entries: [...entries],
    cursors: new Map(cursors),
    open: new Map(open),
    lists: new Map([...lists].map(([list, messages]) => [list, [...messages]])),
  };
}

export const WHOLE: AuditOptions = {
  sinceMs: -Infinity,
  untilMs: Infinity,
  toleranceMs: 1_000,
  isTrimmed: false,
  tasks: null,
  isShowingAll: true,
  sights: new Map(),
};

/** Everything that there is to find: rows, cursors, open fires and queues. */
export async function audited(
  held: Held,
  nowMs: number,
  options: Partial<AuditOptions> = {},
): Promise<Report> {
  const lists = [...held.lists.keys()];
  const samples = await memorySensors(held).sampleQueues(lists, QUEUE_MAX);
  const sighting = sightingOf(lists, samples, nowMs);
  const audit = auditOf({ ...WHOLE, sights: sighting.sights, ...options });
  for (const { id, fields } of held.entries) {
    const row = decodeRow(id, fields);
    if (typeof row === "string") audit.takeForeign(id, row);
    else audit.take(row);
  }
  verify(audit.ledger, {
    cursors: new Map([...held.cursors].map(([task, text]) => [task, decodeCursor(text)])),
    open: [...held.open].map(([key, text]) => decodeOpen(key, text)),
  });
  noteOutside(audit.ledger, sighting, "beat");
  return audit.close(nowMs);
}
