/** The level that follows a level, by the machines. Pure. */

import { type AnyStateMachine, transition } from "xstate";
import type { PressureEvent } from "../../machines/pressure.ts";
import { pressureMachine } from "../../machines/pressure.ts";
import type { SloEvent } from "../../machines/slo.ts";
import { sloMachine } from "../../machines/slo.ts";
import type { Level } from "../event.ts";

/** A level, and since when. Unix milliseconds; `null` where it has never been another. */
export interface Standing {
  readonly level: Level;
  readonly sinceMs: number | null;
}

export interface Dwell {
  readonly nowMs: number;
  /** How long a level lasts at least. Milliseconds. */
  readonly leastMs: number;
}

/** Where a reading of a queue moves it. */
export function pressureAfter(
  standing: Standing,
  type: Exclude<PressureEvent["type"], "DWELT">,
  dwell: Dwell,
): Level {
  const state = standing.sinceMs === null ? "settled" : "fresh";
  const events = hasLasted(standing, dwell) ? ["DWELT", type] : [type];
  return after(pressureMachine, { [standing.level]: state }, events);
}

/** Where what the rules came to moves an objective. */
export function sloAfter(
  standing: Standing,
  type: Exclude<SloEvent["type"], "HELD">,
  dwell: Dwell,
): Level {
  const { level } = standing;
  const events = hasLasted(standing, dwell) ? ["HELD", type] : [type];
  return after(sloMachine, level === "normal" ? level : { [level]: "fresh" }, events);
}

/** A clock that was set back by more than that counts as well: else a level could last for hours. */
function hasLasted({ sinceMs }: Standing, { nowMs, leastMs }: Dwell): boolean {
  return sinceMs !== null && Math.abs(nowMs - sinceMs) >= leastMs;
}

/** The machines have neither guards nor context, so what was found once holds: a plan asks often. */
const found = new Map<AnyStateMachine, Map<string, Level>>([
  [pressureMachine, new Map()],
  [sloMachine, new Map()],
]);

function after(
  machine: AnyStateMachine,
  value: string | Record<string, string>,
  types: readonly string[],
): Level {
  const own = found.get(machine)!;
  const key = JSON.stringify([value, types]);
  const known = own.get(key);
  if (known !== undefined) return known;
  const start = machine.resolveState({ value, context: {} });
  const end = types.reduce((at, type) => transition(machine, at, { type })[0], start);
  const level = (typeof end.value === "string" ? end.value : Object.keys(end.value)[0]) as Level;
  own.set(key, level);
  return level;
}
