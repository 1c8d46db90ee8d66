/** A shop whose tasks have policies, whose leader is late now and then, whose levels move and people pause. */

import type { Tick } from "../../src/core/tick.ts";
import { cursorText } from "../../src/core/world.ts";
import {
  ALL_TASKS,
  decodeNote,
  encodeCursor,
  encodeNote,
  levelCursor,
  pauseCursor,
} from "../../src/cursor.ts";
import type { Level, Row } from "../../src/event.ts";
import type { CalendarSpec, PolicySpecs, Task, WindowSpec } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import type { Draw, Habits } from "./clean_journal.ts";
import { aDrawnTask, ticked } from "./clean_journal.ts";

/** Open and closed in turn, some minutes each. */
export const RESTLESS: CalendarSpec = {
  ...{ mic: "REST", tz: "UTC", validFrom: "2025-12-01", validTo: "2026-12-31" },
  sessions: [{
    days: [1, 2, 3, 4, 5, 6, 7],
    open: "00:00",
    close: "24:00",
    breaks: Array.from({ length: 71 }, (_, index) => {
      const start = index * 20 + 7;
      return [timeText(start), timeText(start + [2, 5, 11][index % 3]!)] as const;
    }),
  }],
  ...{ holidays: [], specialOpens: {}, specialCloses: {}, specialSessions: {} },
};

export const POLICED: Habits = {
  drawTask: drawPoliced,
  async meanwhile(now, { draw, clock, fence }) {
    if (draw() < 0.02) await clock.advance(Math.floor(draw() * 4_000));
    if (draw() < 0.02) await moveLevel(now, draw, fence);
    if (draw() < 0.02) await givePauseOrder(now, draw, fence);
    // A pass of its own, so that some of its looks come between the others.
    if (draw() < 0.05) {
      await ticked(now, { namespace: "beat", fence }, clock);
    }
  },
};

/** A drawn task with drawn policies. */
export function drawPoliced(name: string, draw: Draw, nowMs: number): Task {
  const task = aDrawnTask(name, draw, nowMs);
  const importance = pick(draw, "critical", "normal", "deferrable");
  return { ...task, importance, policies: drawPolicies(draw, nowMs) };
}

export function drawPolicies(draw: Draw, nowMs: number): PolicySpecs {
  const seed = `s${Math.floor(draw() * 3)}`;
  const maxMs = pick(draw, 300, 2_000, 30_000);
  const place = { group: "g", index: Math.floor(draw() * 4), count: 4 };
  return {
    ...NO_POLICIES,
    session: pick(draw, null, null, {
      ...{ calendars: [RESTLESS], match: "any", unknown: "fire" } as const,
      ...{ leadMs: pick(draw, 0, 30_000), lagMs: 0 },
    }),
    window: draw() < 0.7 ? null : aWindow(draw, nowMs),
    jitter: pick(draw, null, null, {
      ...{ kind: pick(draw, "fixed", "per-fire", "even"), maxMs, seed, place } as const,
    }),
    overlap: pick(draw, "allow", "allow", "skip", "wait"),
    pressure: pick(draw, null, { mode: pick(draw, "observe", "enforce"), slowTo: 3 } as const),
    maxHoldMs: pick(draw, 20_000, 600_000),
  };
}

function aWindow(draw: Draw, nowMs: number): WindowSpec {
  const minute = Math.floor(nowMs / 60_000) % 1_440;
  const from = minute + Math.floor(draw() * 20) - 10;
  const to = from + 1 + Math.floor(draw() * 30);
  return { name: null, from: timeText(from), to: timeText(to), tz: "UTC", days: null };
}

async function moveLevel(now: Tick, draw: Draw, fence: number): Promise<void> {
  const key = `queue:${pick(draw, "one", "two")}`;
  const cursor = levelCursor(key);
  const from = (now.world.cursors.get(cursor)?.revision ?? "normal") as Level;
  const to = pick(
    draw,
    ...(["normal", "slowed", "paused"] as const).filter((each) => each !== from),
  );
  const atMs = now.server.nowMs();
  const detail = { key, from, to, reason: "drawn" };
  const row: Row = { type: "level.changed", task: "", dueMs: null, decidedMs: atMs, detail };
  await commitNote(now, { cursor, next: { dueMs: atMs, revision: to }, row, fence });
}

async function givePauseOrder(now: Tick, draw: Draw, fence: number): Promise<void> {
  const name = pick(draw, ALL_TASKS, ...now.roster.keys());
  const task = name === ALL_TASKS ? "" : name;
  const cursor = pauseCursor(name);
  const atMs = now.server.nowMs();
  const standing = now.world.cursors.get(cursor);
  const note = standing === undefined ? null : decodeNote(standing.revision);
  const head = { task, dueMs: null, decidedMs: atMs };
  if (standing !== undefined && note?.untilMs === null) {
    const revision = encodeNote({ ...note, untilMs: atMs });
    const detail = { request: "r", who: "bo", note: "", sinceMs: standing.dueMs };
    const row: Row = { ...head, type: "control.resumed", detail };
    return await commitNote(now, { cursor, next: { dueMs: standing.dueMs, revision }, row, fence });
  }
  if (draw() < 0.5) return;
  const order = { who: "ann", note: "a / note" };
  const revision = encodeNote({ ...order, untilMs: null });
  const row: Row = { ...head, type: "control.paused", detail: { request: "r", ...order } };
  await commitNote(now, { cursor, next: { dueMs: atMs, revision }, row, fence });
}

async function commitNote(
  { committer, world }: Tick,
  { cursor, next, row, fence }: {
    cursor: string;
    next: { dueMs: number; revision: string };
    row: Row;
    fence: number;
  },
): Promise<void> {
  const expect = cursorText(world, cursor);
  const step = {
    task: cursor,
    expect,
    next: encodeCursor(next),
    notBeforeMs: 0,
    row,
    publish: null,
  };
  if (step.expect !== step.next) await committer.commitAll([[step]], fence);
}

function timeText(minutes: number): string {
  const minute = ((minutes % 1_440) + 1_440) % 1_440;
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

function pick<T>(draw: Draw, ...items: readonly T[]): T {
  return items[Math.floor(draw() * items.length)]!;
}
