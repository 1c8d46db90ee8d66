/**
 * What happens in a run, written down before it: the tasks, the replicas and the faults, each with its
 * time. A plan is data; running it twice gives the same run, and a part of it can be left out.
 */

import type { Looks } from "../../src/lead/looks.ts";
import { LOOKS } from "../../src/lead/looks.ts";
import { NO_POLICIES } from "../../src/task.ts";
import type { Draw, Draws } from "./draws.ts";
import { drawsOf } from "./draws.ts";
import type { PolicySeason } from "./policy_draw.ts";
import { drawPolicies, drawThrottle } from "./policy_draw.ts";
import type { PlannedTask } from "./schedule.ts";
import { drawRhythm, drawSeason, drawTask } from "./schedule.ts";

export const QUEUES = ["queue-0", "queue-1", "queue-2"] as const;

/** Where a process dies: at once, or at a point of its next commit. */
export type KillPoint = "now" | "sent" | "applied" | "replied";

/** What can go wrong. Times are milliseconds. */
export type Trouble =
  | { readonly kind: "kill"; readonly point: KillPoint; readonly backMs: number }
  | { readonly kind: "stop"; readonly backMs: number }
  | { readonly kind: "held"; readonly forMs: number }
  | { readonly kind: "pause"; readonly forMs: number }
  /** `isVirtual`: as a virtual machine that is paused. */
  | { readonly kind: "suspend"; readonly forMs: number; readonly isVirtual?: boolean }
  | { readonly kind: "clock"; readonly byMs: number }
  | {
    readonly kind: "cut";
    readonly direction: "both" | "request" | "reply";
    readonly forMs: number;
  }
  | {
    readonly kind: "lost_replies" | "lost_requests";
    readonly share: number;
    readonly forMs: number;
  }
  | { readonly kind: "slow"; readonly delayMs: number; readonly forMs: number }
  | { readonly kind: "reset" }
  | { readonly kind: "dark"; readonly forMs: number }
  | {
    readonly kind: "redis_restart";
    readonly lostEntries: number;
    readonly downMs: number;
    readonly loadingMs: number;
  }
  | { readonly kind: "failover"; readonly lagMs: number; readonly downMs: number }
  | { readonly kind: "refuse"; readonly error: Refusal; readonly forMs: number }
  | { readonly kind: "redis_clock"; readonly byMs: number }
  | { readonly kind: "script_flush" | "lease_deleted" | "flushall" | "trim" }
  | { readonly kind: "wrong_type"; readonly queue: number; readonly forMs: number }
  | { readonly kind: "hints_lost"; readonly forMs: number }
  | { readonly kind: "edit"; readonly task: PlannedTask }
  | { readonly kind: "cursor_deleted"; readonly task: string }
  | { readonly kind: "remove"; readonly task: string; readonly backMs: number }
  | { readonly kind: "poison"; readonly how: "unreadable" | "bad_trigger" }
  /** A person pauses a task, or all (`null`), and resumes it later. */
  | { readonly kind: "order"; readonly task: string | null; readonly forMs: number }
  /** A person wants a task fired now; `againMs` later, if at all, asks the same once more. */
  | { readonly kind: "trigger"; readonly task: string; readonly againMs: number | null }
  /** Of the last due times of a task, before so long ago. */
  | {
    readonly kind: "backfill";
    readonly task: string;
    readonly backMs: number;
    readonly count: number;
    /** Fires a second. */
    readonly rate: number;
    readonly againMs: number | null;
    /** When another one asks for what was worked out at the same time; not at all where absent. */
    readonly otherMs?: number | null;
  }
  | { readonly kind: "herd"; readonly tasks: readonly PlannedTask[] }
  | {
    readonly kind: "worker";
    readonly habit: "never" | "twice" | "late" | "die" | "die_before_unacked" | "away";
    readonly worker: number;
    readonly forMs: number;
  };

