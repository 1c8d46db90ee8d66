/** The tasks of a run: drawn from the seed, and made into what Beat declares. */

import type { CatchUp, Importance, PolicySpecs, Task, TriggerSpec } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import type { Draw, Draws } from "./draws.ts";
import { drawPolicies } from "./policy_draw.ts";

/** When a task is due, as the oracle reads it. */
export type Rhythm =
  | { readonly kind: "every"; readonly everyMs: number; readonly phaseMs: number }
  | { readonly kind: "at"; readonly atMs: number }
  | {
    readonly kind: "cron" | "crontab";
    readonly tz: string;
    readonly minutes: readonly number[];
    readonly hours: readonly number[];
    /** 0 for Sunday. */
    readonly weekdays: readonly number[];
  };

/** From the publish on, of each task. Milliseconds. */
export const TAKE_BY_MS = 60_000;
export const GIVE_UP_MS = 3_600_000;

/** A task of a plan. */
export interface PlannedTask {
  readonly name: string;
  readonly queue: string;
  readonly rhythm: Rhythm;
  readonly catchUp: CatchUp;
  /** Milliseconds; `null` for never. */
  readonly expiresMs: number | null;
  readonly priority: number | null;
  readonly ignoreResult: boolean;
  /** An argument: another one is another revision with the same rhythm. */
  readonly edition: number;
  /** @default none */
  readonly policies?: PolicySpecs;
  /** @default critical */
  readonly importance?: Importance;
}

/** A start of a run, and the zones that are worth looking at around it. */
interface Season {
  readonly startMs: number;
  readonly zones: readonly string[];
}

const ORDINARY: Season = {
  startMs: Date.UTC(2026, 5, 17, 9, 0),
  zones: ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham"],
};

/** Each starts a while before the clocks of its first zone change. */
const CHANGES: readonly Season[] = [
  { startMs: Date.UTC(2026, 2, 29, 0, 40), zones: ["Europe/Berlin", "UTC"] },
  { startMs: Date.UTC(2026, 9, 25, 0, 40), zones: ["Europe/Berlin", "Europe/London"] },
  { startMs: Date.UTC(2026, 2, 8, 6, 40), zones: ["America/New_York", "UTC"] },
  { startMs: Date.UTC(2026, 10, 1, 5, 40), zones: ["America/New_York", "Asia/Tokyo"] },
  { startMs: Date.UTC(2026, 3, 4, 14, 40), zones: ["Australia/Lord_Howe", "UTC"] },
  { startMs: Date.UTC(2026, 9, 3, 15, 10), zones: ["Australia/Lord_Howe", "Asia/Kolkata"] },
  { startMs: Date.UTC(2026, 2, 29, 0, 40), zones: ["Antarctica/Troll", "UTC"] },
  { startMs: Date.UTC(2026, 3, 5, 2, 40), zones: ["America/Santiago", "UTC"] },
];

export function drawSeason(draws: Draws): Season {
  const draw = draws("season");
  const season = draw.chance(0.4) ? draw.pick(CHANGES) : ORDINARY;
  return { ...season, startMs: season.startMs + draw.below(600) * 1_000 + draw.below(1_000) };
}

export function drawTask(
  draws: Draws,
  index: number,
  { startMs, zones }: Season,
  durationMs: number,
): PlannedTask {
  const draw = draws("task", index);
  const rhythm = drawRhythm(draw, { startMs, zones, durationMs });
  return {
    name: `task.${index}`,
    queue: `queue-${draw.below(3)}`,
    rhythm,
    catchUp: drawCatchUp(draw),
    expiresMs: draw.chance(0.4) ? null : draw.pick([5_000, 30_000, 120_000, 600_000]),
    priority: draw.chance(0.8) ? null : draw.below(10),
    ignoreResult: draw.chance(0.2),
    edition: 0,
    policies: drawPolicies(draws("policies", index), { startMs, zones }),
  };
}

