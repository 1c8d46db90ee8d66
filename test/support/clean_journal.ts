/**
 * Journals as the real core writes them, in memory: leaders that tick and follow, workers that take,
 * run, fail, retry and die, tasks that come, change and go, and hours in which nobody leads.
 */

import type { SimClock } from "./sim_clock.ts";
import { serverClock } from "../../src/clock.ts";
import { simClock } from "./sim_clock.ts";
import { celeryTaskId } from "../../src/celery/ids.ts";
import type { Follower } from "../../src/follow/follow.ts";
import { follower } from "../../src/follow/follow.ts";
import { newHistory } from "../../src/lead/history.ts";
import type { Roster } from "../../src/core/roster.ts";
import { closeTerm, declare, openTerm } from "../../src/lead/term.ts";
import type { Term } from "../../src/core/chain.ts";
import type { Tick } from "../../src/core/tick.ts";
import { tick } from "../../src/core/tick.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { memorySensors } from "../../src/memory/sensors.ts";
import { gateOf } from "../../src/policies/mod.ts";
import { policiesOf } from "../../src/policies/order.ts";
import type { Task } from "../../src/task.ts";
import { revisionOf } from "../../src/task.ts";
import { triggerOf } from "../../src/triggers/mod.ts";
import type { Held } from "./audited.ts";
import { aLog, aReady, aTask, T0 } from "./build.ts";

/** The next number of a sequence, in [0, 1). */
export type Draw = () => number;

