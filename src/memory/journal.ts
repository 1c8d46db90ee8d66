/**
 * The journal in memory, for dry runs, replays and tests. It answers as `redis/commit.lua` and
 * `redis/settle.lua` do; the conformance suite and the differential test hold them together.
 */

import type { OpenFire } from "../open_fire.ts";
import { decodeCursor } from "../cursor.ts";
import { decodeOpen, encodeOpen, openKey } from "../open_fire.ts";
import type { JournalRow } from "../event.ts";
import { compareIds, NO_ID } from "../event.ts";
import { decodeRow } from "../row_text.ts";
import type {
  Journal,
  Loaded,
  OnForeign,
  Outcome,
  ReadRange,
  Settlement,
  SettleOutcome,
  Step,
} from "../ports.ts";
import { checkSettlements, checkSteps } from "../steps.ts";
import type { Entry, MemoryStore } from "./store.ts";
import { appendRow, lastIdOf, memoryStore, pushMessage, removeMessage, splitId } from "./store.ts";

/** A journal whose insides tests and previews may look at, and seed. */
export interface MemoryJournal extends Journal {
  readonly store: MemoryStore;
}

/**
 * @param options.serverMs the server's time; Unix milliseconds, whole
 * @param options.fence the term in office; `null` for none yet, see `memoryLease`
 * @default options.fence null
 */
export function memoryJournal(
  options: { readonly serverMs: () => number; readonly fence?: number | null },
): MemoryJournal {
  const store = memoryStore(options.serverMs, options.fence ?? null);
  return {
    store,
    commit: (steps, fence) =>
      promised(() => {
        checkSteps(steps, fence);
        if (store.fence !== fence) return { kind: "fenced" };
        const serverMs = store.serverMs();
        const before = lastIdOf(store);
        const outcomes = steps.map((step) => commitStep(store, step, { serverMs, fence }));
        return { kind: "done", serverMs, outcomes, lastId: { before, after: lastIdOf(store) } };
      }),
    settle: (settlements, fence) =>
      promised(() => {
        checkSettlements(settlements, fence);
        if (store.fence !== fence) return { kind: "fenced" };
        const serverMs = store.serverMs();
        const before = lastIdOf(store);
        const outcomes = settlements.map((each) => settleOne(store, each, { serverMs, fence }));
        return { kind: "done", serverMs, outcomes, lastId: { before, after: lastIdOf(store) } };
      }),
    load: (how) =>
      promised(() => ({
        ...snapshot(store, store.cursors.keys(), how === "cursors" ? [] : store.open.keys()),
        lastId: lastIdOf(store),
      })),
    reload: (tasks, openIds) =>
      promised(() => ({ ...snapshot(store, tasks, openIds), lastId: NO_ID })),
    trace: (id) =>
      promised(() => {
        const isAfter = (entry: Entry) => compareIds(entry.id, id) > 0;
        const stayed = store.entries.findLast((entry) => !isAfter(entry));
        return { stayedId: stayed?.id ?? null, newestId: lastIdOf(store) };
      }),
    extent: () =>
      promised(() => {
        const { entries } = store;
        return {
          rows: entries.length,
          bytes: entries.reduce((sum, { fields }) => sum + fields.join("").length + ENTRY_BYTES, 0),
          firstId: entries[0]?.id ?? null,
          lastId: entries.at(-1)?.id ?? null,
        };
      }),
    trim: ({ firstId, cutId }, fence) =>
      promised(() => {
        if (store.fence !== fence) return { kind: "fenced" };
        const at = store.entries.findIndex(({ id }) => id === cutId);
        if (store.entries[0]?.id !== firstId || at < 0) return { kind: "moved" };
        store.entries.splice(0, at);
        return { kind: "done", rows: at };
      }),
    read: (range, onForeign) => rowsOf(inRange(store, range), onForeign),
    readBack: (range, onForeign) => rowsOf(inRange(store, range).reverse(), onForeign),
  };
}

/** About what an entry costs beside its values. */
const ENTRY_BYTES = 16;

