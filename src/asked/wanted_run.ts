/** A trigger or a backfill under way: which of its fires go out in one step, and what ends it. Pure. */

import { fitting } from "../core/chain.ts";
import type { ReadyTask } from "../core/roster.ts";
import { MessageError } from "../errors.ts";
import type { RequestOf } from "../request.ts";
import type { Answer, Counter, Sheet } from "./clerk.ts";
import { answer, backfillFire, isUnderWay, triggerFire } from "./clerk.ts";

/** Fires go out one by one up to this rate, and a few at a time above it. A second. */
const SLICES_MAX = 50;

export interface Run {
  readonly request: RequestOf<"trigger"> | RequestOf<"backfill">;
  readonly perSlice: number;
  /** Between two slices. Milliseconds. */
  readonly sliceMs: number;
  /** When the next slice may go out. Monotonic milliseconds. */
  nextMs: number;
}

export function runOf(request: Run["request"], nowMs: number): Run {
  const rate = request.kind === "trigger" ? 1 : request.rate;
  const perSlice = Math.max(1, Math.ceil(rate / SLICES_MAX));
  return { request, perSlice, sliceMs: perSlice * 1_000 / rate, nextMs: nowMs };
}

/**
 * Adds the next fires to the sheet, or the end of the request. The end of a backfill is written when
 * its fires are there: who reads the journal after it has them.
 */
export function sliceOf(sheet: Sheet, counter: Counter, { request, perSlice }: Run): void {
  const { task } = request;
  const ready = counter.roster.get(task);
  const { settled, published } = sheet.slot;
  if (ready === undefined) {
    const reason = `the leader's schedule has no task ${task} any more`;
    return answer(sheet, counter, task, { result: "refused", reason, published });
  }
  if (request.kind === "trigger") {
    const problem = settled === 0 ? fireOrProblem(sheet, counter, ready, request) : null;
    if (problem !== null) return answer(sheet, counter, task, problem);
    return answer(sheet, counter, task, { result: "done", published: sheet.slot.published });
  }
  const { fires } = request;
  let at = settled;
  const most = Math.min(perSlice, fitting(ready));
  for (let sent = 0; at < fires.length && sent < most; at++) {
    if (isUnderWay(counter, task, fires[at]!)) continue;
    backfillFire(sheet, counter, ready, { request, at });
    sent++;
  }
  if (sheet.steps.length > 0) return;
  const passed = fires.length - sheet.slot.published;
  answer(sheet, counter, task, {
    ...{ result: "done", published: sheet.slot.published },
    ...(passed === 0 ? {} : { passed }),
  });
}

/** The schedule may have changed since the request was accepted; that must end no leader. */
function fireOrProblem(
  sheet: Sheet,
  counter: Counter,
  ready: ReadyTask,
  request: RequestOf<"trigger">,
): Answer | null {
  try {
    triggerFire(sheet, counter, ready, request);
    return null;
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
    return { result: "refused", reason: error.message };
  }
}
