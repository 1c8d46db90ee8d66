/** `beat trigger`: one fire of a task, now, because somebody wants it. */

import { checkArguments } from "../celery/check_task.ts";
import { UsageError } from "../errors.ts";
import { TASK_NAME } from "../fire.ts";
import type { AskOptions } from "./ask.ts";
import { ask, headOf } from "./ask.ts";
import { openJournal } from "./open_journal.ts";
import type { Shell } from "./shell.ts";

export interface TriggerOptions extends AskOptions {
  readonly task: string;
  /** JSON. */
  readonly args?: string;
  readonly kwargs?: string;
  readonly obey?: boolean;
}

/** @throws {UsageError | JournalUnavailableError | ConfigError} */
export async function trigger(options: TriggerOptions, shell: Shell): Promise<number> {
  const task = taskName(options.task);
  const own = argumentsOf(options);
  const isObeying = options.obey ?? false;
  const request = { kind: "trigger", task, isObeying, ...headOf(options, shell), ...own } as const;
  const opened = await openJournal(shell);
  try {
    return await ask(opened, request, options, shell);
  } finally {
    opened.close();
  }
}

/** @throws {UsageError} */
export function taskName(text: string): string {
  if (TASK_NAME.test(text)) return text;
  throw new UsageError(
    `expected TASK to be the name of an entry, got "${text}"; \`beat tasks\` lists them`,
  );
}

/** As they travel; each problem is told at once. @throws {UsageError} */
function argumentsOf({ args, kwargs }: TriggerOptions) {
  const given = {
    ...(args === undefined ? {} : { args: parsed("--args", args) as unknown[] }),
    ...(kwargs === undefined ? {} : { kwargs: parsed("--kwargs", kwargs) as Members }),
  };
  const problems = checkArguments(given.args ?? [], given.kwargs ?? {}, {});
  const named = problems.map((each) => each.replaceAll(/`(args|kwargs)/g, "`--$1"));
  if (named.length > 0) throw new UsageError(named.join("\n"));
  return given;
}

type Members = Record<string, unknown>;

function parsed(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const got = error instanceof Error ? error.message : String(error);
    throw new UsageError(`expected \`${option}\` to be JSON, got ${text.slice(0, 80)} (${got})`);
  }
}
