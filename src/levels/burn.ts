/**
 * How fast an objective uses up its error budget, and what its rules make of that. Pure.
 *
 * The burn rate of a window is the share of bad events in it, over the share that the objective
 * allows: at 1 the budget lasts just as long as it should. A rule burns when a long window and a short
 * one both do (The Site Reliability Workbook, chapter 5): the long one says that it matters, the short one
 * that it goes on. A rule that has raised the level burns until the short window falls to half of its
 * rate, so that errors about the rate do not make the level flap.
 */

import type { SloEvent } from "../../machines/slo.ts";
import type { Level } from "../event.ts";
import type { BurnRule, Objective } from "../level.ts";

/** What was counted up to a time. A source that tells a share alone counts as one event. */
export interface Sample {
  /** The server's time. Unix milliseconds. */
  readonly atMs: number;
  readonly events: number;
  readonly bad: number;
}

/** What the rules came to. */
export interface Burning {
  readonly type: Exclude<SloEvent["type"], "HELD">;
  readonly reason: string;
  /** Burn rates of the windows of the rule that decided, or of the first one. */
  readonly longBurn: number;
  readonly shortBurn: number;
}

/** Without samples that no window reaches, and without those of a clock that has been set back. */
export function keepSamples(
  samples: readonly Sample[],
  sample: Sample,
  rules: readonly BurnRule[],
) {
  const longestMs = Math.max(...rules.map(({ longMs }) => longMs));
  const isKept = ({ atMs }: Sample) => atMs > sample.atMs - longestMs && atMs <= sample.atMs;
  return [...samples.filter(isKept), sample];
}

/**
 * @param samples at least one, the newest of which has just been taken: where a source is silent,
 * nothing is asked, or old errors would seem to fade away
 * @param level the present one
 */
export function burning(
  samples: readonly Sample[],
  objective: Pick<Objective, "target" | "rules" | "minEvents">,
  level: Level,
  nowMs: number,
): Burning {
  const judged = objective.rules.map((rule) => judge(rule, samples, objective, { level, nowMs }));
  const blazing = judged.find(({ rule, isBurning }) => isBurning && rule.level === "paused");
  const found = blazing ?? judged.find(({ isBurning }) => isBurning);
  const { rule, longBurn, shortBurn } = found ?? judged[0]!;
  const rates = `burn rate ${longBurn} over ${spanText(rule.longMs)} and ${shortBurn} over ` +
    spanText(rule.shortMs);
  const type = found === undefined ? "CALM" : blazing === undefined ? "BURNING" : "BLAZING";
  return { type, reason: `${rates} (rule ${rule.burn})`, longBurn, shortBurn };
}

interface Judged {
  readonly rule: BurnRule;
  readonly isBurning: boolean;
  readonly longBurn: number;
  readonly shortBurn: number;
}

const RANK: Readonly<Record<Level, number>> = { normal: 0, slowed: 1, paused: 2 };

function judge(
  rule: BurnRule,
  samples: readonly Sample[],
  objective: Pick<Objective, "target" | "minEvents">,
  { level, nowMs }: { readonly level: Level; readonly nowMs: number },
): Judged {
  const hasRaised = RANK[level] >= RANK[rule.level];
  // What has raised a level with enough events goes on with fewer, now that tasks are thinned out.
  const minEvents = hasRaised ? 1 : objective.minEvents;
  const over = { target: objective.target, minEvents, nowMs };
  const longBurn = burnOver(samples, rule.longMs, over);
  const shortBurn = burnOver(samples, rule.shortMs, over);
  const isBurning = hasRaised
    ? shortBurn >= rule.burn / 2 || isUnseen(samples, rule, nowMs)
    : longBurn >= rule.burn && shortBurn >= rule.burn;
  return { rule, isBurning, longBurn, shortBurn };
}

/** Nothing has ended in a window that began not long ago: that does not say that nothing is bad. */
function isUnseen(samples: readonly Sample[], { shortMs }: BurnRule, nowMs: number): boolean {
  return nowMs - samples[0]!.atMs < shortMs && samples.every(({ events }) => events === 0);
}

/** 0 where too little was counted to say anything. */
function burnOver(
  samples: readonly Sample[],
  windowMs: number,
  { target, minEvents, nowMs }: Pick<Objective, "target" | "minEvents"> & {
    readonly nowMs: number;
  },
): number {
  let [events, bad] = [0, 0];
  for (const sample of samples) {
    if (sample.atMs <= nowMs - windowMs || sample.atMs > nowMs) continue;
    events += sample.events;
    bad += sample.bad;
  }
  if (events === 0 || events < minEvents) return 0;
  return Number((bad / events / (1 - target)).toPrecision(3));
}

function spanText(durationMs: number): string {
  return durationMs % 60_000 === 0 ? `${durationMs / 60_000} min` : `${durationMs / 1000} s`;
}
