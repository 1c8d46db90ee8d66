/** `beat audit sql`: questions in SQL over all rows that there are. */

import { EXIT, UsageError } from "../errors.ts";
import type { Answer } from "../sql/duck.ts";
import { withDuck } from "./duck_open.ts";
import { harmless } from "./row_words.ts";
import type { Shell } from "./shell.ts";
import { printTable } from "./table.ts";
import type { SpanOptions } from "./time_option.ts";
import { checkSpan } from "./time_option.ts";

export interface AuditSqlOptions extends SpanOptions {
  readonly select: string;
  readonly json?: boolean;
}

const NO_QUESTION =
  'expected a question in SQL, such as "select task, count(*) from fires group by task", got none';

/** @throws {UsageError | BeatError | ArchiveError | JournalUnavailableError | ConfigError} */
export async function auditSql(options: AuditSqlOptions, shell: Shell): Promise<number> {
  checkSpan(options);
  if (/^[\s;]*$/.test(options.select)) throw new UsageError(NO_QUESTION);
  const answer = await withDuck(options, shell, async (duck) => {
    await duck.shut();
    return await duck.ask(options.select);
  });
  if (options.json) shell.out(`${JSON.stringify(objectsOf(answer), null, 2)}\n`);
  else printAnswer(answer, shell);
  return EXIT.ok;
}

function objectsOf({ names, rows }: Answer): Record<string, unknown>[] {
  return rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at]])));
}

function printAnswer({ names, rows }: Answer, shell: Shell): void {
  const cells = rows.map((row) => row.map((value) => ({ text: harmless(cellText(value)) })));
  printTable(names, cells, shell);
}

/** At most so many digits behind the point. */
const DIGITS = 3;

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(Number(value.toFixed(DIGITS)));
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
