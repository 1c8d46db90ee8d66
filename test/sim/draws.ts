/**
 * Chance, from the seed alone. Each draw is keyed by what it is for, whom it is about and how many went
 * before: leaving a fault out of a plan does not move what the others draw.
 */

/** A source of numbers of one purpose and one entity. */
export interface Draw {
  /** In [0, 1). */
  unit(): number;
  /** A whole number in [0, `count`). */
  below(count: number): number;
  /** A whole number in [`min`, `max`]. */
  between(min: number, max: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
}

export type Draws = (purpose: string, entity?: string | number) => Draw;

export function drawsOf(seed: number): Draws {
  const known = new Map<string, Draw>();
  return (purpose, entity = "") => {
    const key = `${purpose}/${entity}`;
    let draw = known.get(key);
    if (draw === undefined) known.set(key, draw = drawOf(hash(`${seed}/${key}`)));
    return draw;
  };
}

function drawOf(base: number): Draw {
  let counter = 0;
  const unit = () => {
    const high = mix(base + Math.imul(++counter, 0x9e3779b9));
    return (high >>> 0) / 0x1_0000_0000;
  };
  const below = (count: number) => Math.floor(unit() * count);
  return {
    unit,
    below,
    between: (min, max) => min + below(max - min + 1),
    chance: (probability) => unit() < probability,
    pick: (items) => items[below(items.length)]!,
  };
}

/** 32 bits of a text. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return mix(value);
}

/** The finalizer of MurmurHash3: each bit of the input moves every bit of the output. */
export function mix(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}
