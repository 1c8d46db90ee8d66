/** Which faults come when, from the seed alone. */

import type { Draws } from "../sim/draws.ts";

export type FaultKind =
  | "kill"
  | "freeze half"
  | "freeze past"
  | "freeze long"
  | "freeze all"
  | "cut"
  | "late request"
  | "swallow"
  | "slow link"
  | "crash always"
  | "crash everysec"
  | "crash and tear"
  | "fail over"
  | "fail over in takeover"
  | "client pause"
  | "client kill"
  | "server sleep"
  | "out of memory"
  | "disk full"
  | "script flush";

/** A fault at a time; what it draws is keyed by kind and number, so leaving one out moves no other. */
export interface Planned {
  /** From the start of the burst. Milliseconds. */
  readonly afterMs: number;
  readonly kind: FaultKind;
  /** Counts the faults of this kind. */
  readonly number: number;
}

/** A burst of mixed faults, then kills of the leader one by one, then nothing at all. */
export interface Cycle {
  readonly burst: readonly Planned[];
  readonly handoversMs: number;
  readonly calmMs: number;
}

/** How many of each come in an hour: a little more than the table asks for. */
const PER_HOUR: Readonly<Record<FaultKind, number>> = {
  "kill": 270,
  "freeze half": 15,
  "freeze past": 40,
  "freeze long": 22,
  "freeze all": 3,
  "cut": 80,
  "late request": 45,
  "swallow": 95,
  "slow link": 10,
  "crash always": 36,
  "crash everysec": 36,
  "crash and tear": 9,
  "fail over": 9,
  "fail over in takeover": 6,
  "client pause": 8,
  "client kill": 10,
  "server sleep": 8,
  "out of memory": 8,
  "disk full": 5,
  "script flush": 6,
};

const CYCLE_MS = 180_000;
/** Of a cycle; the rest is calm. */
const BURST_SHARE = 0.5;
const HANDOVER_SHARE = 0.17;
/** Between two faults of a burst, on average. */
const BETWEEN_MS = 2_600;

export function planOf(durationMs: number, draws: Draws): Cycle[] {
  const count = Math.max(1, Math.round(durationMs / CYCLE_MS));
  const cycleMs = durationMs / count;
  const burstMs = cycleMs * BURST_SHARE;
  const perBurst = Math.max(1, Math.round(burstMs / BETWEEN_MS));
  const deck = deckOf(perBurst * count, draws);
  const numbers = new Map<FaultKind, number>();
  return Array.from({ length: count }, (_, cycle) => {
    const draw = draws("when", cycle);
    const times = Array.from({ length: perBurst }, () => Math.round(draw.unit() * burstMs))
      .toSorted((a, b) => a - b);
    const burst = times.map((afterMs, index) => {
      const kind = deck[cycle * perBurst + index]!;
      const number = numbers.get(kind) ?? 0;
      numbers.set(kind, number + 1);
      return { afterMs, kind, number };
    });
    const handoversMs = cycleMs * HANDOVER_SHARE;
    return { burst, handoversMs, calmMs: cycleMs - burstMs - handoversMs };
  });
}

/** `size` faults in the proportions of the table; those with the largest remainders fill it up. */
function deckOf(size: number, draws: Draws): FaultKind[] {
  const kinds = Object.entries(PER_HOUR) as [FaultKind, number][];
  const total = kinds.reduce((sum, [, each]) => sum + each, 0);
  const shares = kinds.map(([kind, each]) => ({ kind, exact: each / total * size }));
  const deck = shares.flatMap(({ kind, exact }) => Array<FaultKind>(Math.floor(exact)).fill(kind));
  const draw = draws("deck");
  // A short run has room for few of the rare kinds: which, is drawn too.
  const rest = shares.map(({ kind, exact }) => ({ kind, rank: exact % 1 + draw.unit() }))
    .toSorted((a, b) => b.rank - a.rank);
  for (let index = 0; deck.length < size; index++) deck.push(rest[index % rest.length]!.kind);
  return shuffled(deck, draws);
}

function shuffled<T>(items: readonly T[], draws: Draws): T[] {
  const draw = draws("shuffle");
  return items.map((item) => ({ item, rank: draw.unit() }))
    .toSorted((a, b) => a.rank - b.rank).map(({ item }) => item);
}
