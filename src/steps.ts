/** What every journal holds its caller to, before anything is sent or written. */

import type { OpenFire } from "./cursor.ts";
import { lookMsOf, openKey } from "./cursor.ts";
import { invariant } from "./errors.ts";
import type { Row } from "./event.ts";
import { TASK_NAME } from "./fire.ts";
import type { Settlement, Step } from "./ports.ts";
import { BATCH_MAX } from "./ports.ts";

/** As `encodeCursor` writes it; another text could not be loaded again. */
const CURSOR = /^-?\d+ [^ ]+$/;

/**
 * A number that Redis would refuse in the middle of a script must not reach it, nor a text that no
 * later leader could load.
 */
export function checkSteps(steps: readonly Step[], fence: number): void {
  checkCall(steps.length, fence);
  for (const { task, expect, next, notBeforeMs, row, publish } of steps) {
    invariant(expect !== next, `expected the step of ${task} to move its cursor from "${expect}"`);
    invariant(
      next === "" || CURSOR.test(next),
      `expected the next cursor of ${task} to be "dueMs revision" or empty, got "${next}"`,
    );
    invariant(
      Number.isSafeInteger(notBeforeMs),
      `expected notBeforeMs of ${task} to be whole milliseconds, got ${notBeforeMs}`,
    );
    checkRow(row);
    if (publish !== null) checkOpen(publish.open);
  }
}

export function checkSettlements(settlements: readonly Settlement[], fence: number): void {
  checkCall(settlements.length, fence);
  for (const { open, next, rows } of settlements) {
    const key = openKey(open);
    invariant(rows.length > 0, `expected the settlement of ${key} to have a row`);
    rows.forEach(checkRow);
    if (next === null) continue;
    checkOpen(next);
    invariant(openKey(next) === key, `expected ${key} to stay the same, got ${openKey(next)}`);
  }
}

function checkCall(count: number, fence: number): void {
  invariant(count <= BATCH_MAX, `expected at most ${BATCH_MAX} in one call, got ${count}`);
  invariant(Number.isSafeInteger(fence), `expected the fence to be a whole number, got ${fence}`);
}

function checkRow({ type, task, dueMs, decidedMs }: Row): void {
  invariant(
    Number.isSafeInteger(decidedMs) && (dueMs === null || Number.isSafeInteger(dueMs)),
    `expected whole milliseconds in ${type} of "${task}", got due ${dueMs}, decided ${decidedMs}`,
  );
}

function checkOpen(open: OpenFire): void {
  const lookMs = lookMsOf(open);
  invariant(
    TASK_NAME.test(open.task) && Number.isSafeInteger(open.dueMs) && open.list !== "",
    `expected an open fire of a task at a due time in a list, got ${
      openKey(open)
    } in "${open.list}"`,
  );
  invariant(
    Number.isSafeInteger(lookMs),
    `expected whole milliseconds in the deadlines of ${openKey(open)}, got ${lookMs}`,
  );
}
