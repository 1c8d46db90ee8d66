/** The journal in DuckDB, where this process may have it. */

import { BeatError, EXIT } from "../errors.ts";
import type { Duck, Loading } from "../sql/duck.ts";
import type { Span } from "../sql/tables.ts";
import { ownDirectory, writeFiles } from "./journal_files.ts";
import type { OpenedJournal } from "./open_journal.ts";
import { openJournal } from "./open_journal.ts";
import { progressOf } from "./progress.ts";
import type { Shell } from "./shell.ts";
import type { SpanOptions } from "./time_option.ts";
import { parseSpan } from "./time_option.ts";

/**
 * Rows of the span that is asked for.
 * @throws {UsageError | BeatError | ArchiveError | JournalUnavailableError}
 */
export async function withDuck<T>(
  asked: SpanOptions,
  shell: Shell,
  work: (duck: Duck) => Promise<T>,
): Promise<T> {
  await mustHaveFfi();
  const { openDuck } = await import("../sql/duck.ts");
  const opened = await openJournal(shell);
  try {
    const span = parseSpan(asked, (await opened.lease.look()).serverMs);
    const queues = new Map(opened.config.tasks.map(({ name, queue }) => [name, queue]));
    const spillDir = await ownDirectory("spill");
    const loading = await openDuck(span, { queues, spillDir });
    try {
      return await work(await loadFiles(loading, opened, span, shell));
    } finally {
      await loading.close();
      await Deno.remove(spillDir, { recursive: true });
    }
  } finally {
    opened.close();
  }
}

async function loadFiles(
  loading: Loading,
  opened: OpenedJournal,
  span: Span,
  shell: Shell,
): Promise<Duck> {
  const progress = progressOf(shell, (await opened.hot.extent()).rows);
  const dir = await ownDirectory("rows");
  try {
    const { isDoubled } = await writeFiles(opened, span, { dir, add: loading.add, progress });
    return await loading.done(isDoubled);
  } finally {
    progress.done();
    await Deno.remove(dir, { recursive: true });
  }
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
