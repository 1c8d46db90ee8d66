/** Makes the faults of a plan happen, and ends them all when it is time to heal. */

import { NO_ID } from "../../src/event.ts";
import { instantsOf } from "./instants.ts";
import { letGo } from "./network.ts";
import type { Fault } from "./plan.ts";
import { QUEUES } from "./plan.ts";
import type { Asking } from "./wanted_rule.ts";
import { BACKFILL } from "./wanted_rule.ts";
import type { Post, World } from "./world.ts";

/** How long a herd stays. */
const HERD_MS = 70_000;

export function applyFault(world: World, fault: Fault): void {
  const { tell } = world;
  tell(`fault: ${describeFault(fault)}`);
  const post = fault.target === -1
    ? world.leader() ?? world.posts[0]!
    : world.posts[fault.target % world.posts.length]!;
  if (applyToReplica(world, post, fault)) return;
  if (applyToRedis(world, fault)) return;
  applyToPeople(world, fault);
}

function describeFault(fault: Fault): string {
  const { atMs: _atMs, kind, target, ...rest } = fault;
  const text = JSON.stringify(
    rest,
    (name, value) => name === "tasks" ? `${value.length} tasks` : value,
  );
  return `${kind} of ${target === -1 ? "the leader" : `beat-${target}`} ${text.slice(0, 200)}`;
}

function applyToReplica(world: World, post: Post, fault: Fault): boolean {
  const { timeline } = world;
  const { ailments, machine } = post;
  const now = timeline.now();
  switch (fault.kind) {
    case "kill":
      if (fault.point !== "now") post.killAt = { point: fault.point, backMs: fault.backMs };
      else if (post.beat !== null) world.kill(post, fault.backMs);
      return true;
    case "stop":
      post.beat?.stop();
      return true;
    case "pause":
    case "suspend":
      if (fault.kind === "pause") machine.pause();
      else machine.suspend(fault.isVirtual ?? false);
      timeline.at(now + fault.forMs, () => machine.resume());
      return true;
    case "clock":
      machine.stepWall(fault.byMs);
      return true;
    case "held":
      ailments.holdUntilMs = now + fault.forMs;
      timeline.at(now + fault.forMs, () => letGo(ailments));
      return true;
    case "cut":
      ailments.cut = fault.direction;
      ailments.cutUntilMs = now + fault.forMs;
      return true;
    case "lost_replies":
    case "lost_requests":
      ailments.loss = fault.kind === "lost_replies" ? "reply" : "request";
      ailments.share = fault.share;
      ailments.lossUntilMs = now + fault.forMs;
      return true;
    case "slow":
      ailments.delayMs = fault.delayMs;
      ailments.slowUntilMs = now + fault.forMs;
      return true;
    case "reset":
      post.beat?.resetLines();
      return true;
    case "dark":
      for (const each of world.posts) if (each.beat !== null) world.kill(each, fault.forMs);
      return true;
    default:
      return false;
  }
}

function applyToRedis(world: World, fault: Fault): boolean {
  const { account, plan, redis, timeline } = world;
  switch (fault.kind) {
    case "redis_restart":
      redis.restart(fault.lostEntries, fault.downMs, fault.loadingMs);
      return true;
    case "failover":
      redis.failover(fault.lagMs, fault.downMs);
      return true;
    case "refuse":
      redis.refuse(fault.error);
      timeline.at(timeline.now() + fault.forMs, () => redis.refuse(null));
      return true;
    case "redis_clock":
      if (fault.byMs < 0) {
        const reachedMs = redis.nowMs() + plan.leaseMs;
        account.noteStepBack({ atMs: timeline.now(), reachedMs });
      }
      redis.stepClock(fault.byMs);
      return true;
    case "script_flush":
      redis.flushScripts();
      return true;
    case "cursor_deleted":
      // Somebody's hand: as if the task had never been known.
      if (redis.execute(["HDEL", "beat:cursors", fault.task]) === 1) {
        world.account.forget(fault.task, redis.nowMs());
      }
      return true;
    case "lease_deleted":
      redis.execute(["DEL", "beat:lease"]);
      return true;
    case "flushall":
      redis.flushAll();
      return true;
    case "trim":
      redis.execute(["XTRIM", "beat:journal", "MAXLEN", "10"]);
      return true;
    case "wrong_type": {
      const queue = QUEUES[fault.queue % QUEUES.length]!;
      redis.execute(["SET", queue, "somebody else's", "NX"]);
      timeline.at(timeline.now() + fault.forMs, () => clearWrongType(world));
      return true;
    }
    default:
      return false;
  }
}

function clearWrongType({ redis }: World): void {
  for (const queue of QUEUES) {
    if (redis.execute(["TYPE", queue]) === "string") redis.execute(["DEL", queue]);
  }
}

