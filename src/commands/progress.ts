/** How far a long reading has come: one line on a terminal's standard error, gone in the end. */

import { systemClock } from "../clock.ts";
import type { Clock } from "../ports.ts";
import type { Shell } from "./shell.ts";

export interface Progress {
  /** So many rows more. */
  add(rows: number): void;
  /** Takes the line away. */
  done(): void;
}

/** What is done sooner has no line. Milliseconds. */
const FIRST_MS = 1_000;
const EVERY_MS = 200;

/** @param total rows in all, about; 0 where that is not known */
export function progressOf(
  shell: Pick<Shell, "err" | "isErrTerminal">,
  total: number,
  clock: Pick<Clock, "monotonicMs"> = systemClock,
): Progress {
  if (!shell.isErrTerminal) return { add() {}, done() {} };
  const startMs = clock.monotonicMs();
  let nextMs = startMs + FIRST_MS;
  let rows = 0;
  let isShown = false;
  return {
    add(more) {
      rows += more;
      const nowMs = clock.monotonicMs();
      if (nowMs < nextMs) return;
      nextMs = nowMs + EVERY_MS;
      isShown = true;
      const share = total === 0 ? "" : `, ${Math.min(100, Math.floor(100 * rows / total))} %`;
      shell.err(`\r\x1b[K${rows.toLocaleString("en")} rows${share}`);
    },
    done() {
      if (isShown) shell.err("\r\x1b[K");
      isShown = false;
    },
  };
}

/** Shows `text` while `work` goes on: what is waited for, where nothing can be counted. */
export async function during<T>(
  text: string,
  shell: Pick<Shell, "err" | "isErrTerminal">,
  work: () => Promise<T>,
): Promise<T> {
  if (!shell.isErrTerminal) return await work();
  shell.err(text);
  return await work().finally(() => shell.err("\r\x1b[K"));
}
