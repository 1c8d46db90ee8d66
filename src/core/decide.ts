/** What is to be done about a task now: what it was holding, then what came due. Pure but for the world's notes. */

import type { Cursor, Pending } from "../cursor.ts";
import { levelCursor } from "../cursor.ts";
import { openKey } from "../open_fire.ts";
import type { Level } from "../event.ts";
import { catchUp } from "../policies/catchup.ts";
import type { Decision, Facts } from "../policies/mod.ts";
import type { Step } from "../ports.ts";
import type { Chain, Term } from "./chain.ts";
import { chainOf, drop, hold, publish, skip } from "./chain.ts";
import { pauseAt } from "./pauses.ts";
import type { ReadyTask } from "./roster.ts";
import type { SkipRun } from "./skip_run.ts";
import { flushStep, SKIP_RUN_MS } from "./skip_run.ts";
import type { World } from "./world.ts";
import { askAgainMs, cursorText, skipRunOf } from "./world.ts";

/**
 * The steps of one task, in order. Skips that need no row yet are noted in the world, for the cursor
 * that the steps leave: where these are not taken, the note means nothing.
 *
 * @param at.nowMs the server's time. Unix milliseconds.
 * @param at.limit the most fires to send; the rest stays in the gap for the next time
 */
export function decide(
  ready: ReadyTask,
  world: World,
  term: Term,
  at: { readonly nowMs: number; readonly limit: number },
): Step[] {
  const { name } = ready.task;
  const cursor = world.cursors.get(name)!;
  const chain = chainOf(ready, cursorText(world, name), term, at.nowMs);
  const before = skipRunOf(world, name);
  const desk: Desk = { ready, world, chain, run: before };
  if (cursor.pending !== undefined && !settlePending(desk, cursor, cursor.pending)) {
    return chain.steps;
  }
  const gap = catchUp(ready.trigger, ready.task.catchUp, {
    cursorMs: desk.run?.toMs ?? cursor.dueMs,
    ...at,
  });
  if (gap.dropped !== null) {
    flush(desk);
    drop(chain, gap.dropped, "catchup");
  }
  for (const dueMs of gap.fires) if (!judge(desk, dueMs, null)) break;
  writeOldRun(desk);
  noteRuns(desk, before);
  return chain.steps;
}

/** Where the steps are not taken, what was skipped before them stands, and is still to be written. */
function noteRuns({ ready, world, chain, run }: Desk, before: SkipRun | null): void {
  const { name } = ready.task;
  const standing = chain.steps.length > 0 && before !== null ? [before] : [];
  const runs = run === null ? standing : [...standing, run];
  if (runs.length > 0) world.runs.set(name, runs);
  // One of steps that were refused: those of now may leave the very cursor that it was noted for.
  else world.runs.delete(name);
}

/** When to look at a task again: `null` for never. Unix milliseconds. */
export function lookMs({ task, trigger }: ReadyTask, world: World): number | null {
  const cursor = world.cursors.get(task.name);
  if (cursor === undefined) return null;
  const run = skipRunOf(world, task.name);
  if (run !== null) {
    const nextMs = trigger.next(run.toMs);
    return run.fromMs === null ? nextMs : Math.min(nextMs ?? Infinity, run.writtenMs + SKIP_RUN_MS);
  }
  const { pending, dueMs } = cursor;
  if (pending === undefined) return trigger.next(dueMs);
  const askMs = askAgainMs(world, task.name) ?? pending.notBeforeMs;
  const nextMs = task.catchUp.policy === "all" ? null : trigger.next(dueMs);
  return Math.min(askMs, nextMs ?? Infinity);
}

/** As {@link lookMs}; `elseMs` for a task that it cannot be told of, so that `decide` shows why. */
export function lookMsOr(ready: ReadyTask, world: World, elseMs: number): number | null {
  try {
    return lookMs(ready, world);
  } catch {
    return elseMs;
  }
}

/** What `decide` works on for one task. */
interface Desk {
  readonly ready: ReadyTask;
  readonly world: World;
  readonly chain: Chain;
  run: SkipRun | null;
}

/** Whether the fire that was held is decided, so that what came due after it can be. */
function settlePending(
  desk: Desk,
  { dueMs }: Cursor,
  pending: Pending,
): boolean {
  const { ready: { task, trigger }, world, chain } = desk;
  const newerMs = task.catchUp.policy === "all" ? null : trigger.next(dueMs);
  if (newerMs !== null && newerMs <= chain.nowMs) {
    skip(chain, dueMs, { by: "catchup", reason: "superseded" });
    return true;
  }
  if ((askAgainMs(world, task.name) ?? pending.notBeforeMs) > chain.nowMs) return false;
  return judge(desk, dueMs, pending);
}

