/** The journal in DuckDB, where this process may have it. */

import { BeatError, EXIT } from "../errors.ts";
import type { Duck } from "../sql/duck.ts";
import type { Span } from "./journal_files.ts";
import { journalFiles } from "./journal_files.ts";
import { openJournal } from "./open_journal.ts";
import { progressOf } from "./progress.ts";
import type { Shell } from "./shell.ts";
import { parseTimeOption } from "./time_option.ts";

/** @throws {BeatError | ArchiveError | JournalUnavailableError} */
export async function withDuck<T>(
  span: Span,
  shell: Shell,
  work: (duck: Duck) => Promise<T>,
): Promise<T> {
  await mustHaveFfi();
  const { openDuck } = await import("../sql/duck.ts");
  const opened = await openJournal(shell.env);
  let duck: Duck | null = null;
  try {
    const progress = progressOf(shell, (await opened.hot.extent()).rows);
    const files = await journalFiles(opened, span, progress);
    try {
      duck = await openDuck(files, { ...span, isDoubled: files.isDoubled });
    } finally {
      progress.done();
      await files.remove();
    }
    return await work(duck);
  } finally {
    duck?.close();
    opened.close();
  }
}

/** @param nowMs what a duration is counted back from. @throws {UsageError} */
export function spanOf(
  { since, until }: { readonly since?: string; readonly until?: string },
  nowMs: number,
): Span {
  return {
    sinceMs: since === undefined ? null : parseTimeOption("--since", since, nowMs),
    untilMs: until === undefined ? null : parseTimeOption("--until", until, nowMs),
  };
}

/** Beat's own set of permissions has none for native libraries. */
async function mustHaveFfi(): Promise<void> {
  const { state } = await Deno.permissions.query({ name: "ffi" });
  if (state === "granted") return;
  throw new BeatError(
    "PERMISSION",
    EXIT.usage,
    "expected the permissions of DuckDB's native library, which Beat's own set does not have; use " +
      '`deno task sql "select …"`, or -P=sql instead of -P=beat',
  );
}
