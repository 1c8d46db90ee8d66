/** A run: the world of a plan, from its first event to its last check. */

import type { Account } from "./account.ts";
import { accountOf } from "./account.ts";
import type { Draws } from "./draws.ts";
import { drawsOf, mix } from "./draws.ts";
import { calmSpells, lastSpell, mayBeAside } from "./calm.ts";
import { checkCalm, checkEnd, checkSpell } from "./endings.ts";
import { applyFault, heal } from "./faults.ts";
import { ether } from "./hints.ts";
import type { Ether } from "./hints.ts";
import type { JournalRow } from "../../src/event.ts";
import { compareIds } from "../../src/event.ts";
import type { LevelSettings } from "../../src/level.ts";
import { NO_LEVELS } from "../../src/level.ts";
import type { Log } from "../../src/log.ts";
import { MARKS } from "./level_rule.ts";
import type { Departure } from "./lead_rule.ts";
import type { Machine } from "./machine.ts";
import { machineOf } from "./machine.ts";
import type { Ailments } from "./network.ts";
import { noAilments, rulesOf } from "./network.ts";
import type { KillPoint, Plan } from "./plan.ts";
import { QUEUES } from "./plan.ts";
import type { Chunk, Direction } from "./redis_line.ts";
import { lineOf } from "./redis_line.ts";
import type { QueueEye } from "./queue_eye.ts";
import { queueEye } from "./queue_eye.ts";
import type { RedisSide } from "./redis_side.ts";
import { redisSide } from "./redis_side.ts";
import type { Beat } from "./replica.ts";
import { NAMESPACE, startBeat, TRANSPORT } from "./replica.ts";
import { scheduleFile } from "./schedule_file.ts";
import type { ScheduleFile } from "./schedule_file.ts";
import { wrongStop } from "./stop_rule.ts";
import type { Timeline } from "./timeline.ts";
import { timelineOf } from "./timeline.ts";
import type { Finding } from "./watcher.ts";
import { watcherOf } from "./watcher.ts";
import type { Crew } from "./workers.ts";
import { crewOf } from "./workers.ts";
import { fieldsOf } from "./redis_values.ts";

/** How long a reply is under way, and for how long each may get lost before all heals. Milliseconds. */
const REPLY_MS = 2_000;
const LOST_MS = 75_000;
/** Between two looks at how long queues are. Milliseconds. */
const LOOK_MS = 2_000;
/** The same at what is to be done. */
const CALM_LOOK_MS = 10_000;

/** A replica of the plan, and what runs on it. */
export interface Post {
  readonly index: number;
  readonly machine: Machine;
  readonly ailments: Ailments;
  beat: Beat | null;
  generation: number;
  /** It ended without a word to Redis, by its own account. */
  isCutOff: boolean;
  /** Where its next commit kills it; `null` for nowhere. */
  killAt: { readonly point: KillPoint; readonly backMs: number } | null;
}

export interface World {
  readonly plan: Plan;
  readonly draws: Draws;
  readonly timeline: Timeline;
  readonly redis: RedisSide;
  readonly account: Account;
  readonly posts: readonly Post[];
  readonly crew: Crew;
  readonly air: Ether;
  readonly file: ScheduleFile;
  /** Names of all lists. */
  readonly lists: readonly string[];
  readonly findings: Finding[];
  readonly eye: QueueEye;
  /** When processes ended, and those of them who led. */
  readonly ends: readonly number[];
  readonly departures: readonly Departure[];

  report(invariant: string, what: string): void;
  /** What is worth telling, in the order of time; made into words only where somebody reads it. */
  tell(what: string | (() => string)): void;
  /** Who wrote last under the present fence. */
  leader(): Post | null;
  start(post: Post): void;
  kill(post: Post, backMs: number): void;
  /** A process ends; after a stop, or not. */
  noteEnd(post: Post, isInOrder: boolean): void;
  /** Tells every replica that the file has changed. */
  reloadAll(): void;
}

export interface Outcome {
  readonly findings: readonly Finding[];
  readonly steps: number;
  readonly traceHash: number;
  readonly counts: Readonly<Record<string, number>>;
  /** The history that survived. */
  rows(): JournalRow[];
}

/** What happens, a line each, in the order of time. A day of it would fill the memory. */
export type OnTold = (line: string) => void;

/** Ends at the first finding. */
export function runPlan(plan: Plan, onTold: OnTold | null = null): Outcome {
  const world = openWorld(plan, onTold);
  const isOver = () => world.findings.length > 0;
  for (const fault of plan.faults) {
    world.timeline.plan(fault.atMs, () => applyFault(world, fault));
  }
  world.timeline.plan(plan.healMs, () => heal(world));
  planLooks(world);
  world.timeline.run(plan.durationMs, isOver);
  if (!isOver() && plan.isCut !== true) checkEnd(world);
  return {
    findings: world.findings,
    steps: world.timeline.step,
    traceHash: world.traceHash(),
    counts: countRows(world.account),
    rows: () =>
      world.account.rows.filter(({ isLost }) => !isLost)
        .sort((one, other) => compareIds(one.id, other.id)),
  };
}

