/** Takes up one request after the other: what it is, whether it may be, and what is written of it. */

import type { Counter, Sheet } from "../asked/clerk.ts";
import { accept, answer, newSlot, refusal, sheetOf } from "../asked/clerk.ts";
import { pauseOrder, resumeOrder } from "../asked/orders.ts";
import type { Ring } from "../asked/ring.ts";
import { ringOf, slotOf } from "../asked/ring.ts";
import type { Run } from "../asked/wanted_run.ts";
import { runOf, sliceOf } from "../asked/wanted_run.ts";
import { isRefusal } from "../core/commit.ts";
import type { Tick } from "../core/tick.ts";
import { JournalUnavailableError } from "../errors.ts";
import { compareIds, NO_ID } from "../event.ts";
import type { Log } from "../log.ts";
import type { Clock } from "../ports.ts";
import type { Request, RequestEntry, RequestOf } from "../request.ts";
import { decodeRequest } from "../request.ts";
import type { AskedWriter } from "./asked_writer.ts";

/** Backfills that go on at the same time. */
const RUNS_MAX = 20;

export interface TakerParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Does a piece of work while no tick is under way. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** Ends the term before another tick: an order may stand that its world does not know. */
  unsure(): void;
}

/**
 * Resolves with whether the request is written, so that the next one may be looked at.
 * @throws {JournalUnavailableError} the same entry may be taken up again
 */
export type Taker = (now: Tick, entry: RequestEntry) => Promise<boolean>;

/** @param runs the backfills that go on, by the cursor of each; gets those that begin */
export function takerOf(
  parts: TakerParts,
  { counter, commit }: AskedWriter,
  runs: Map<string, Run>,
): Taker {
  const { clock, log } = parts;

  async function takeUp(now: Tick, ring: Ring, entry: RequestEntry): Promise<boolean> {
    const decoded = decodeRequest(entry);
    const { cursor, number } = ring.next;
    const id = idOf(entry);
    const sheet = sheetOf(now.world, cursor, newSlot(entry, number, id));
    if ("problem" in decoded) {
      const reason = `it cannot be read: ${decoded.problem}`;
      answer(sheet, counter(now), null, { result: "refused", reason });
      log.warn("a request cannot be read", { entry: entry.id, problem: decoded.problem });
      return await commit(now, sheet, sheet.steps);
    }
    const { request } = decoded;
    const { kind, task, who, note } = request;
    const known = slotOf(ring, id);
    if (known?.state === "refused") {
      const reason =
        `${known.published} of its fires went out before it was refused; ask for the ` +
        "rest under another id";
      answer(sheet, counter(now), task, { result: "refused", reason });
      return await commit(now, sheet, sheet.steps);
    }
    if (known !== null) {
      const reason = known.state === "taken" ? "it goes on" : "it was done before";
      const first = known.state === "repeated" ? {} : { firstId: known.entryId };
      answer(sheet, counter(now), task, { result: "repeated", reason, ...first });
      return await commit(now, sheet, sheet.steps);
    }
    log.info("asked", { request: id, kind, task: task ?? "all", who, note });
    if (kind === "pause" || kind === "resume") return await order(now, sheet, request);
    return await begin(now, sheet, request);
  }

  async function takeUpOrRefuse(now: Tick, entry: RequestEntry): Promise<boolean> {
    const ring = ringOf(now.world.cursors);
    try {
      return await takeUp(now, ring, entry);
    } catch (error) {
      if (error instanceof JournalUnavailableError) throw error;
      log.error(DEFECT, { entry: entry.id, err: error });
      const slot = newSlot(entry, ring.next.number, idOf(entry));
      const sheet = sheetOf(now.world, ring.next.cursor, slot);
      answer(sheet, counter(now), null, { result: "refused", reason: defectText(error) });
      return await commit(now, sheet, sheet.steps);
    }
  }

  /** Alone: what is planned before it stands is sent before it. */
  function order(now: Tick, sheet: Sheet, request: RequestOf<"pause"> | RequestOf<"resume">) {
    return parts.alone(async () => {
      const at = counter(now);
      const ordered = request.kind === "pause" ? pauseOrder(at, request) : resumeOrder(at, request);
      answer(sheet, at, request.task, ordered.answer);
      const steps = [...(ordered.step === null ? [] : [ordered.step]), ...sheet.steps];
      try {
        return await commit(now, sheet, steps);
      } catch (error) {
        if (!isRefusal(error) && ordered.step !== null) parts.unsure();
        throw error;
      }
    });
  }

  async function begin(
    now: Tick,
    sheet: Sheet,
    request: RequestOf<"trigger"> | RequestOf<"backfill">,
  ): Promise<boolean> {
    const at = counter(now);
    const { cursor, slot } = sheet;
    const reason = refusal(at, request, slot.entryId) ?? inTheWay(at, request, slot.entryId);
    if (reason !== null) {
      answer(sheet, at, request.task, { result: "refused", reason });
      return await commit(now, sheet, sheet.steps);
    }
    accept(sheet, at, request);
    const run = runOf(request, clock.monotonicMs());
    if (request.kind === "trigger") sliceOf(sheet, at, run);
    const isWritten = await commit(now, sheet, sheet.steps);
    // Before it is, it would stand in its own way when it is taken up again.
    if (isWritten && request.kind === "backfill") runs.set(cursor, run);
    return isWritten;
  }

  /** What is to go out was worked out from a journal that may not have had what another one sent. */
  function inTheWay({ world }: Counter, request: Request, entryId: string): string | null {
    if (request.kind !== "backfill") return null;
    // Its entry's time, where it does not say: both are of the same clock.
    const { readId = entryId } = request;
    const own = [...ringOf(world.cursors).slots.values()].filter(({ backfill }) =>
      backfill?.task === request.task
    );
    const goingOn = own.find(({ state }) => state === "taken");
    if (goingOn !== undefined) {
      return `${goingOn.requestId} of the same task goes on; wait for its end`;
    }
    const isUnread = own.some(({ backfill }) => compareIds(readId, backfill?.endedId ?? NO_ID) < 0);
    if (isUnread) {
      return "another one of the same task went on when it was worked out; ask again, and what ran is " +
        "left out";
    }
    return runs.size < RUNS_MAX ? null : `${RUNS_MAX} backfills go on; wait for the end of one`;
  }

  return takeUpOrRefuse;
}

/** What nobody has thought of must not end one leader after the other: the request is refused for it. */
export const DEFECT = "a defect: a request is refused for it";

export function defectText(error: unknown): string {
  return `a defect of Beat's: ${error instanceof Error ? error.message : error}`;
}

/** What a request calls itself; where it has no name, after its entry. */
function idOf(entry: RequestEntry): string {
  const decoded = decodeRequest(entry);
  return "request" in decoded ? decoded.request.id : decoded.id ?? `entry:${entry.id}`;
}
