/** What every journal holds its caller to, before anything is sent or written. */

import type { OpenFire } from "./open_fire.ts";
import { openKey } from "./open_fire.ts";
import { invariant } from "./errors.ts";
import type { Row } from "./event.ts";
import { isFireName } from "./fire.ts";
import type { Settlement, Step } from "./ports.ts";
import { BATCH_MAX } from "./ports.ts";

/** As `encodeCursor` writes it; another text could not be loaded again. */
const CURSOR = /^-?\d+ \S+( -?\d+ \S+)?$/;

/**
 * A number that Redis would refuse in the middle of a script must not reach it, nor a text that no
 * later leader could load. On the path of every fire, so sentences are made only when needed.
 */
export function checkSteps(steps: readonly Step[], fence: number): void {
  checkCall(steps.length, fence);
  for (const { task, expect, next, notBeforeMs, notAfterMs = 0, row, publish } of steps) {
    if (expect === next) {
      broken(`expected the step of ${task} to move its cursor from "${expect}"`);
    }
    if (next !== "" && !CURSOR.test(next)) {
      broken(
        `expected the next cursor of ${task} to be "dueMs revision [notBeforeMs by]" or empty, got "${next}"`,
      );
    }
    if (!Number.isSafeInteger(notBeforeMs) || !Number.isSafeInteger(notAfterMs)) {
      const [from, to] = [notBeforeMs, notAfterMs];
      broken(
        `expected notBeforeMs and notAfterMs of ${task} to be whole milliseconds, got ${from} and ${to}`,
      );
    }
    checkRow(row);
    if (publish !== null) checkOpen(publish.open);
  }
}

export function checkSettlements(settlements: readonly Settlement[], fence: number): void {
  checkCall(settlements.length, fence);
  for (const { open, next, rows } of settlements) {
    if (rows.length === 0) broken(`expected the settlement of ${openKey(open)} to have a row`);
    rows.forEach(checkRow);
    if (next === null) continue;
    checkOpen(next);
    const [key, nextKey] = [openKey(open), openKey(next)];
    if (nextKey !== key) broken(`expected ${key} to stay the same, got ${nextKey}`);
  }
}

function checkCall(count: number, fence: number): void {
  if (count > BATCH_MAX) broken(`expected at most ${BATCH_MAX} in one call, got ${count}`);
  if (!Number.isSafeInteger(fence)) broken(`expected the fence to be a whole number, got ${fence}`);
}

function checkRow({ type, task, dueMs, decidedMs }: Row): void {
  if (Number.isSafeInteger(decidedMs) && (dueMs === null || Number.isSafeInteger(dueMs))) return;
  broken(
    `expected whole milliseconds in ${type} of "${task}", got due ${dueMs}, decided ${decidedMs}`,
  );
}

function checkOpen(open: OpenFire): void {
  if (!isFireName(open.task) || !Number.isSafeInteger(open.dueMs) || open.list === "") {
    broken(
      `expected an open fire of a task at a due time in a list, got ${
        openKey(open)
      } in "${open.list}"`,
    );
  }
  const { publishedMs, expiresMs, takeByMs, takeWithinMs, giveUpMs } = open;
  const isWhole = Number.isSafeInteger(publishedMs) && Number.isSafeInteger(expiresMs ?? 0) &&
    Number.isSafeInteger(takeByMs) && Number.isSafeInteger(takeWithinMs) &&
    Number.isSafeInteger(giveUpMs);
  if (isWhole) return;
  broken(
    `expected whole milliseconds in the deadlines of ${openKey(open)}, ` +
      `got ${publishedMs}, ${expiresMs}, ${takeByMs}, ${takeWithinMs}, ${giveUpMs}`,
  );
}

function broken(message: string): never {
  invariant(false, message);
}