function applyToPeople(world: World, fault: Fault): void {
  const { timeline, file, account, air, crew } = world;
  const put = (task: Parameters<typeof file.put>[0]) => {
    account.declare(task);
    file.put(task);
  };
  switch (fault.kind) {
    case "hints_lost":
      air.silentUntilMs = timeline.now() + fault.forMs;
      return;
    case "edit":
      if (!file.tasks.has(fault.task.name)) return;
      put(fault.task);
      return world.reloadAll();
    case "remove": {
      const removed = file.tasks.get(fault.task);
      if (removed === undefined) return;
      file.remove(fault.task);
      timeline.at(timeline.now() + fault.backMs, () => {
        file.put(removed);
        world.reloadAll();
      });
      return world.reloadAll();
    }
    case "herd":
      fault.tasks.forEach(put);
      timeline.at(timeline.now() + HERD_MS, () => {
        for (const { name } of fault.tasks) file.remove(name);
        world.reloadAll();
      });
      return world.reloadAll();
    case "poison":
      file.poison(fault.how);
      timeline.at(timeline.now() + 10_000, () => {
        file.poison(null);
        world.reloadAll();
      });
      return world.reloadAll();
    case "order": {
      const { task, atMs } = fault;
      ask(world, { kind: "pause", id: `pause-${atMs}`, task });
      timeline.at(timeline.now() + fault.forMs, () => {
        ask(world, { kind: "resume", id: `resume-${atMs}`, task });
      });
      return;
    }
    case "trigger": {
      const { task, atMs, againMs } = fault;
      return askTwice(
        world,
        { kind: "trigger", id: `trigger-${atMs}`, task, isObeying: false },
        againMs,
      );
    }
    case "backfill": {
      const { task, atMs, rate, againMs, otherMs = null } = fault;
      const fires = backfillOf(world, fault);
      if (fires.length === 0) return;
      const readId = account.rows.findLast(({ isLost }) => !isLost)?.id ?? NO_ID;
      const id = `${BACKFILL}${atMs}`;
      const request = { kind: "backfill", id, task, fires, rate };
      // Of an asker of another make, that does not say what it has read.
      if (otherMs === null) return askTwice(world, request, againMs);
      askTwice(world, { ...request, readId }, againMs);
      timeline.at(timeline.now() + otherMs, () => {
        ask(world, { ...request, readId, id: `${id}-other` });
      });
      return;
    }
    case "worker":
      return crew.misbehave(fault.worker, fault.habit, fault.forMs);
  }
}

/** Due times of a task as it is declared now, and how often each was published, as far as rows say. */
function backfillOf(
  { file, redis, account }: World,
  { task, backMs, count }: Extract<Fault, { kind: "backfill" }>,
): [dueMs: number, attempt: number][] {
  const planned = file.tasks.get(task);
  if (planned === undefined) return [];
  const { last } = instantsOf(planned.rhythm);
  const published = Map.groupBy(
    account.rows.filter((row) =>
      row.type === "fire.published" && !row.isLost && row.task.split("+")[0] === task
    ),
    ({ dueMs }) => dueMs!,
  );
  const fires: [number, number][] = [];
  let dueMs = last(redis.nowMs() - backMs);
  while (dueMs !== null && fires.length < count) {
    fires.unshift([dueMs, published.get(dueMs)?.length ?? 0]);
    dueMs = last(dueMs - 1);
  }
  return fires;
}

function askTwice(world: World, request: Asking, againMs: number | null): void {
  ask(world, request);
  if (againMs === null) return;
  world.timeline.at(world.timeline.now() + againMs, () => ask(world, request));
}

/** As Beat's commands write it; where Redis does not take it, nobody hears of it. */
function ask({ redis, account }: World, request: Asking): void {
  const text = JSON.stringify({ v: 1, who: "ops", note: "", ...request });
  const entryId = redis.execute(["XADD", "beat:requests", "*", "q", text]);
  if (typeof entryId === "string") account.asked(request, entryId);
}

/** From here on nothing is wrong any more. Clocks of machines stay as they are: Redis' clock decides. */
export function heal(world: World): void {
  const { redis, posts, file, crew, air, timeline } = world;
  world.tell("everything heals");
  redis.refuse(null);
  redis.revive();
  clearWrongType(world);
  file.poison(null);
  crew.behave();
  air.silentUntilMs = 0;
  for (const post of posts) {
    const { ailments, machine } = post;
    ailments.cutUntilMs = ailments.lossUntilMs = ailments.slowUntilMs = 0;
    letGo(ailments);
    post.killAt = null;
    machine.resume();
    world.start(post);
  }
  world.reloadAll();
  timeline.at(timeline.now() + 4_000, () => world.reloadAll());
}
