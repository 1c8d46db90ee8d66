/** `beat journal`: what was recorded, as lines or as one JSON object a line, newest last. */

import { EXIT, UsageError } from "../errors.ts";
import type { JournalRow } from "../event.ts";
import type { QueryOptions } from "./journal_query.ts";
import { checkQuery, parseQuery, unknownTypes } from "./journal_query.ts";
import { follow, foreignCounter, printRows } from "./journal_rows.ts";
import { openJournal } from "./open_journal.ts";
import { progressOf } from "./progress.ts";
import { rowLine, rowObject } from "./row_words.ts";
import type { Shell } from "./shell.ts";
import { paintFor } from "./table.ts";
import { unknownTask } from "./unknown_task.ts";

export interface JournalOptions extends QueryOptions {
  readonly follow?: boolean;
  readonly json?: boolean;
}

/** @throws {UsageError | JournalUnavailableError | ConfigError} */
export async function journal(options: JournalOptions, shell: Shell): Promise<number> {
  checkQuery(options);
  if (options.follow && options.until !== undefined) {
    throw new UsageError("expected `--follow` without `--until`, got both; leave one out");
  }
  const { journal, lease, config, close } = await openJournal(shell);
  const { namespace } = config.settings;
  const paint = paintFor(shell);
  const text = (row: JournalRow) =>
    options.json ? JSON.stringify(rowObject(row, namespace)) : rowLine(row, paint);
  let count = 0;
  const print = (row: JournalRow) => {
    count++;
    shell.out(`${text(row)}\n`);
  };
  const foreign = foreignCounter();
  try {
    const query = parseQuery(options, (await lease.look()).serverMs);
    for (const note of unknownTypes(query)) shell.err(`${note}\n`);
    const progress = progressOf(shell, 0);
    const lastId = await printRows(journal, query, {
      ...{ print, progress, foreign, signal: shell.signal },
    });
    foreign.tell(shell);
    // Else an empty answer looks like one from another namespace, or none.
    if (count === 0) {
      shell.err(`no such row in the journal (namespace ${namespace})\n`);
      const notes = query.tasks.flatMap((task) => unknownTask(task, config) ?? []);
      for (const note of notes) shell.err(`${note}\n`);
    }
    if (options.follow) await follow(journal, query, lastId, { print, foreign, shell });
  } finally {
    close();
  }
  return EXIT.ok;
}