export type Refusal = "OOM" | "MISCONF" | "READONLY" | "LOADING" | "BUSY" | "MASTERDOWN";

export type Fault = Trouble & {
  readonly atMs: number;
  /** Which replica; whoever leads where it is -1. Of no meaning for what is not about a replica. */
  readonly target: number;
};

export interface Plan {
  readonly seed: number;
  readonly startMs: number;
  readonly durationMs: number;
  /** Faults end here; then all must come right. */
  readonly healMs: number;
  readonly leaseMs: number;
  /** How often replicas look. @default as they do in production */
  readonly looks?: Looks;
  /** From how many steps on they are staged. @default none are */
  readonly stepsMin?: number;
  /** Queues are looked at, and hold back what is not critical. */
  readonly hasLevels?: boolean;
  readonly replicas: readonly { readonly offsetMs: number; readonly rate: number }[];
  readonly workers: number;
  readonly tasks: readonly PlannedTask[];
  /** In the order of time. */
  readonly faults: readonly Fault[];
  /** Ends in the middle: what must be true at the end is not asked. */
  readonly isCut?: boolean;
}

export interface PlanOptions {
  readonly durationMs: number;
  readonly tasks: number;
}

export type Kind = Trouble["kind"];

export const KINDS: readonly Kind[] = [
  ...["kill", "stop", "pause", "suspend", "clock", "cut", "lost_replies", "lost_requests"] as const,
  ...["slow", "reset", "dark", "redis_restart", "failover", "refuse", "redis_clock"] as const,
  ...["script_flush", "lease_deleted", "flushall", "trim", "wrong_type", "hints_lost"] as const,
  ...["cursor_deleted", "held"] as const,
  ...["edit", "remove", "poison", "herd", "worker", "order", "trigger", "backfill"] as const,
];

/** How long everything has to come right. */
const HEAL_MS = 200_000;

/** How many replicas; those that stand by cost as much as the one that leads, so long runs have fewer. */
const MANY = [1, 2, 2, 2, 3, 3, 3, 3, 4, 5];
const FEW = [1, 2, 2, 2, 3, 3];

/** As in production, but for a standby's: it would be half of all events. */
const OFTEN: Looks = { ...LOOKS, standbyMs: 200 };

/** Most events of a long run would be looks that see nothing new; so most long runs have fewer. */
const RARE_LOOKS: Looks = {
  standbyMs: 1_700,
  journalMs: 3_700,
  sampleMs: 3_100,
  glanceMs: 700,
  requestsMs: 2_900,
};

export function planOf(seed: number, options: PlanOptions): Plan {
  const draws = drawsOf(seed);
  const draw = draws("world");
  const { durationMs } = options;
  const season = drawSeason(draws);
  const healMs = Math.max(durationMs / 2, durationMs - HEAL_MS);
  const isLong = durationMs > 1_800_000;
  const count = Math.max(1, Math.round(options.tasks * draw.pick([0.1, 0.6, 1, 1, 1, 1.6])));
  const hasLevels = draws("levels").chance(0.35);
  const tasks = Array.from({ length: count }, (_, index) => {
    const task = drawTask(draws, index, season, durationMs);
    const throttle = hasLevels ? drawThrottle(draws("throttle", index)) : null;
    if (throttle === null) return task;
    return { ...task, ...throttle, policies: { ...task.policies!, ...throttle.policies } };
  });
  const plan: Plan = {
    seed,
    startMs: season.startMs,
    durationMs,
    healMs,
    leaseMs: draw.pick([5_000, 5_000, 5_000, 2_000, 10_000]),
    replicas: Array.from({ length: draw.pick(isLong ? FEW : MANY) }, (_, index) => ({
      offsetMs: draws("offset", index).pick([0, 0, 40, -700, 5_000, -7_200_000, 3_600_000]),
      rate: 1 + draws("rate", index).between(-200, 200) / 1e6,
    })),
    workers: draw.between(1, 3),
    tasks,
    faults: [],
    ...(hasLevels ? { hasLevels } : {}),
    looks: isLong && draws("looks").chance(0.8) ? RARE_LOOKS : OFTEN,
    ...(draws("stage").chance(0.5) ? { stepsMin: draws("stage").pick([1, 1, 3, 10]) } : {}),
  };
  return { ...plan, faults: drawFaults(draws, plan, season.zones) };
}

