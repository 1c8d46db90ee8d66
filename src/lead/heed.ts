/**
 * Carries out what people ask for, beside the ticks: looks at the stream of requests a few times a
 * second, takes each up once, and sends the fires of backfills at their rate. What a request writes
 * moves its own cursor, so that sending it again changes nothing; a reply that is lost costs a look, or
 * the term where it was about a pause: what is decided next depends on it.
 */

import type { TermInput } from "../../machines/supervisor.ts";
import { answer, sheetOf } from "../asked/clerk.ts";
import type { Slot } from "../asked/ring.ts";
import { ringOf, slotAt, takenSlots } from "../asked/ring.ts";
import type { Run } from "../asked/wanted_run.ts";
import { runOf, sliceOf } from "../asked/wanted_run.ts";
import type { Tick } from "../core/tick.ts";
import { JournalUnavailableError } from "../errors.ts";
import type { Requests } from "../request.ts";
import { decodeRequest } from "../request.ts";
import type { AskedWriterParts } from "./asked_writer.ts";
import { askedWriter } from "./asked_writer.ts";
import type { Looks } from "./looks.ts";
import { LOOKS } from "./looks.ts";
import type { Office } from "./office.ts";
import { alone, endUnsure, sayRefused, termOf } from "./office.ts";
import type { TakerParts } from "./take_up.ts";
import { DEFECT, defectText, takerOf } from "./take_up.ts";

/** After a failure. Milliseconds. */
const AWAY_MS = 1_000;
/** Entries taken up in one look. */
const ENTRIES_MAX = 50;

export interface HeedParts extends AskedWriterParts, TakerParts {
  readonly requests: Requests;
  /** @default LOOKS */
  readonly looks?: Looks;
  /** What the term ticks with now; `null` once it has ended. */
  now(): Tick | null;
}

/** Carries out what people ask of a replica in office until `signal` is aborted. */
export async function heedAsked(
  office: Office,
  input: TermInput,
  signal: AbortSignal,
  onFenced: () => void,
): Promise<void> {
  const { parts } = office;
  if (parts.asking === undefined) return;
  const heeding: HeedParts = {
    ...{ ...parts, ...parts.asking, term: termOf(office, input) },
    history: office.history,
    now: () => office.now,
    alone: (work) => alone(office, work),
    unsure: () => endUnsure(office, onFenced),
  };
  await heed(heeding, signal, () => {
    sayRefused(office, input);
    onFenced();
  });
}

/** Until `signal` is aborted, or somebody newer leads: then calls `onFenced`. */
export async function heed(
  parts: HeedParts,
  signal: AbortSignal,
  onFenced: () => void,
): Promise<void> {
  const desk = deskOf(parts);
  const { clock, log } = parts;
  const looks = parts.looks ?? LOOKS;
  let lookMs = 0;
  let isTold = false;
  while (!signal.aborted && parts.now() !== null) {
    try {
      if (clock.monotonicMs() >= lookMs) {
        await desk.look();
        lookMs = clock.monotonicMs() + looks.requestsMs;
      }
      await desk.goOn();
      if (desk.isFenced) return onFenced();
      if (isTold) log.info("what people ask for is taken up again");
      isTold = false;
    } catch (error) {
      if (!(error instanceof JournalUnavailableError)) throw error;
      if (!isTold) log.warn("what people ask for must wait", { err: error });
      isTold = true;
      lookMs = clock.monotonicMs() + AWAY_MS;
      await clock.sleep(AWAY_MS, signal);
      continue;
    }
    const nextMs = Math.min(lookMs, desk.nextMs());
    await clock.sleep(Math.max(1, nextMs - clock.monotonicMs()), signal);
  }
}

/** What is known of the requests of one term. */
function deskOf(parts: HeedParts) {
  const { requests, clock, log } = parts;
  const writer = askedWriter(parts);
  const { counter, commit } = writer;
  const runs = new Map<string, Run>();
  const takeUp = takerOf(parts, writer, runs);

  /** Takes up what a term of before has begun, and what was begun and not written. */
  async function adopt(now: Tick): Promise<void> {
    for (const [cursor, slot] of takenSlots(ringOf(now.world.cursors))) {
      if (runs.has(cursor)) continue;
      const entry = await requests.at(slot.entryId);
      const decoded = entry === null ? null : decodeRequest(entry);
      const request = decoded !== null && "request" in decoded ? decoded.request : null;
      if (request?.kind === "trigger" || request?.kind === "backfill") {
        runs.set(cursor, runOf(request, clock.monotonicMs()));
        continue;
      }
      const sheet = sheetOf(now.world, cursor, slot);
      const reason = "its entry in the stream is gone";
      answer(sheet, counter(now), null, { result: "refused", reason, published: slot.published });
      await commit(now, sheet, sheet.steps);
    }
  }

  async function sliceOrRefuse(now: Tick, cursor: string, run: Run) {
    const begin = () => sheetOf(now.world, cursor, slotAt(now.world.cursors, cursor)!);
    let sheet = begin();
    try {
      sliceOf(sheet, counter(now), run);
      return { sheet, isWritten: await commit(now, sheet, sheet.steps) };
    } catch (error) {
      if (error instanceof JournalUnavailableError) throw error;
      sheet = begin();
      const { requestId: request, published } = sheet.slot;
      log.error(DEFECT, { request, err: error });
      const reason = defectText(error);
      answer(sheet, counter(now), run.request.task, { result: "refused", reason, published });
      return { sheet, isWritten: await commit(now, sheet, sheet.steps) };
    }
  }

  return {
    get isFenced() {
      return writer.isFenced;
    },
    /** When a backfill goes on. Monotonic milliseconds. */
    nextMs: () => Math.min(Infinity, ...[...runs.values()].map((run) => run.nextMs)),
    async look(): Promise<void> {
      let now = parts.now();
      if (now === null) return;
      await adopt(now);
      const entries = await requests.after(ringOf(now.world.cursors).lastId, ENTRIES_MAX);
      for (const entry of entries) {
        now = parts.now();
        if (now === null || writer.isFenced) return;
        if (!await takeUp(now, entry)) return;
      }
    },
    async goOn(): Promise<void> {
      for (const [cursor, run] of runs) {
        const now = parts.now();
        if (now === null || writer.isFenced) return;
        if (clock.monotonicMs() < run.nextMs) continue;
        const slot = slotAt(now.world.cursors, cursor);
        if (slot?.state !== "taken") {
          runs.delete(cursor);
          continue;
        }
        const { sheet, isWritten } = await sliceOrRefuse(now, cursor, run);
        run.nextMs = isWritten && isSent(run, sheet.slot)
          ? clock.monotonicMs()
          : Math.max(clock.monotonicMs(), run.nextMs + run.sliceMs);
        if (!isWritten || sheet.slot.state === "taken") continue;
        runs.delete(cursor);
        const { requestId, published } = sheet.slot;
        const { task } = run.request;
        log.info("done what was asked", { request: requestId, task, published });
      }
    },
  };
}

/** Whether every fire of a backfill is written: its end need not wait for its rate. */
function isSent({ request }: Run, { settled }: Slot): boolean {
  return request.kind === "backfill" && settled >= request.fires.length;
}
