/** Which term wrote which rows: each begins with a row of its own, and a later one ends all before it. */

import type { JournalRow } from "../event.ts";
import { compareIds, millisecondsOf, NO_ID, rowOf } from "../event.ts";

/** Rows that one history had and the next has not; times of their ids. Unix milliseconds. */
export interface Loss {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Terms {
  /** @returns what is wrong with the row as one of its term, or `null` */
  take(row: JournalRow): string | null;
  /** Of the term in office; `null` before the first row. */
  readonly fence: number | null;
  /** Rows of the term's own cursor so far, and whether one of them ended it. */
  readonly told: { readonly count: number; readonly isEnded: boolean };
  /** Rows of reloads so far, and the text of the last. */
  readonly controls: number;
  readonly lastControl: string;
  /** The last cut of the history that was told. */
  readonly loss: Loss | null;
  /** All that were told since {@link KeptTerms}: what one took may be decided anew after the next. */
  readonly losses: readonly Loss[];
  /** No row was ever before the first: a namespace begins with a term. */
  readonly isWhole: boolean;
}

/** What is to be known of the terms before a row, to go on from there. */
export type KeptTerms = Omit<Terms, "take" | "losses">;

/**
 * @param isTrimmed rows before the first are known to be gone
 * @param seed what came before the first row; `null` where that is not known, or nothing
 */
export function termsOf(isTrimmed: boolean, seed: KeptTerms | null = null): Terms {
  let fence = seed?.fence ?? null;
  let told = seed?.told ?? { count: 0, isEnded: false };
  let controls = seed?.controls ?? 0;
  let lastControl = seed?.lastControl ?? "";
  const losses: Loss[] = seed?.loss == null ? [] : [seed.loss];
  let isWhole = seed?.isWhole ?? false;
  let isLossTold = false;
  /** Cuts are told in their order, and none reaches into the next. */
  let toldToId = NO_ID;

  function begin(row: JournalRow, count: number): void {
    fence = row.fence;
    told = { count, isEnded: false };
    isLossTold = false;
    toldToId = NO_ID;
  }

  function start(row: JournalRow): string | null {
    if (fence !== null && row.fence <= fence) return "its term had begun before";
    if (fence === null) isWhole = !isTrimmed;
    begin(row, 1);
    return rowOf(row, "term.started") === null ? "its fields cannot be read" : null;
  }

  /** Anything but the start of a term. */
  function within(row: JournalRow): string | null {
    if (fence === null || row.fence > fence) {
      const isFirst = fence === null;
      begin(row, 0);
      return isFirst ? null : "no row begins its term";
    }
    return row.fence < fence ? "its term had ended" : null;
  }

  function ofTerm(row: JournalRow): string | null {
    if (row.type === "term.ended") {
      if (told.isEnded) return "its term had ended";
      told = { ...told, isEnded: true };
      return null;
    }
    if (row.type === "term.history_lost") {
      if (isLossTold) return "its term had told it before";
      isLossTold = true;
      return null;
    }
    const cut = rowOf(row, "term.history_shortened");
    if (cut === null) return null;
    told = { ...told, count: told.count + 1 };
    const { fromId, toId } = cut.detail;
    if (compareIds(fromId, toldToId) < 0) return "its term had told it before";
    toldToId = toId;
    losses.push({ fromMs: millisecondsOf(fromId), toMs: millisecondsOf(toId) });
    return null;
  }

  function control(row: JournalRow): string | null {
    controls++;
    const text = `${row.type} ${row.decidedMs} ${JSON.stringify(row.detail)}`;
    const isAgain = text === lastControl;
    lastControl = text;
    return isAgain ? "the same was recorded before" : null;
  }

  return {
    losses,
    get fence() {
      return fence;
    },
    get told() {
      return told;
    },
    get controls() {
      return controls;
    },
    get lastControl() {
      return lastControl;
    },
    get loss() {
      return losses.at(-1) ?? null;
    },
    get isWhole() {
      return isWhole;
    },
    take(row) {
      if (row.type === "term.started") return start(row);
      // On the path of every row: nearly all are of the term in office, and about a fire.
      const problem = row.fence === fence ? null : within(row);
      if (row.task !== "" || problem !== null) return problem;
      if (row.type.startsWith("term.")) return ofTerm(row);
      return NUMBERED.has(row.type) ? control(row) : null;
    },
  };
}

/** The others are about requests, which have cursors of their own. */
const NUMBERED: ReadonlySet<string> = new Set(["control.reloaded", "control.reload_refused"]);