/** First which kinds may come at all, each with probability one half; then how many of each. */
function drawFaults(draws: Draws, plan: Plan, zones: readonly string[]): Fault[] {
  const faults: Fault[] = [];
  for (const kind of KINDS) {
    const draw = draws("fault", kind);
    if (!draw.chance(0.5)) continue;
    const mostly = RARE.has(kind) ? 1 : 1 + draw.below(Math.min(20, 3 + plan.durationMs / 600_000));
    for (let count = 0; count < mostly; count++) {
      const atMs = 1_000 + draw.below(plan.healMs - 2_000);
      const isLeader = draw.chance(0.66);
      const target = isLeader ? -1 : draw.below(plan.replicas.length);
      faults.push({ atMs, target, ...drawTrouble(kind, draws, plan, zones) });
    }
  }
  if (plan.hasLevels === true) faults.push(...drawStalls(draws("stalls"), plan));
  return faults.sort((one, other) => one.atMs - other.atMs);
}

/** All workers at once take nothing for a while, so that queues get long. */
function drawStalls(draw: Draw, { healMs, durationMs, workers }: Plan): Fault[] {
  const count = 2 + draw.below(Math.min(12, 3 + durationMs / 300_000));
  return Array.from({ length: count }, () => {
    const atMs = 1_000 + draw.below(healMs - 2_000);
    const forMs = draw.pick([20_000, 60_000, 240_000]);
    return Array.from({ length: workers }, (_, worker): Fault => (
      { kind: "worker", habit: "away", worker, atMs, forMs, target: -1 }
    ));
  }).flat();
}

/** At most once in a run: more of it would leave little to look at. */
const RARE: ReadonlySet<Kind> = new Set(["flushall", "dark", "herd"]);

