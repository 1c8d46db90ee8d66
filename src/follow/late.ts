/**
 * Evidence that comes for a fire after its end: recorded, and nothing else. Only fires that ended
 * without a worker's word are remembered, the last ten thousand of them.
 */

import type { OpenFire } from "../open_fire.ts";
import { encodeCursor, LOG_CURSOR } from "../cursor.ts";
import type { Detail, Row } from "../event.ts";
import type { Journal, Step } from "../ports.ts";
import type { Hint, TaskResult } from "../sensors.ts";
import { BATCH_MAX } from "../ports.ts";
import { CLOCK_MARGIN_MS, isFinal } from "./evidence.ts";
import type { World } from "../core/world.ts";
import { applyReload, applyStep, cursorText } from "../core/world.ts";

const REMEMBERED_MAX = 10_000;

/** Results asked for in one sample: all are asked for within a minute. */
const ASKED_MAX = 200;

type Closed = Pick<OpenFire, "task" | "dueMs" | "publishedMs">;

export interface LateAcks {
  remember(taskId: string, open: OpenFire): void;
  /** @returns whether the hint is about a remembered fire */
  hint(hint: Extract<Hint, { kind: "result" | "event" }>, nowMs: number): boolean;
  /** The task ids whose results are wanted now. */
  wanted(): string[];
  take(taskId: string, result: TaskResult | null, nowMs: number): void;
  /**
   * Writes what was found.
   * @returns false when somebody newer leads
   * @throws {JournalUnavailableError} nothing is forgotten
   */
  record(journal: Pick<Journal, "commit" | "reload">, fence: number): Promise<boolean>;
}

export function lateAcks(world: World): LateAcks {
  const closed = new Map<string, Closed>();
  const hinted = new Set<string>();
  let walk = closed.keys();
  let found: Row[] = [];
  /** Sent, and not known to be written: sent again to the letter. */
  let inDoubt: readonly Step[] = [];

  function find(taskId: string, detail: Detail<"fire.late_ack">, nowMs: number): void {
    const fire = closed.get(taskId);
    if (fire === undefined) return;
    closed.delete(taskId);
    const { task, dueMs } = fire;
    found.push({ type: "fire.late_ack", task, dueMs, decidedMs: nowMs, detail });
  }

  return {
    remember(taskId, { task, dueMs, publishedMs }) {
      closed.set(taskId, { task, dueMs, publishedMs });
      if (closed.size > REMEMBERED_MAX) closed.delete(closed.keys().next().value!);
    },
    hint(hint, nowMs) {
      const fire = closed.get(hint.taskId);
      if (fire === undefined) return false;
      if (hint.kind === "result") hinted.add(hint.taskId);
      else if (hint.atMs >= fire.publishedMs - CLOCK_MARGIN_MS) {
        const outcome = OUTCOME[hint.type];
        if (outcome !== undefined) find(hint.taskId, { by: "event", outcome }, nowMs);
      }
      return true;
    },
    wanted() {
      const wanted = new Set(hinted);
      hinted.clear();
      for (let count = Math.min(ASKED_MAX, closed.size); count > 0; count--) {
        const next = walk.next();
        if (next.done) walk = closed.keys();
        else wanted.add(next.value);
      }
      return [...wanted].filter((taskId) => closed.has(taskId));
    },
    take(taskId, result, nowMs) {
      const fire = closed.get(taskId);
      if (fire === undefined || !isFinal(result, fire.publishedMs)) return;
      const outcome = OUTCOME[result.status];
      find(taskId, { by: "result", ...(outcome === undefined ? {} : { outcome }) }, nowMs);
    },
    async record(journal, fence) {
      if (inDoubt.length === 0) {
        inDoubt = stepsOf(world, found.slice(0, BATCH_MAX));
        found = found.slice(BATCH_MAX);
      }
      if (inDoubt.length === 0) return true;
      const unwritten = await commitLate(world, journal, inDoubt, fence);
      if (unwritten === null) return false;
      inDoubt = [];
      found.push(...unwritten);
      return true;
    },
  };
}

/** The rows that must be sent again; `null` when somebody newer leads. */
async function commitLate(
  world: World,
  journal: Pick<Journal, "commit" | "reload">,
  steps: readonly Step[],
  fence: number,
): Promise<Row[] | null> {
  const reply = await journal.commit(steps, fence);
  if (reply.kind === "fenced") return null;
  const unwritten: Row[] = [];
  let isSure = true;
  for (const [index, { kind }] of reply.outcomes.entries()) {
    const step = steps[index]!;
    if (kind === "committed") applyStep(world, step);
    else isSure = false;
    // A duplicate was written by the call whose reply was lost; another cursor wrote nothing.
    if (kind !== "committed" && kind !== "duplicate") unwritten.push(step.row);
  }
  if (isSure) return unwritten;
  const tasks = [LOG_CURSOR.late];
  applyReload(world, { tasks, openIds: [] }, await journal.reload(tasks, []));
  return unwritten;
}

const OUTCOME: Readonly<Record<string, Detail<"fire.finished">["outcome"]>> = {
  succeeded: "success",
  failed: "failure",
  revoked: "revoked",
  SUCCESS: "success",
  FAILURE: "failure",
  REVOKED: "revoked",
};

/** Numbered by a cursor of their own, so that sending them again changes nothing. */
function stepsOf(world: World, rows: readonly Row[]): Step[] {
  const task = LOG_CURSOR.late;
  let number = world.cursors.get(task)?.dueMs ?? 0;
  let expect = cursorText(world, task);
  return rows.map((row) => {
    const next = encodeCursor({ dueMs: ++number, revision: "row" });
    const step: Step = { task, expect, next, notBeforeMs: 0, row, publish: null };
    expect = next;
    return step;
  });
}