/** The same sequence for the same seed (mulberry32). */
export function drawsOf(seed: number): Draw {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface CleanJournal extends Held {
  readonly nowMs: number;
  /** Due times in (afterMs, untilMs] of every trigger that was in force, by task; past declarations too. */
  readonly regimes: readonly Regime[];
}

export interface Regime {
  readonly task: string;
  readonly afterMs: number;
  untilMs: number;
  readonly trigger: ReturnType<typeof triggerOf>;
}

const STEPS = 80;
const NAMES = ["a.each", "b.cron", "c.local", "d.slow", "e.once"];

/** What a shop is like, where it matters. */
export interface Habits {
  drawTask(name: string, draw: Draw, nowMs: number): Task;
  /** What happens before each tick. */
  meanwhile?(now: Tick, at: { draw: Draw; clock: SimClock; fence: number }): Promise<void>;
}

/** Some minutes to some hours of a shop. */
export async function cleanJournal(
  draw: Draw,
  { drawTask, meanwhile }: Habits = { drawTask: aDrawnTask },
): Promise<CleanJournal> {
  const clock = simClock(T0 + Math.floor(draw() * 1e9));
  const server = serverClock(clock);
  const serverMs = () => Math.floor(clock.wallMs());
  const journal = memoryJournal({ serverMs });
  const { store } = journal;
  const sensors = memorySensors(store);
  const parts = { journal, clock, server };
  const regimes: Regime[] = [];
  let tasks = NAMES.map((name) => drawTask(name, draw, serverMs()));
  let roster = rosterOf(tasks);
  let office: { now: Tick; eye: Follower; fence: number } | null = null;

  /** Notes what is in force from now on. */
  function noteRegimes(): void {
    for (const each of regimes) if (each.untilMs === Infinity) each.untilMs = serverMs();
    for (const { name, trigger } of tasks) {
      const own = { task: name, afterMs: serverMs(), untilMs: Infinity };
      regimes.push({ ...own, trigger: triggerOf(trigger) });
    }
  }

  async function takeOffice(): Promise<void> {
    const fence = (store.fence ?? 0) + 1;
    store.fence = fence;
    const term = { namespace: "beat", fence };
    const opening = { owner: "me", epoch: "e", build: "test", lostAfter: null };
    server.observe(clock.monotonicMs(), serverMs());
    const now = await openTerm(parts, roster, term, { ...opening, history: newHistory() });
    if (now === null) throw new Error("fenced");
    const log = aLog();
    const eye = follower({
      onSettled() {},
      ...{ journal, sensors, server, log, namespace: "beat", fence, world: now.world },
      task: (name) => roster.get(name)?.task ?? null,
    });
    office = { now, eye, fence };
  }

  async function changeTasks(): Promise<void> {
    const name = NAMES[Math.floor(draw() * NAMES.length)]!;
    const others = tasks.filter((task) => task.name !== name);
    const isGone = others.length < tasks.length && draw() < 0.4;
    tasks = isGone ? others : [...others, drawTask(name, draw, serverMs())];
    roster = rosterOf(tasks);
    if (office === null) return;
    const term = { namespace: "beat", fence: office.fence };
    const now = await declare(parts, { ...office.now, roster }, term);
    if (now === null) throw new Error("fenced");
    office = { ...office, now };
    noteRegimes();
  }

  async function leave(): Promise<void> {
    if (office === null) return;
    const term = { namespace: "beat", fence: office.fence };
    if (draw() < 0.5) await closeTerm(office.now, term, { owner: "me", reason: "stopped" });
    office = null;
  }

  /** Ticks and samples as an office does, as often as there is something to do. */
  async function lead(durationMs: number): Promise<void> {
    for (const endMs = serverMs() + durationMs; serverMs() < endMs;) {
      if (office === null) return;
      const { fence } = office;
      const term = { namespace: "beat", fence };
      await meanwhile?.(office.now, { draw, clock, fence });
      await ticked(office.now, term, clock);
      work(store, sensors, draw, serverMs());
      await office.eye.sample();
      const dueMs = office.now.agenda.nextMs() ?? Infinity;
      await clock.advance(Math.max(1, Math.min(dueMs - serverMs(), 1_000, endMs - serverMs())));
    }
  }

  await takeOffice();
  noteRegimes();
  for (let step = 0; step < STEPS; step++) {
    const chance = draw();
    if (chance < 0.03) await leave();
    else if (chance < 0.08) await changeTasks();
    else if (chance < 0.1 && office !== null) await takeOffice();
    if (office === null) {
      await clock.advance(Math.floor(draw() ** 3 * 300_000));
      await takeOffice();
      noteRegimes();
    }
    await lead(Math.floor(draw() * 5_000));
  }
  return { ...store, nowMs: serverMs(), regimes };
}

/** A tick that waits for what is due in a moment gets the time for it. */
export async function ticked(now: Tick, term: Term, clock: SimClock): Promise<void> {
  let isOver = false;
  const passing = tick(now, term, new AbortController().signal).finally(() => isOver = true);
  for (await clock.advance(0); !isOver;) await clock.advance(1);
  await passing;
}

function rosterOf(tasks: readonly Task[]): Roster {
  return new Map(tasks.map((task) => [task.name, {
    ...aReady(task, triggerOf(task.trigger)),
    gate: gateOf(policiesOf(task)),
    revision: revisionOf(task),
  }]));
}

export function aDrawnTask(name: string, draw: Draw, nowMs: number): Task {
  const pick = <T>(...items: readonly T[]): T => items[Math.floor(draw() * items.length)]!;
  const local = { tz: "Europe/Berlin" } as const;
  const triggers: Readonly<Record<string, () => Task["trigger"]>> = {
    "a.each": () => ({ kind: "every", everyMs: pick(1_000, 1_234.5, 700), phaseMs: pick(0, 3) }),
    "b.cron": () => ({
      kind: "cron",
      expression: pick("*/5 * * * * *", "7/9 * * * * *"),
      tz: "UTC",
    }),
    "c.local": () => ({ kind: "cron", expression: pick("* * * * *", "*/2 * * * *"), ...local }),
    "d.slow": () => ({ kind: "every", everyMs: pick(20_000, 45_000), phaseMs: 0 }),
    "e.once": () => ({ kind: "at", atMs: nowMs + Math.floor(draw() * 200_000) }),
  };
  return aTask({
    name,
    queue: pick("one", "two"),
    trigger: triggers[name]!(),
    expiresMs: pick(null, null, 2_000, 30_000),
    takeByMs: pick(5_000, 60_000),
    giveUpMs: pick(60_000, 604_800_000),
    catchUp: {
      policy: pick("skip", "latest", "all"),
      windowMs: pick(60_000, 10_000),
      cap: pick(3, 100),
    },
  });
}

/** Workers, one step of each: what waits is taken, or not; what is taken ends, or is given back. */
function work(
  store: Held,
  sensors: ReturnType<typeof memorySensors>,
  draw: Draw,
  nowMs: number,
): void {
  for (const [list, messages] of store.lists) {
    const count = draw() < 0.2 ? 0 : Math.floor(draw() * 6);
    for (let each = 0; each < count && messages.length > 0; each++) {
      const text = messages.pop()!;
      const { headers, properties } = JSON.parse(text);
      const expiresMs = headers.expires === null ? Infinity : Date.parse(headers.expires);
      const own = { doneMs: nowMs, worker: "w@h", revokedAs: null };
      if (expiresMs < nowMs) {
        sensors.documents.set(headers.id, { ...own, status: "REVOKED", revokedAs: "expired" });
      } else if (draw() < 0.15) sensors.unacked.set(properties.delivery_tag, "first");
      else if (draw() < 0.9) {
        sensors.documents.set(headers.id, { ...own, status: draw() < 0.9 ? "SUCCESS" : "FAILURE" });
      }
    }
    if (messages.length === 0) store.lists.delete(list);
  }
  for (const tag of [...sensors.unacked.keys()]) {
    if (draw() < 0.9) continue;
    sensors.unacked.delete(tag);
    const taskId = tag.slice(0, tag.lastIndexOf("."));
    const own = { doneMs: nowMs, worker: "w@h", revokedAs: null };
    if (draw() < 0.8) sensors.documents.set(taskId, { ...own, status: "SUCCESS" });
  }
}

/** The id of a fire's message. */
export function idOf(openId: string): string {
  return celeryTaskId("beat", openId);
}