function drawTrouble(kind: Kind, draws: Draws, plan: Plan, zones: readonly string[]): Trouble {
  const draw = draws("fault", kind);
  const { leaseMs } = plan;
  const backMs = draw.pick([0, 300, 2_000, 8_000, 30_000]);
  const forMs = draw.pick([300, 1_500, leaseMs / 2, leaseMs * 1.5, leaseMs * 5, 60_000]);
  switch (kind) {
    case "kill":
      return { kind, point: draw.pick(["now", "sent", "applied", "replied"]), backMs };
    case "stop":
      return { kind, backMs };
    case "pause":
    case "held":
      return { kind, forMs };
    case "suspend":
      return { kind, forMs: draw.pick([2_000, 20_000, 120_000]), isVirtual: draw.chance(0.5) };
    case "clock":
      return { kind, byMs: draw.pick([1, -1]) * draw.pick([300, 1_000, 3_600_000, 3.156e11]) };
    case "cut":
      return { kind, direction: draw.pick(["both", "request", "reply"]), forMs };
    case "lost_replies":
    case "lost_requests":
      return { kind, share: draw.pick([0.02, 0.2]), forMs: draw.pick([10_000, 60_000]) };
    case "slow":
      return { kind, delayMs: draw.pick([50, 400, 1_500, 3_000]), forMs };
    case "dark":
      return { kind, forMs: draw.pick([60_000, 300_000, 900_000]) };
    case "redis_restart":
      return {
        kind,
        lostEntries: draw.chance(0.5) ? 0 : draw.between(1, 40),
        downMs: draw.pick([50, 1_000, 6_000, 20_000]),
        loadingMs: draw.pick([0, 500, 3_000]),
      };
    case "failover":
      return { kind, lagMs: draw.pick([0, 5, 200, 1_500, 4_000]), downMs: draw.pick([100, 5_000]) };
    case "refuse":
      return { kind, error: draw.pick(REFUSALS), forMs };
    case "redis_clock":
      return { kind, byMs: draw.pick([700, -700, 1_000, -1_000, 30_000, -30_000, 3_600_000]) };
    case "wrong_type":
      return { kind, queue: draw.below(3), forMs: draw.pick([3_000, 20_000]) };
    case "hints_lost":
      return { kind, forMs: draw.pick([10_000, 120_000, plan.durationMs]) };
    case "edit":
      return { kind, task: drawEdit(draw, draws("edited policies"), plan, zones) };
    case "poison":
      return { kind, how: draw.pick(["unreadable", "bad_trigger"]) };
    case "cursor_deleted":
      return { kind, task: draw.pick(plan.tasks).name };
    case "remove":
      return { kind, task: draw.pick(plan.tasks).name, backMs: draw.pick([0, 2_000, 60_000]) };
    case "herd":
      return { kind, tasks: drawHerd(draw, plan) };
    case "order": {
      const task = draw.chance(0.75) ? draw.pick(plan.tasks).name : null;
      return { kind, task, forMs: draw.pick([2_000, 20_000, 90_000]) };
    }
    case "trigger":
      return {
        kind,
        task: draw.pick(plan.tasks).name,
        againMs: draw.pick([null, 0, 700, 9_000, 60_000]),
      };
    case "backfill":
      return {
        kind,
        task: draw.pick(plan.tasks).name,
        backMs: draw.pick([0, 5_000, 300_000]),
        count: draw.pick([1, 8, 40]),
        rate: draw.pick([2, 2, 10, 200]),
        againMs: draw.pick([null, 0, 700, 9_000, 60_000]),
        otherMs: draw.pick([null, null, 0, 700, 9_000, 60_000]),
      };
    case "worker":
      return {
        kind,
        habit: draw.pick(["never", "twice", "late", "die", "die_before_unacked"]),
        worker: draw.below(plan.workers),
        forMs: draw.pick([10_000, 60_000, 240_000]),
      };
    default:
      return { kind };
  }
}

const REFUSALS: readonly Refusal[] = [
  "OOM",
  "MISCONF",
  "READONLY",
  "LOADING",
  "BUSY",
  "MASTERDOWN",
];

function drawEdit(
  draw: Draw,
  policyDraw: Draw,
  plan: Plan,
  zones: readonly string[],
): PlannedTask {
  const picked = draw.pick(plan.tasks);
  const edition = draw.between(1, 1_000_000);
  const task = policyDraw.chance(0.5)
    ? picked
    : { ...picked, policies: editedPolicies(policyDraw, picked, { startMs: plan.startMs, zones }) };
  if (draw.chance(0.4)) return { ...task, edition };
  const rhythm = drawRhythm(draw, { startMs: plan.startMs, zones, durationMs: plan.durationMs });
  return { ...task, edition, rhythm };
}

/** How its queue holds it back stays. */
function editedPolicies(draw: Draw, { policies = NO_POLICIES }: PlannedTask, season: PolicySeason) {
  const { pressure, maxHoldMs } = policies;
  return { ...drawPolicies(draw, season), pressure, maxHoldMs };
}

/** Very many tasks that are due in the same second. */
function drawHerd(draw: Draw, plan: Plan): PlannedTask[] {
  const base = plan.tasks[0]!;
  const everyMs = draw.pick([30_000, 60_000]);
  return Array.from({ length: draw.pick([150, 450]) }, (_, index) => ({
    ...base,
    name: `herd.${index}`,
    rhythm: { kind: "every", everyMs, phaseMs: 0 },
    catchUp: { policy: "latest", windowMs: 60_000, cap: 1 },
    expiresMs: 30_000,
  }));
}
