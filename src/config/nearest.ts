/** What someone may have meant who wrote something that does not exist. */

import { distance } from "fastest-levenshtein";

/** More slips than this, and another word was meant. */
const SLIPS_MAX = 3;

/** `; did you mean X?` for the known word nearest to `text`, or nothing when none is near. */
export function nearest(text: string, known: readonly string[]): string {
  const word = nearestWord(text, known);
  return word === null ? "" : `; did you mean ${word}?`;
}

/** The known word nearest to `text`, or `null` when none is near: a third of its letters, or two. */
export function nearestWord(
  text: string,
  known: readonly string[],
  { slipsMost = SLIPS_MAX }: { slipsMost?: number } = {},
): string | null {
  const slipsMax = Math.min(
    slipsMost,
    text.length < 4 ? 1 : Math.max(2, Math.floor(text.length / 3)),
  );
  let best: string | null = null;
  let fewest = slipsMax + 1;
  for (const word of known) {
    const slips = distance(text.toLowerCase(), word.toLowerCase());
    if (slips < fewest) [best, fewest] = [word, slips];
  }
  return best;
}