/** What throws is a rejection, as it is with Redis. */
function promised<T>(answer: () => T): Promise<T> {
  return new Promise((resolve) => resolve(answer()));
}

/** The script call that writes. */
interface Call {
  readonly serverMs: number;
  readonly fence: number;
}

function commitStep(store: MemoryStore, step: Step, { serverMs, fence }: Call): Outcome {
  const stored = store.cursors.get(step.task) ?? "";
  if (stored !== step.expect) return { kind: judgeOther(stored, step) };
  if (serverMs < step.notBeforeMs) return { kind: "early" };
  if (serverMs > (step.notAfterMs ?? Infinity)) return { kind: "stale" };
  const { publish } = step;
  if (publish !== null && store.foreignLists.has(publish.open.list)) return { kind: "wrongtype" };

  if (publish !== null) {
    pushMessage(store, publish.open.list, publish.message);
    store.open.set(openKey(publish.open), encodeOpen(publish.open));
  }
  appendRow(store, serverMs, step.row, fence);
  if (step.next === "") store.cursors.delete(step.task);
  else store.cursors.set(step.task, step.next);
  return { kind: "committed" };
}

/** Why a step does not fit a cursor that is another than it expects. */
function judgeOther(stored: string, { expect, next }: Step): "duplicate" | "gap" | "revision" {
  if (stored === next) return "duplicate";
  const at = partsOf(stored);
  if (at === null) return "gap";
  const from = partsOf(expect);
  const to = partsOf(next);
  if (at.revision !== from?.revision && at.revision !== to?.revision) return "revision";
  return to !== null && at.dueMs >= to.dueMs ? "duplicate" : "gap";
}

/** Loose, unlike `decodeCursor`: what stands there may not be ours. */
function partsOf(text: string): { dueMs: number; revision: string } | null {
  const match = /^(-?\d+) (\S+)/.exec(text);
  return match === null ? null : { dueMs: Number(match[1]), revision: match[2]! };
}

function settleOne(store: MemoryStore, settlement: Settlement, call: Call): SettleOutcome {
  const { open, next, rows, remove } = settlement;
  const key = openKey(open);
  if (store.open.get(key) !== encodeOpen(open)) return "duplicate";
  if (remove !== null) {
    if (store.foreignLists.has(remove.list)) return "wrongtype";
    if (!removeMessage(store, remove)) return "raced";
  }
  for (const row of rows) appendRow(store, call.serverMs, row, call.fence);
  if (next === null) store.open.delete(key);
  else store.open.set(key, encodeOpen(next));
  return "settled";
}

function snapshot(
  store: MemoryStore,
  tasks: Iterable<string>,
  openIds: Iterable<string>,
): Omit<Loaded, "lastId"> {
  const cursors = new Map();
  for (const task of tasks) {
    const text = store.cursors.get(task);
    if (text !== undefined) cursors.set(task, decodeCursor(text));
  }
  const open: OpenFire[] = [];
  for (const key of openIds) {
    const text = store.open.get(key);
    if (text !== undefined) open.push(decodeOpen(key, text));
  }
  return { serverMs: store.serverMs(), cursors, open };
}

function inRange(store: MemoryStore, { from, to }: ReadRange): Entry[] {
  const [fromMs, fromSequence] = from === "-" ? [0, 0] : splitId(from);
  const [toMs, toSequence] = to === "+" ? [Infinity, Infinity] : splitId(to);
  // Without a sequence, an end takes in all of its millisecond.
  const lastSequence = to.includes("-") ? toSequence : Infinity;
  return store.entries.filter(({ id }) => {
    const [ms, sequence] = splitId(id);
    const isAfterFrom = ms > fromMs || (ms === fromMs && sequence >= fromSequence);
    return isAfterFrom && (ms < toMs || (ms === toMs && sequence <= lastSequence));
  });
}

async function* rowsOf(
  entries: readonly Entry[],
  onForeign?: OnForeign,
): AsyncGenerator<JournalRow> {
  for (const { id, fields } of entries) {
    const row = decodeRow(id, fields);
    if (typeof row === "string") onForeign?.(id, row);
    else yield row;
  }
}
