/** `beat pause` and `beat resume`: standing orders that keep tasks from firing, and their end. */

import { UsageError } from "../errors.ts";
import type { AskOptions } from "./ask.ts";
import { ask, headOf } from "./ask.ts";
import { openJournal } from "./open_journal.ts";
import type { Shell } from "./shell.ts";
import { taskName } from "./trigger.ts";

export interface PauseOptions extends AskOptions {
  readonly kind: "pause" | "resume";
  readonly task?: string;
  readonly all?: boolean;
}

/** @throws {UsageError | JournalUnavailableError | ConfigError} */
export async function pauseOrResume(options: PauseOptions, shell: Shell): Promise<number> {
  const { kind, task, all = false } = options;
  if ((task === undefined) === !all) {
    throw new UsageError("expected either TASK or `--all`; name one of them");
  }
  if (options.note === undefined || options.note.trim() === "") {
    const use = kind === "pause" ? "shown wherever the pause is" : "recorded with who asked";
    throw new UsageError(`expected \`--note\` to say why: it is ${use}`);
  }
  const of = task === undefined ? null : taskName(task);
  const request = { kind, task: of, ...headOf(options, shell) };
  const opened = await openJournal(shell);
  try {
    return await ask(opened, request, options, shell);
  } finally {
    opened.close();
  }
}
