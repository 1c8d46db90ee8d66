/** When to look at which fire: pages of a second each. Putting and dropping cost the same at any size. */

/** What stands in the book knows its page; 0 for none. */
export interface Booked {
  page: number;
}

const PAGE_MS = 1_000;

/** A clock that goes back by more than so many pages was set; by less, it is better known now. */
const BACK_MIN = 2;

export function lookBook<T extends Booked>() {
  const pages = new Map<number, Set<T>>();
  /** Pages up to here have been taken out; what is put on them goes on the next. */
  let takenPage = 0;

  function drop(item: T): void {
    if (item.page === 0) return;
    const page = pages.get(item.page);
    if (page?.delete(item) && page.size === 0) pages.delete(item.page);
    item.page = 0;
  }

  function enter(item: T, number: number): void {
    item.page = number;
    const page = pages.get(number);
    if (page === undefined) pages.set(number, new Set([item]));
    else page.add(item);
  }

  /** What was to be looked at so long from now still is: too early does no harm, and too late would. */
  function turnBack(by: number): void {
    const turned = [...pages];
    pages.clear();
    for (const [number, items] of turned) {
      for (const item of items) enter(item, Math.max(1, number - by));
    }
    takenPage -= by;
  }

  return {
    /** Puts `item` on the page of `atMs`, and off the one that it stood on. */
    put(item: T, atMs: number): void {
      drop(item);
      enter(item, Math.max(takenPage + 1, Math.ceil(atMs / PAGE_MS)));
    },
    drop,
    /** Takes out what stands on the pages up to now, `limit` at most, earliest first. */
    takeDue(nowMs: number, limit: number): T[] {
      const due: T[] = [];
      const nowPage = Math.floor(nowMs / PAGE_MS);
      if (nowPage < takenPage - BACK_MIN) turnBack(takenPage - nowPage);
      for (const number of pagesUntil(nowPage)) {
        for (const item of pages.get(number) ?? []) {
          if (due.length >= limit) return due;
          drop(item);
          due.push(item);
        }
        takenPage = Math.max(takenPage, number);
      }
      takenPage = Math.max(takenPage, nowPage);
      return due;
    },
  };

  /** There are at most as many pages as seconds until the last deadline; usually a few dozen. */
  function pagesUntil(nowPage: number): number[] {
    return [...pages.keys()].filter((page) => page <= nowPage).sort((a, b) => a - b);
  }
}
