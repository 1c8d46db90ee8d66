/** What must be true once everything has healed and had its time. */

import type { Spell } from "./calm.ts";
import { lastSpell, SETTLED_MS } from "./calm.ts";
import { falselyTold, toldAgain, untold } from "./history_rule.ts";
import { instantsOf } from "./instants.ts";
import { unfollowed } from "./lead_rule.ts";
import { whyOpen } from "./open_rule.ts";
import type { PlannedTask } from "./schedule.ts";
import { unsaid } from "./told_rule.ts";
import { isWanted, wrongAnswers } from "./wanted_rule.ts";
import type { World } from "./world.ts";
import { fieldsOf } from "./redis_values.ts";
import { levelKey } from "./level_rule.ts";

/** Each due time is decided so soon after it. Milliseconds. */
const DECIDED_WITHIN_MS = 5_000;
/** Between the deletion of a cursor and a due time that must bring it back. */
const MISSED_WITHIN_MS = 60_000;
/** In calm, fires are not later than this; those that wait for another are asked about once a second. */
const LATE_MS = 50;
const WAITED_MS = 1_500;
/** In calm, no row is written later than it was decided. Milliseconds. */
const WRITTEN_WITHIN_MS = 1_500;
const CALM_MS = 60_000;
/** A fire whose message is done with is closed within this: looks at it slow down to once a minute. */
const CLOSED_WITHIN_MS = 75_000;

/** What must be true throughout a spell in which nothing is wrong. */
export function checkCalm(world: World, spell: Spell): void {
  if (!isQuiet(world, spell)) return;
  checkLeader(world);
  checkDecided(world);
  for (const what of unsaid(world)) world.report("I9", what);
}

/** What must be true of all of it, at its end. */
export function checkSpell(world: World, spell: Spell): void {
  checkCalm(world, spell);
  if (isQuiet(world, spell)) checkPunctual(world, spell);
}

/** A process may die at its next commit only, and a rollback bring a key back that was no list. */
function isQuiet({ ends, lists, redis }: World, { fromMs }: Spell): boolean {
  const areLists = lists.every((list) => (redis.store.keys.get(list)?.type ?? "list") === "list");
  return areLists && !ends.some((atMs) => atMs > fromMs - SETTLED_MS);
}

export function checkEnd(world: World): void {
  const { fromMs, untilMs } = lastSpell(world.plan);
  checkSpell(world, { fromMs: Math.max(fromMs, untilMs - CALM_MS), untilMs });
  for (const what of unfollowed(world)) world.report("I9", what);
  checkClosed(world);
  checkExecutions(world);
  const { account, plan } = world;
  for (const what of wrongAnswers(world)) world.report("I4", what);
  for (const what of untold(account.losses, account.rows, plan)) world.report("I8", what);
  for (const what of toldAgain(account.rows, plan)) world.report("I8", what);
  for (const what of falselyTold(account.rows, plan)) world.report("I8", what);
}

/** I9. */
function checkLeader({ redis, report, posts }: World): void {
  const lease = redis.execute(["GET", "beat:lease"]);
  const owner = typeof lease === "string" ? lease.split(" ")[0] : null;
  if (!posts.some(({ beat }) => beat !== null && beat.owner === owner)) {
    report("I9", `nobody who lives holds the lease: ${String(lease)}`);
  }
}

/** I4: nothing is left open but the last few seconds, and what policies keep open. */
function checkDecided({ file, account, redis, report }: World): void {
  const untilMs = redis.nowMs() - DECIDED_WITHIN_MS;
  for (const planned of file.tasks.values()) {
    const cursor = account.cursors.get(planned.name);
    const lastMs = instantsOf(planned.rhythm).last(untilMs);
    if (cursor === undefined) {
      // One that was deleted by hand is missed when its task is due the next time.
      const missedMs = account.forgotten.get(planned.name) ?? -Infinity;
      if (lastMs !== null && lastMs > missedMs + MISSED_WITHIN_MS && !isSilent(account, planned)) {
        report("I9", `${planned.name} is not known`);
      }
      continue;
    }
    const wrong = lastMs === null ? null : whyOpen(account.books, planned, { lastMs, untilMs });
    if (wrong !== null) report("I4", wrong);
  }
  for (const task of account.cursors.keys()) {
    if (!file.tasks.has(task)) report("I9", `${task} is not declared, and still runs`);
  }
}

