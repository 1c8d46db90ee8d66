/** Small sets of whole numbers from 0 to 59, as two words of bits: no question loops over values. */

/** `low` has the members 0 to 29, `high` those from 30 to 59. */
export interface Bits {
  readonly low: number;
  readonly high: number;
  /** How many members there are. */
  readonly size: number;
}

const HALF = 30;

export function bitsOf(values: Iterable<number>): Bits {
  let low = 0;
  let high = 0;
  for (const value of values) {
    if (value < HALF) low |= 1 << value;
    else high |= 1 << (value - HALF);
  }
  return { low, high, size: populationOf(low) + populationOf(high) };
}

/** The smallest member that is at least `from` (0 to 60), or -1. */
export function nextBit({ low, high }: Bits, from: number): number {
  if (from < HALF) {
    const rest = low & (-1 << from);
    if (rest !== 0) return lowestBit(rest);
    return high === 0 ? -1 : HALF + lowestBit(high);
  }
  const rest = high & (-1 << (from - HALF));
  return rest === 0 ? -1 : HALF + lowestBit(rest);
}

/** The greatest member that is at most `to` (-1 to 59), or -1. */
export function previousBit({ low, high }: Bits, to: number): number {
  if (to >= HALF) {
    const rest = high & ~(-2 << (to - HALF));
    if (rest !== 0) return HALF + highestBit(rest);
    return highestBit(low);
  }
  return to < 0 ? -1 : highestBit(low & ~(-2 << to));
}

/** How many members are below `end` (0 to 60). */
export function countBelow({ low, high }: Bits, end: number): number {
  if (end < HALF) return populationOf(low & ~(-1 << end));
  return populationOf(low) + populationOf(high & ~(-1 << (end - HALF)));
}

export function hasBit({ low, high }: Bits, value: number): boolean {
  return value < HALF ? (low >> value & 1) === 1 : (high >> (value - HALF) & 1) === 1;
}

/** The place of the lowest bit of a word that is not 0. */
export function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** The place of the highest bit of a word, or -1 for 0. */
export function highestBit(word: number): number {
  return 31 - Math.clz32(word);
}

/** How many bits of a word are set. */
export function populationOf(word: number): number {
  let count = word - ((word >>> 1) & 0x55555555);
  count = (count & 0x33333333) + ((count >>> 2) & 0x33333333);
  return Math.imul((count + (count >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