function drawCatchUp(draw: Draw): CatchUp {
  const policy = draw.pick(["latest", "latest", "all", "all", "skip"] as const);
  const windowMs = draw.pick([60_000, 120_000, 600_000, 3_600_000]);
  return { policy, windowMs, cap: policy === "all" ? draw.pick([2, 5, 20, 250]) : 1 };
}

export function drawRhythm(
  draw: Draw,
  { startMs, zones, durationMs }: Season & { readonly durationMs: number },
): Rhythm {
  const kind = draw.unit();
  if (kind < 0.03) return { kind: "at", atMs: startMs + draw.below(durationMs) };
  if (kind < 0.04) return { kind: "every", everyMs: draw.between(1_000, 5_000), phaseMs: 0 };
  if (kind < 0.65) {
    const seconds = draw.chance(0.05) ? 10 : draw.pick([20, 60, 120, 300, 300, 600, 900, 1_800]);
    const everyMs = seconds * 1_000;
    const isOdd = draw.chance(0.3);
    return {
      kind: "every",
      everyMs: isOdd
        ? everyMs + draw.between(-2_000, 2_000) + draw.pick([0, 0.25, 1 / 3])
        : everyMs,
      phaseMs: draw.chance(0.3) ? draw.below(everyMs) : 0,
    };
  }
  return drawExpression(draw, startMs, zones);
}

const ALL_HOURS = Array.from({ length: 24 }, (_, hour) => hour);
const ALL_DAYS = [0, 1, 2, 3, 4, 5, 6];

function drawExpression(draw: Draw, startMs: number, zones: readonly string[]): Rhythm {
  const tz = draw.chance(0.6) ? zones[0]! : draw.pick(zones);
  const step = draw.pick([1, 2, 5, 7, 10, 15, 20]);
  const isStepped = draw.chance(0.6);
  const start = isStepped ? 0 : draw.below(60);
  const minutes = isStepped
    ? Array.from({ length: Math.ceil(60 / step) }, (_, index) => index * step)
    : [...new Set([start, draw.below(60), draw.below(60)])].sort((a, b) => a - b);
  const local = Temporal.Instant.fromEpochMilliseconds(startMs).toZonedDateTimeISO(tz);
  const near = [0, 1, 2, 3].map((later) => (local.hour + later) % 24);
  const hours = draw.chance(0.5) ? ALL_HOURS : [...new Set(near)].sort((a, b) => a - b);
  const weekdays = draw.chance(0.8) ? ALL_DAYS : [local.dayOfWeek % 7, draw.below(7)];
  return {
    kind: draw.chance(0.5) ? "cron" : "crontab",
    tz,
    minutes,
    hours,
    weekdays: [...new Set(weekdays)].sort(),
  };
}

/** As a configuration would declare it. */
export function declared(planned: PlannedTask): Task {
  return {
    name: planned.name,
    celeryTask: "work",
    queue: planned.queue,
    trigger: triggerSpec(planned.rhythm),
    args: [planned.edition],
    kwargs: {},
    expiresMs: planned.expiresMs,
    priority: planned.priority,
    headers: {},
    timeLimitS: null,
    softTimeLimitS: null,
    ignoreResult: planned.ignoreResult,
    importance: planned.importance ?? "critical",
    catchUp: planned.catchUp,
    policies: planned.policies ?? NO_POLICIES,
    takeByMs: TAKE_BY_MS,
    giveUpMs: GIVE_UP_MS,
  };
}

export function triggerSpec(rhythm: Rhythm): TriggerSpec {
  if (rhythm.kind === "every" || rhythm.kind === "at") return { ...rhythm };
  const { tz } = rhythm;
  const minute = rhythm.minutes.length === 60 ? "*" : rhythm.minutes.join(",");
  const hour = rhythm.hours.length === 24 ? "*" : rhythm.hours.join(",");
  const dayOfWeek = rhythm.weekdays.length === 7 ? "*" : rhythm.weekdays.join(",");
  if (rhythm.kind === "cron") {
    return { kind: "cron", expression: `${minute} ${hour} * * ${dayOfWeek}`, tz };
  }
  return { kind: "crontab", minute, hour, dayOfWeek, dayOfMonth: "*", monthOfYear: "*", tz };
}
