/** Pages of the stream that are asked for one after the other, while rows may be cut off at its beginning. */

import type { Entry } from "./entry_parser.ts";

/**
 * For pages each of which is asked for from the last entry of the one before: that comes again, unless
 * it was cut off since.
 *
 * @param onMoved called where it was
 * @returns what takes each page, in order, and gives what is new of it
 */
export function seam(onMoved: () => void = () => {}): (page: readonly Entry[]) => readonly Entry[] {
  let lastId: string | null = null;
  return (page) => {
    const isRepeated = lastId !== null && page[0]?.[0] === lastId;
    if (lastId !== null && !isRepeated) onMoved();
    lastId = page.at(-1)?.[0] ?? lastId;
    return isRepeated ? page.slice(1) : page;
  };
}
