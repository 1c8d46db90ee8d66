/**
 * Carries out what people ask for, beside the ticks: looks at the stream of requests a few times a
 * second, takes each up once, and sends the fires of backfills at their rate. What a request writes
 * moves its own cursor, so that sending it again changes nothing; a reply that is lost costs a look.
 */

import type { TermInput } from "../../machines/supervisor.ts";
import type { Tick } from "../core/tick.ts";
import { JournalUnavailableError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Clock, Requests } from "../ports.ts";
import type { Request, RequestEntry, RequestOf } from "../request.ts";
import { decodeRequest } from "../request.ts";
import type { Sheet } from "../asked/clerk.ts";
import { accept, answer, newSlot, refusal, sheetOf } from "../asked/clerk.ts";
import type { WriterParts } from "./asked_writer.ts";
import { askedWriter } from "./asked_writer.ts";
import type { Looks } from "./looks.ts";
import { LOOKS } from "./looks.ts";
import type { Office } from "./office.ts";
import { alone, sayRefused, termOf } from "./office.ts";
import { pauseOrder, resumeOrder } from "../asked/orders.ts";
import type { Ring } from "../asked/ring.ts";
import { ringOf, slotAt, slotOf, takenSlots } from "../asked/ring.ts";
import type { Run } from "../asked/wanted_run.ts";
import { runOf, sliceOf } from "../asked/wanted_run.ts";

/** After a failure. Milliseconds. */
const AWAY_MS = 1_000;
/** Entries taken up in one look. */
const ENTRIES_MAX = 50;
/** Backfills that go on at the same time. */
const RUNS_MAX = 20;

export interface HeedParts extends WriterParts {
  readonly requests: Requests;
  readonly clock: Clock;
  readonly log: Log;
  /** @default LOOKS */
  readonly looks?: Looks;
  /** What the term ticks with now; `null` once it has ended. */
  now(): Tick | null;
  /** Does a piece of work while no tick is under way. */
  alone<T>(work: () => Promise<T>): Promise<T>;
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
    now: () => office.now,
    alone: (work) => alone(office, work),
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
  const { counter, commit, makeSure } = writer;
  const runs = new Map<string, Run>();

  /** @returns whether it is written, so that the next one may be looked at */
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

  /** What nobody has thought of must not end one leader after the other. */
  async function takeUpOrRefuse(now: Tick, entry: RequestEntry): Promise<boolean> {
    const ring = ringOf(now.world.cursors);
    try {
      return await takeUp(now, ring, entry);
    } catch (error) {
      if (error instanceof JournalUnavailableError) throw error;
      log.error("a defect: a request is refused for it", { entry: entry.id, err: error });
      const slot = newSlot(entry, ring.next.number, idOf(entry));
      const sheet = sheetOf(now.world, ring.next.cursor, slot);
      const reason = `a defect of Beat's: ${error instanceof Error ? error.message : error}`;
      answer(sheet, counter(now), null, { result: "refused", reason });
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
      return await commit(now, sheet, steps);
    });
  }

  async function begin(
    now: Tick,
    sheet: Sheet,
    request: RequestOf<"trigger"> | RequestOf<"backfill">,
  ): Promise<boolean> {
    const at = counter(now);
    const { cursor, slot } = sheet;
    const reason = refusal(at, request, slot.entryId) ?? tooMany(request);
    if (reason !== null) {
      answer(sheet, at, request.task, { result: "refused", reason });
      return await commit(now, sheet, sheet.steps);
    }
    accept(sheet, at, request);
    const run = runOf(request, clock.monotonicMs());
    if (request.kind === "trigger") sliceOf(sheet, at, run);
    else runs.set(cursor, run);
    return await commit(now, sheet, sheet.steps);
  }

  function tooMany(request: Request): string | null {
    if (request.kind !== "backfill") return null;
    const other = [...runs.values()].find((run) => run.request.task === request.task);
    if (other !== undefined) {
      return `${other.request.id} of the same task goes on; wait for its end`;
    }
    return runs.size < RUNS_MAX ? null : `${RUNS_MAX} backfills go on; wait for the end of one`;
  }

  /** Takes up what a term of before has begun, and what was begun and not written. */
  async function adopt(now: Tick): Promise<void> {
    const taken = new Map(takenSlots(ringOf(now.world.cursors)));
    for (const cursor of runs.keys()) if (!taken.has(cursor)) runs.delete(cursor);
    for (const [cursor, slot] of taken) {
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

  return {
    get isFenced() {
      return writer.isFenced;
    },
    /** When a backfill goes on. Monotonic milliseconds. */
    nextMs: () => Math.min(Infinity, ...[...runs.values()].map((run) => run.nextMs)),
    async look(): Promise<void> {
      let now = parts.now();
      if (now === null) return;
      await makeSure(now);
      await adopt(now);
      const entries = await requests.after(ringOf(now.world.cursors).lastId, ENTRIES_MAX);
      for (const entry of entries) {
        now = parts.now();
        if (now === null || writer.isFenced) return;
        if (!await takeUpOrRefuse(now, entry)) return;
      }
    },
    async goOn(): Promise<void> {
      for (const [cursor, run] of runs) {
        const now = parts.now();
        if (now === null || writer.isFenced) return;
        if (clock.monotonicMs() < run.nextMs) continue;
        await makeSure(now);
        const slot = slotAt(now.world.cursors, cursor);
        if (slot?.state !== "taken") {
          runs.delete(cursor);
          continue;
        }
        const sheet = sheetOf(now.world, cursor, slot);
        sliceOf(sheet, counter(now), run);
        const isWritten = await commit(now, sheet, sheet.steps);
        run.nextMs = Math.max(clock.monotonicMs(), run.nextMs + run.sliceMs);
        if (!isWritten || sheet.slot.state === "taken") continue;
        runs.delete(cursor);
        const { requestId, published } = sheet.slot;
        log.info("done what was asked", { request: requestId, task: run.request.task, published });
      }
    },
  };
}

/** What a request calls itself; where it has no name, after its entry. */
function idOf(entry: RequestEntry): string {
  const decoded = decodeRequest(entry);
  return "request" in decoded ? decoded.request.id : decoded.id ?? `entry:${entry.id}`;
}
