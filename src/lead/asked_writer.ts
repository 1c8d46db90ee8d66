/** Writes what requests come to, and keeps the world in step with it although a reply may be lost. */

import type { Counter, Sheet } from "../asked/clerk.ts";
import { answer, sheetOf } from "../asked/clerk.ts";
import { slotAt } from "../asked/ring.ts";
import type { ServerClock } from "../clock.ts";
import type { Term } from "../core/chain.ts";
import type { Tick } from "../core/tick.ts";
import { applyReload, cursorText } from "../core/world.ts";
import { openKey } from "../cursor.ts";
import type { Journal, Step } from "../ports.ts";

export interface AskedWriter {
  /** Where requests are decided now. */
  counter(now: Tick): Counter;
  /**
   * @param steps those of the sheet, and what goes with them
   * @returns whether the sheet is written as a whole
   * @throws {JournalUnavailableError} call `makeSure` before anything else
   */
  commit(now: Tick, sheet: Sheet, steps: readonly Step[]): Promise<boolean>;
  /** Reads again what a lost reply left open. @throws {JournalUnavailableError} */
  makeSure(now: Tick): Promise<void>;
  /** Somebody newer leads. */
  readonly isFenced: boolean;
}

export interface WriterParts {
  readonly journal: Pick<Journal, "reload">;
  readonly server: ServerClock;
  readonly term: Term;
  readonly origin: string;
}

export function askedWriter({ journal, server, term, origin }: WriterParts): AskedWriter {
  let unsure: readonly Step[] = [];
  let isFenced = false;

  function counter({ world, roster }: Tick): Counter {
    return { world, roster, term, origin, nowMs: server.nowMs() };
  }

  async function commit(now: Tick, { cursor, text }: Sheet, steps: readonly Step[]) {
    unsure = steps;
    const tally = await now.committer.commitAll([steps], term.fence);
    unsure = [];
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
    const reason = "the key of its queue is not a list; move that key and ask again";
    answer(sheet, counter(now), null, { result: "refused", reason, published: slot.published });
    await commit(now, sheet, sheet.steps);
  }

  return {
    counter,
    commit,
    async makeSure({ world }) {
      if (unsure.length === 0) return;
      const tasks = [...new Set(unsure.map(({ task }) => task))];
      const openIds = unsure.flatMap(({ publish }) =>
        publish === null ? [] : [openKey(publish.open)]
      );
      applyReload(world, { tasks, openIds }, await journal.reload(tasks, openIds));
      unsure = [];
    },
    get isFenced() {
      return isFenced;
    },
  };
}