/** Looks of the world's own, which change nothing. */
function planLooks(world: World): void {
  const { plan, timeline, eye, redis, account, report } = world;
  const spells = calmSpells(plan);
  for (const spell of spells) timeline.plan(spell.untilMs, () => checkSpell(world, spell));
  for (const spell of [...spells, lastSpell(plan)]) {
    for (let atMs = spell.fromMs; atMs < spell.untilMs; atMs += CALM_LOOK_MS) {
      timeline.plan(atMs, () => checkCalm(world, spell));
    }
    if (plan.hasLevels !== true) continue;
    for (let atMs = spell.fromMs; atMs < spell.untilMs; atMs += LOOK_MS) {
      timeline.plan(atMs, () => {
        eye.look(atMs, redis.store);
        const { levels } = account.books;
        const settled = { fromMs: spell.fromMs, untilMs: atMs };
        for (const what of eye.unmoved(levels, settled, redis.nowMs())) report("I4", what);
      });
    }
  }
}

function levelsOf({ hasLevels }: Plan): LevelSettings {
  if (hasLevels !== true) return NO_LEVELS;
  return { ...NO_LEVELS, queues: Object.fromEntries(QUEUES.map((queue) => [queue, MARKS])) };
}

function countRows({ rows }: Account): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of rows) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

function openWorld(plan: Plan, onTold: OnTold | null): World & { traceHash(): number } {
  const draws = drawsOf(plan.seed);
  const timeline = timelineOf(plan.seed);
  const findings: Finding[] = [];
  let trace = plan.seed;

  const report = (invariant: string, what: string) => {
    findings.push({ invariant, what, step: timeline.step, atMs: timeline.now() });
  };
  const tell = (what: string | (() => string)) => {
    if (onTold === null) return;
    const text = typeof what === "string" ? what : what();
    onTold(`${(timeline.now() / 1000).toFixed(3).padStart(10)}  ${text}`);
  };
  const lists = [0, 3, 6, 9].flatMap((step) =>
    QUEUES.map((queue) => step === 0 ? queue : `${queue}${TRANSPORT.sep}${step}`)
  );
  const eye = queueEye(QUEUES, lists);
  const ends: number[] = [];
  const departures: Departure[] = [];
  const account = accountOf({
    ...{ namespace: NAMESPACE, sep: TRANSPORT.sep, report, tell, eye },
    mayBeAside: (atMs) => mayBeAside(plan, atMs),
    behindMs: () => timeline.now() < plan.healMs + LOST_MS ? LOST_MS : REPLY_MS,
    crew: () => crew,
    silentMs(worker) {
      const leader = world.leader()?.beat;
      const heardMs = leader ? air.heardMs(leader.process, worker) : null;
      return heardMs === null ? null : timeline.now() - heardMs;
    },
  });
  for (const each of plan.tasks) account.declare(each);
  const watcher = watcherOf({
    ...{ namespace: NAMESPACE, lists, account, report, tell, eye },
    now: timeline.now,
    draw: draws("again"),
  });
  const redis = redisSide({
    timeline,
    startMs: plan.startMs,
    onCommand(sender, command) {
      const part = Math.floor(timeline.now() * 1000) + 31 * sender.length + 1_031 * command.length;
      trace = mix(trace ^ part) ^ command[0]!.length;
    },
  }, () => watcher);
  const air = ether(draws("air"));
  const crew = crewOf(plan.workers, {
    ...{ draws, scheduler: timeline, lists },
    execute: redis.execute,
    hasList: (list) => redis.store.keys.has(list),
    unacked: () => fieldsOf(redis.store.keys, "unacked"),
    serverMs: redis.nowMs,
    say: air.say,
  });
  const file = scheduleFile(plan.tasks, TRANSPORT, levelsOf(plan));
  const posts = plan.replicas.map(({ offsetMs, rate }, index): Post => ({
    index,
    machine: machineOf(timeline, { startMs: plan.startMs, offsetMs, rate }),
    ailments: noAilments(),
    beat: null,
    generation: 0,
    isCutOff: false,
    killAt: null,
  }));

  const noteEnd = ({ beat, isCutOff }: Post, isInOrder: boolean) => {
    if (beat === null) return;
    const { owner } = beat;
    ends.push(timeline.now());
    if (owner !== watcher.holder) return;
    departures.push({ atMs: timeline.now(), isOrderly: isInOrder && !isCutOff, owner });
  };
  const world = {
    noteEnd,
    ...{ plan, draws, timeline, redis, account, posts, crew, air, file, lists, findings },
    ...{ report, tell, eye, ends, departures },
    traceHash: () => trace,
    leader: () => posts.find(({ beat }) => beat !== null && beat.owner === watcher.holder) ?? null,
    start(post: Post): void {
      if (post.beat !== null) return;
      post.generation++;
      post.isCutOff = false;
      post.beat = startBeat({
        name: `beat-${post.index}`,
        machine: post.machine,
        leaseMs: plan.leaseMs,
        looks: plan.looks,
        stepsMin: plan.stepsMin,
        hasLevels: plan.hasLevels ?? false,
        file,
        log: logOf(world, post),
        line: (owner) =>
          lineOf(
            timeline,
            rulesOf({
              ailments: post.ailments,
              draw: draws("way", post.index),
              now: timeline.now,
              host: () => redis.hostFor(owner),
              onChunk: (direction, chunk) => meetsDeath(world, post, direction, chunk),
            }),
          ),
        listen: air.listen,
        onEnd: (error) => ended(world, post, error),
      }, post.generation);
    },
    kill(post: Post, backMs: number): void {
      tell(`beat-${post.index} is killed`);
      noteEnd(post, false);
      post.killAt = null;
      post.beat?.kill();
      post.beat = null;
      timeline.at(timeline.now() + backMs, () => world.start(post));
    },
    reloadAll(): void {
      for (const { beat } of posts) {
        if (beat === null) continue;
        const laterMs = draws("reload").below(3_000);
        beat.process.at(timeline.now() + laterMs, () => void beat.reload());
      }
    },
  };
  for (const post of posts) {
    timeline.at(draws("boot", post.index).below(1_500), () => world.start(post));
  }
  return world;
}