/** Asks the gate about one due time. @returns whether those after it may be looked at */
function judge(desk: Desk, dueMs: number, pending: Pending | null): boolean {
  const { ready: { gate, task, trigger }, chain, world } = desk;
  const heldMs = pending?.notBeforeMs ?? null;
  const decision: Decision = gate === null
    ? { kind: "pass", notes: null }
    : gate({ task, trigger, dueMs }, chain.nowMs, factsOf(world, task.name, dueMs, chain.steps));
  switch (decision.kind) {
    case "pass":
      flush(desk);
      publish(chain, dueMs, heldMs, decision.notes);
      return true;
    case "skip":
      skipOne(desk, dueMs, decision);
      return true;
    case "delay":
    case "wait":
      flush(desk);
      holdOne(desk, dueMs, { decision, pending });
      return false;
  }
}

function skipOne(desk: Desk, dueMs: number, decision: Extract<Decision, { kind: "skip" }>): void {
  const { chain, run } = desk;
  const { by, reason } = decision;
  if (run !== null && run.by === by && run.reason === reason) {
    desk.run = { ...run, fromMs: run.fromMs ?? dueMs, toMs: dueMs, count: run.count + 1 };
    return;
  }
  flush(desk);
  skip(chain, dueMs, decision);
  const writtenMs = chain.nowMs;
  desk.run = { base: chain.cursor, by, reason, writtenMs, fromMs: null, toMs: dueMs, count: 0 };
}

function holdOne(
  { ready: { task }, world, chain }: Desk,
  dueMs: number,
  { decision, pending }: {
    decision: Extract<Decision, { kind: "delay" | "wait" }>;
    pending: Pending | null;
  },
): void {
  const { by, reason, facts } = decision;
  const isTimed = decision.kind === "delay";
  const detail = {
    untilMs: isTimed ? decision.untilMs : null,
    by,
    reason,
    ...(isTimed ? {} : { cause: decision.cause }),
    ...(facts === undefined ? {} : { facts }),
  };
  const next = isTimed
    ? { notBeforeMs: Math.max(decision.untilMs, chain.nowMs + 1), by }
    : { notBeforeMs: chain.nowMs, by: `${by}:${decision.cause}` };
  // A row only where what holds it, or until when, is another.
  const isSame = pending?.by === next.by &&
    (!isTimed || pending.notBeforeMs === next.notBeforeMs);
  if (!isSame) hold(chain, dueMs, { pending: next, detail });
  const againMs = isTimed ? next.notBeforeMs : decision.againMs;
  world.again.set(task.name, { base: chain.cursor, atMs: Math.max(againMs, chain.nowMs + 1) });
}

/** Writes what a run of skips has not written. It goes on from there. */
function flush(desk: Desk): void {
  const { ready: { task }, chain, run } = desk;
  if (run === null) return;
  const step = flushStep(task.name, run, chain.nowMs);
  desk.run = null;
  if (step === null) return;
  chain.steps.push(step);
  chain.cursor = step.next;
}

function writeOldRun(desk: Desk): void {
  const { run, chain } = desk;
  if (run === null || run.fromMs === null || chain.nowMs < run.writtenMs + SKIP_RUN_MS) return;
  flush(desk);
  desk.run = { ...run, base: chain.cursor, writtenMs: chain.nowMs, fromMs: null, count: 0 };
}

/**
 * What a policy may know of the world.
 *
 * @param sending steps of the task that go out before: what they publish runs, too
 */
export function factsOf(
  world: World,
  task: string,
  dueMs: number,
  sending: readonly Step[] = [],
): Facts {
  // A getter in each object would cost as much as all else that a fire costs here.
  return Object.assign(Object.create(LAZY), {
    runningNow: () => {
      const sent = sending.flatMap(({ publish }) =>
        publish === null ? [] : [openKey(publish.open)]
      );
      return [...world.open.runningOf(task, dueMs), ...sent];
    },
    level: (key: string) => (world.cursors.get(levelCursor(key))?.revision ?? "normal") as Level,
    pause: pauseAt(world.cursors, task, dueMs),
  });
}

/** Few policies ask what runs. */
const LAZY = {
  get running(): readonly string[] {
    return (this as unknown as { runningNow(): string[] }).runningNow();
  },
};
