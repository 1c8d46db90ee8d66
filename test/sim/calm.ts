/** When a plan leaves replicas, Redis and the ways between them alone. Times are milliseconds of the world. */

import type { Fault, Kind, Plan } from "./plan.ts";
import { LINGER_MS } from "./redis_side.ts";

export interface Spell {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A leader goes on as it should with these about. */
const HARMLESS: ReadonlySet<Kind> = new Set<Kind>(
  ["clock", "script_flush", "hints_lost", "trim", "worker", "order", "trigger", "backfill"],
);

/** After the last trouble, until everything is as it should be. */
export const SETTLED_MS = 30_000;

const OPERATORS: ReadonlySet<Kind> = new Set<Kind>(["herd", "remove", "poison"]);

const LASTS_MS: Readonly<Partial<Record<Kind, number>>> = { herd: 73_000, poison: 13_000 };

/** When a fault is over, by itself. */
export function endOf(fault: Fault): number {
  const { atMs, kind, forMs = 0, backMs = 0, downMs = 0, loadingMs = 0, lagMs = 0, byMs = 0 } =
    fault as
      & Fault
      & {
        readonly [each in "forMs" | "backMs" | "downMs" | "loadingMs" | "lagMs" | "byMs"]?: number;
      };
  // Nothing is due anew until a clock that was set back is where it was.
  const setBackMs = kind === "redis_clock" ? Math.max(0, -byMs) : 0;
  return atMs + setBackMs + forMs + backMs + downMs + loadingMs + lagMs + (LASTS_MS[kind] ?? 0);
}

/** Whether there is no trouble in a span, or only one that `isCause`. */
export function isCalm(
  { faults }: Plan,
  { fromMs, untilMs }: Spell,
  isCause: (fault: Fault) => boolean = () => false,
): boolean {
  return !faults.some((fault) =>
    !HARMLESS.has(fault.kind) && fault.atMs < untilMs && endOf(fault) > fromMs && !isCause(fault)
  );
}

/** After the end of the old connections, until there are new ones. Milliseconds. */
const RECONNECT_MS = 500;

/** Whether connections may still be to a server that was the master. */
export function mayBeAside({ faults }: Plan, nowMs: number): boolean {
  return faults.some((fault) =>
    fault.kind === "failover" && fault.atMs <= nowMs &&
    nowMs < fault.atMs + fault.lagMs + LINGER_MS + RECONNECT_MS
  );
}

/** The spans before all heals in which nothing is wrong, and has not been for a while. */
export function calmSpells({ faults, healMs }: Plan): Spell[] {
  const spells: Spell[] = [];
  let fromMs = SETTLED_MS;
  for (const fault of faults) {
    if (HARMLESS.has(fault.kind)) continue;
    if (fault.atMs > fromMs) spells.push({ fromMs, untilMs: fault.atMs - 1 });
    fromMs = Math.max(fromMs, endOf(fault) + SETTLED_MS);
  }
  if (healMs > fromMs) spells.push({ fromMs, untilMs: healMs - 1 });
  return spells;
}

/** After all has healed; what operators have begun goes on. */
export function lastSpell({ faults, healMs, durationMs }: Plan): Spell {
  const ends = faults.filter(({ kind }) => OPERATORS.has(kind)).map(endOf);
  return { fromMs: Math.max(healMs, ...ends) + SETTLED_MS, untilMs: durationMs };
}