/** Of a task that is held or skipped nothing is written for long, so nobody asks for its cursor. */
function isSilent({ books }: World["account"], { name }: PlannedTask): boolean {
  const last = books.last.get(name);
  return last !== undefined && ["fire.delayed", "fire.skipped", "task.dropped"].includes(last.type);
}

/** I10. What was held is late from when it might go out; behind one that is held, others wait. */
function checkPunctual({ account, file, report }: World, { fromMs }: Spell): void {
  /** For which fire each task's held one waits. */
  const causes = new Map<string, string>();
  for (const row of account.rows) {
    if (row.isLost) continue;
    const { task, type, detail, serverMs, decidedMs } = row;
    if (type === "fire.delayed") causes.set(task, String(detail.cause ?? ""));
    if (row.atMs < fromMs) continue;
    const what = `${type} of ${task}@${row.dueMs}`;
    // What is found of a closed fire is written with the next look.
    const isLate = type !== "fire.late_ack" && Math.abs(serverMs - decidedMs) > WRITTEN_WITHIN_MS;
    if (isLate) {
      report("I10", `${what} was decided at ${decidedMs}, and written at ${serverMs}`);
    }
    if (type !== "fire.published" || isWanted(row)) continue;
    const isHeld = detail.notBeforeMs !== undefined;
    const { overlap, window, pressure } = file.tasks.get(task)?.policies ?? {};
    if (!isHeld && (overlap === "wait" || window || pressure)) continue;
    if (isHeld && causes.get(task)?.startsWith(levelKey(""))) continue;
    const cause = isHeld ? causes.get(task) ?? "" : "";
    const endMs = account.fires.get(cause)?.closedMs ?? 0;
    const lateMs = serverMs - Math.max(row.dueMs!, Number(detail.notBeforeMs ?? 0), endMs);
    if (lateMs > (cause === "" ? LATE_MS : WAITED_MS)) {
      report("I10", `${what} was ${lateMs} ms late in calm`);
    }
  }
}

/** I9: what has ended is seen to have ended. */
function checkClosed({ account, crew, timeline, redis, plan, report }: World): void {
  const held = fieldsOf(redis.store.keys, "unacked");
  for (const [name, { stand, push }] of account.fires) {
    const doneMs = crew.doneMs.get(push.taskId);
    if (stand === "closed" || doneMs === undefined) continue;
    // A rollback may have brought it back to where it waits for another worker.
    if (held.has(push.tag)) continue;
    // After a step of Redis' clock, the result may be dated before the publishing: it is no evidence.
    if (stand === "acked" && plan.faults.some(({ kind }) => kind === "redis_clock")) continue;
    // Where its result is not stored, or was lost, a finish whose event got lost is awaited for long.
    if (stand === "acked" && !redis.store.keys.has(`celery-task-meta-${push.taskId}`)) continue;
    if (doneMs < timeline.now() - CLOSED_WITHIN_MS && push.row.atMs < doneMs) {
      report("I9", `${name} was done with long ago, and is still ${stand}`);
    }
  }
}

/** By the workers' own record. */
function checkExecutions({ crew, account, report }: World): void {
  for (const { taskId, fireId, serverMs } of crew.executions) {
    if (!account.taskIds.has(taskId)) report("I2", `a worker ran ${fireId}, which has no row`);
    const dueMs = Number(/@(\d+)(#|$)/.exec(fireId)![1]);
    // A server's clock that was set back since does not make it early.
    if (serverMs + 40_000 < dueMs) report("I3", `a worker ran ${fireId} at ${serverMs}`);
  }
}