/** A process that ended by itself is started again; one that ended by an error has a defect. */
function ended(world: World, post: Post, error: unknown): void {
  world.tell(`beat-${post.index} ended: ${error ?? "in order"}`);
  const wrong = error === null ? wrongStop(world, post) : null;
  if (wrong !== null) world.report("I9", `beat-${post.index} ended, and ${wrong}`);
  world.noteEnd(post, error === null);
  if (error !== null) {
    const stack = error instanceof Error ? error.stack ?? error.message : String(error);
    world.report("I9", `beat-${post.index} ended by itself: ${stack}`);
  }
  post.beat?.kill();
  post.beat = null;
  world.timeline.at(world.timeline.now() + 1_000, () => world.start(post));
}

/** Whether the process dies of this chunk before it arrives. */
function meetsDeath(world: World, post: Post, direction: Direction, chunk: Chunk): boolean {
  const { killAt } = post;
  if (killAt === null || direction === "push") return false;
  if (!carriesOut(chunk)) return false;
  const isIt = direction === "request" ? killAt.point === "sent" : killAt.point !== "sent";
  if (!isIt) return false;
  const { timeline } = world;
  const dieMs = timeline.now() + (killAt.point === "replied" ? 5 : 0);
  post.killAt = null;
  timeline.at(dieMs, () => {
    if (post.beat !== null) world.kill(post, killAt.backMs);
  });
  return killAt.point !== "replied";
}

/** A commit, a settlement, or the word for what was staged. */
function carriesOut({ commands }: Chunk): boolean {
  if (commands[0]?.[0] === "MULTI") return false;
  return commands.some(([verb, , , key]) => verb === "EXEC" || key === `${NAMESPACE}:fence`);
}

/** A defect that ends nobody is a finding all the same. */
function logOf({ tell, report }: Pick<World, "tell" | "report">, post: Post): Log {
  const { index } = post;
  const quiet = () => {};
  const say = (message: string, fields: { err?: unknown } = {}) =>
    tell(() => {
      const { err, ...rest } = fields;
      const detail = err instanceof Error ? ` (${err.message})` : "";
      const known = Object.keys(rest).length === 0 ? "" : ` ${JSON.stringify(rest)}`;
      return `beat-${index}: ${message}${known}${detail}`;
    });
  const log: Log = {
    debug: quiet,
    info: (message, fields) => message.startsWith("published") || say(message, fields),
    warn(message, fields) {
      say(message, fields);
      post.isCutOff ||= message.startsWith("stopped without a word");
    },
    error(message, fields) {
      say(message, fields);
      const { err } = fields ?? {};
      if (!message.startsWith("a defect")) return;
      report("I9", `beat-${index}: ${message}: ${err instanceof Error ? err.stack : err}`);
    },
    child: () => log,
  };
  return log;
}
