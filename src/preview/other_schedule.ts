/**
 * The recorded period under another schedule: it is run forward by the core from the state that the
 * rows before the period come to, led when somebody led, with the levels and pauses that there were.
 */

import type { SnapshotState } from "../audit/snapshot.ts";
import type { Roster } from "../core/roster.ts";
import type { Cursor } from "../cursor.ts";
import type { OpenFire } from "../open_fire.ts";
import { encodeCursor } from "../cursor.ts";
import type { JournalRow, Row } from "../event.ts";
import { NO_ID, recordedMs } from "../event.ts";
import { parseOpenId } from "../fire.ts";
import type { OutcomeDifference } from "./outcomes.ts";
import { outcomeDifferences, outcomesOf } from "./outcomes.ts";
import type { Past } from "./past.ts";
import { pastOf } from "./past.ts";
import { isRunning } from "./past_facts.ts";
import type { PastPresence } from "./plan.ts";
import { plan } from "./plan.ts";
import { presence } from "./presence.ts";

export interface OtherSchedule {
  /** The next row, in the order of the journal, to its end. */
  take(row: JournalRow): void;
  close(roster: Roster, listOf: (queue: string) => readonly string[]): Promise<Compared>;
}

export interface Compared {
  readonly differences: readonly OutcomeDifference[];
  /** Due times in the period, by task: as recorded and as they would be. */
  readonly counts: ReadonlyMap<string, { readonly was: number; readonly now: number }>;
}

interface Start {
  readonly cursors: Map<string, Cursor>;
  readonly open: OpenFire[];
}

export function otherSchedule(
  window: { readonly sinceMs: number; readonly untilMs: number },
  seed: SnapshotState | null = null,
): OtherSchedule {
  const { sinceMs, untilMs } = window;
  const past = pastOf(seed);
  const there = presence();
  const was = outcomesOf(window, (task) => past.declared.get(task)?.trigger ?? null);
  const notes: PastPresence["notes"][number][] = [];
  let start: Start | null = null;
  // Where the journal begins in the period, the other schedule begins with it.
  let isBefore = false;
  let beginMs = sinceMs;
  let lastMs = sinceMs;

  return {
    take(row) {
      const atMs = recordedMs(row);
      lastMs = Math.max(lastMs, row.decidedMs);
      if (!isBefore && atMs >= sinceMs) beginMs = row.decidedMs;
      isBefore ||= seed !== null || atMs < sinceMs || row.type === "task.known";
      if (atMs < sinceMs) {
        there.before(row);
        return past.take(row);
      }
      if (start === null) {
        start = startOf(past, beginMs);
        for (const open of start.open) there.begin(open);
      }
      there.take(row);
      was.take(row);
      const before = past.facts.notes;
      past.take(row);
      if (atMs < untilMs && past.facts.notes !== before) {
        notes.push(...changedNotes(past, before, { row, atMs: there.trueMs }));
      }
    },
    async close(roster, listsOf) {
      noteGoingSkips(past, was, Math.min(untilMs, lastMs + 1));
      const now = outcomesOf(window, (task) => roster.get(task)?.trigger ?? null);
      const { cursors, open } = start ?? startOf(past, beginMs);
      await plan({
        ...{ roster, fromMs: beginMs, untilMs: Math.min(untilMs, lastMs + 1), listsOf },
        seed: { cursors, open },
        model: { pools: [], runMs: there.runMs, otherMs: () => 0 },
        ...{ backlog: new Map(), levels: null },
        onRow: now.take,
        past: { lookMs: there.lookMs, notes },
      });
      const tasks = [...new Set([...was.byTask.keys(), ...now.byTask.keys()])].sort();
      return {
        differences: outcomeDifferences(was, now),
        counts: new Map(tasks.map((task) => [task, {
          was: was.byTask.get(task)?.size ?? 0,
          now: now.byTask.get(task)?.size ?? 0,
        }])),
      };
    },
  };
}

/** Notes that a row has changed, as the cursors that they leave. */
function changedNotes(
  { facts: { notes } }: Past,
  before: ReadonlyMap<string, Cursor>,
  { row: { id: _id, version: _version, fence: _fence, ...row }, atMs }: {
    readonly row: JournalRow;
    readonly atMs: number;
  },
): PastPresence["notes"][number][] {
  return [...notes].filter(([name, cursor]) => before.get(name) !== cursor)
    .map(([name, cursor]) => ({ name, atMs, text: encodeCursor(cursor), row: row as Row }));
}

/** The last skips of a policy may have no row yet. */
function noteGoingSkips(
  { runs, declared }: Past,
  was: ReturnType<typeof outcomesOf>,
  untilMs: number,
) {
  for (const [task, { by, reason, toMs }] of runs) {
    const last = declared.get(task)?.trigger.last(untilMs - 1) ?? null;
    const first = declared.get(task)?.trigger.next(toMs) ?? null;
    if (last === null || first === null || last < first) continue;
    const detail = { fromMs: first, toMs: last, by, reason };
    was.take({
      ...{ id: NO_ID, version: 1, type: "task.dropped", task, dueMs: last, decidedMs: untilMs },
      ...{ fence: 0, detail },
    });
  }
}

function startOf({ cursors, facts, fires, declared }: Past, nowMs: number): Start {
  const open = [...fires.values()].flatMap(({ openId, state }): OpenFire[] => {
    const name = parseOpenId(openId);
    if (name === null || !isRunning(state)) return [];
    return [{
      ...name,
      list: declared.get(name.task)?.list ?? "gone",
      ...{ fence: 0, publishedMs: nowMs, expiresMs: null },
      ...{ takeByMs: nowMs, takeWithinMs: 0, giveUpMs: nowMs },
      ...{ state: "taken", isOverdue: false, redeliveries: 0 } as const,
    }];
  });
  const then = [...cursors].map(([task, cursor]) => [task, { ...cursor }] as const);
  return { cursors: new Map([...then, ...facts.notes]), open };
}
