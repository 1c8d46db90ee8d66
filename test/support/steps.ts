/** Steps and settlements with defaults, so that a test states only what matters. */

import type { OpenFire } from "../../src/open_fire.ts";
import { encodeCursor } from "../../src/cursor.ts";
import type { Row } from "../../src/event.ts";
import type { Settlement, Step } from "../../src/ports.ts";

const REVISION = "0123456789ab";
/** Long past, so that nothing due then is early. */
export const T0 = 1_700_000_000_000;

export function cursorAt(dueMs: number, revision: string = REVISION): string {
  return encodeCursor({ dueMs, revision });
}

export function openAt(dueMs: number, overrides: Partial<OpenFire> = {}): OpenFire {
  return {
    task: "report",
    dueMs,
    attempt: 0,
    list: "celery",
    fence: 1,
    publishedMs: dueMs + 5,
    expiresMs: dueMs + 60_005,
    takeByMs: dueMs + 30_005,
    takeWithinMs: 30_000,
    giveUpMs: dueMs + 600_005,
    state: "queued",
    isOverdue: false,
    redeliveries: 0,
    ...overrides,
  };
}

/** A fire of `task` at `dueMs`, after `afterMs` (`null`: its first), with a message that names it. */
export function publishStep(
  afterMs: number | null,
  dueMs: number,
  { task = "report", list = "celery", ...rest }: Partial<Step> & { list?: string } = {},
): Step {
  return {
    task,
    expect: afterMs === null ? "" : cursorAt(afterMs),
    next: cursorAt(dueMs),
    notBeforeMs: dueMs,
    row: { type: "fire.published", task, dueMs, decidedMs: dueMs + 5, detail: {} },
    publish: { message: `${task}@${dueMs}`, open: openAt(dueMs, { task, list }) },
    ...rest,
  };
}

/** A decision that publishes nothing. */
export function skipStep(afterMs: number | null, dueMs: number, rest: Partial<Step> = {}): Step {
  const task = rest.task ?? "report";
  const detail = { by: "calendar", reason: "closed" };
  const row: Row = { type: "fire.skipped", task, dueMs, decidedMs: dueMs + 5, detail };
  return { ...publishStep(afterMs, dueMs), row, publish: null, ...rest };
}

/** Closes `open` by an ack; with `remove`, by taking its message out. */
export function settlementOf(open: OpenFire, rest: Partial<Settlement> = {}): Settlement {
  const { task, dueMs } = open;
  const row: Row = {
    type: "fire.acked",
    task,
    dueMs,
    decidedMs: dueMs + 900,
    detail: { by: "result" },
  };
  return { open, next: null, rows: [row], remove: null, ...rest };
}
