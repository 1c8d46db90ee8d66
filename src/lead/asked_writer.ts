/** Writes what requests come to, and keeps the world in step with it although a reply may be lost. */

import type { Counter, Sheet } from "../asked/clerk.ts";
import { answer, sheetOf } from "../asked/clerk.ts";
import { slotAt } from "../asked/ring.ts";
import type { ServerClock } from "../clock.ts";
import type { Term } from "../core/chain.ts";
import type { Tick } from "../core/tick.ts";
import { cursorText } from "../core/world.ts";
import type { Step } from "../ports.ts";
import type { History } from "./history.ts";

export interface AskedWriter {
  /** Where requests are decided now. */
  counter(now: Tick): Counter;
  /**
   * @param steps those of the sheet, and what goes with them
   * @returns whether the sheet is written as a whole
   * @throws {JournalUnavailableError} whether it is written is not known: sent again, a step that is
   *   there already answers so, and the world is read again
   */
  commit(now: Tick, sheet: Sheet, steps: readonly Step[]): Promise<boolean>;
  /** Somebody newer leads. */
  readonly isFenced: boolean;
}

export interface AskedWriterParts {
  readonly server: ServerClock;
  readonly history: Pick<History, "lastId">;
  readonly term: Term;
  readonly origin: string;
}

export function askedWriter({ server, history, term, origin }: AskedWriterParts): AskedWriter {
  let isFenced = false;

  function counter({ world, roster }: Tick): Counter {
    const newestId = history.lastId;
    return { world, roster, term, origin, nowMs: server.nowMs(), newestId };
  }

  async function commit(now: Tick, { cursor, text }: Sheet, steps: readonly Step[]) {
    const tally = await now.committer.commitAll([steps], term.fence);
    isFenced ||= tally.isFenced;
    const isWritten = !isFenced && cursorText(now.world, cursor) === text;
    if (!isWritten && tally.wrongType.has(cursor)) await giveUp(now, cursor);
    return isWritten;
  }

  /** Its fire was refused; what came before it stands. */
  async function giveUp(now: Tick, cursor: string): Promise<void> {
    const slot = slotAt(now.world.cursors, cursor);
    if (slot?.state !== "taken") return;
    const sheet = sheetOf(now.world, cursor, slot);
    const reason = "the key of its queue is not a list; move that key and ask again" +
      (slot.published === 0 ? "" : " for the rest, under another id");
    answer(sheet, counter(now), null, { result: "refused", reason, published: slot.published });
    await commit(now, sheet, sheet.steps);
  }

  return {
    counter,
    commit,
    get isFenced() {
      return isFenced;
    },
  };
}
