/** `beat journal export`: rows of the archive and of Redis as one file. */

import { BeatError, EXIT, UsageError } from "../errors.ts";
import type { JournalRow } from "../event.ts";
import { withDuck } from "./duck_open.ts";
import { openJournal } from "./open_journal.ts";
import { progressOf } from "./progress.ts";
import type { RowObject } from "./row_words.ts";
import { rowObject } from "./row_words.ts";
import type { Shell } from "./shell.ts";
import type { SpanOptions } from "./time_option.ts";
import { checkSpan, parseSpan, rangeOf } from "./time_option.ts";

export interface ExportOptions extends SpanOptions {
  readonly format: string;
  readonly output?: string;
}

const FORMATS = ["ndjson", "csv", "parquet"];

const COLUMNS: readonly (keyof RowObject)[] = [
  ...["id", "at", "type", "task", "fire_id", "due", "decided", "fence"] as const,
  ...["celery_task_id", "detail"] as const,
];

/** @throws {UsageError | BeatError | ArchiveError | JournalUnavailableError | ConfigError} */
export async function journalExport(options: ExportOptions, shell: Shell): Promise<number> {
  const { format, output } = options;
  if (!FORMATS.includes(format)) {
    throw new UsageError(`expected \`--format\` to be ${FORMATS.join(", ")}, got "${format}"`);
  }
  checkSpan(options);
  if (format !== "parquet") return await exportText(options, shell);
  if (output === undefined) {
    throw new UsageError("expected `--output` to name the Parquet file, got none; add -o FILE");
  }
  await withDuck(options, shell, (duck) => duck.writeParquet(output));
  return EXIT.ok;
}

async function exportText(options: ExportOptions, shell: Shell): Promise<number> {
  const opened = await openJournal(shell);
  const { namespace } = opened.config.settings;
  const isCsv = options.format === "csv";
  const textOf = (row: JournalRow) =>
    isCsv ? csvLine(rowObject(row, namespace)) : `${JSON.stringify(rowObject(row, namespace))}\n`;
  let foreign = 0;
  try {
    const range = rangeOf(parseSpan(options, (await opened.lease.look()).serverMs));
    const write = await sinkOf(options.output, shell);
    const progress = progressOf(shell, 0);
    if (isCsv) write(`${COLUMNS.join(",")}\r\n`);
    for await (const rows of opened.pages(range, () => foreign++)) {
      if (shell.signal.aborted) break;
      progress.add(rows.length);
      write(rows.map(textOf).join(""));
    }
    progress.done();
  } finally {
    opened.close();
  }
  if (foreign > 0) shell.err(`${foreign} entries not written by Beat, passed over\n`);
  return EXIT.ok;
}

async function sinkOf(path: string | undefined, shell: Shell): Promise<(text: string) => void> {
  if (path === undefined) return (text) => shell.out(text);
  try {
    const file = await Deno.open(path, { write: true, create: true, truncate: true });
    const encoder = new TextEncoder();
    return (text) => {
      let bytes = encoder.encode(text);
      while (bytes.length > 0) bytes = bytes.subarray(file.writeSync(bytes));
    };
  } catch (error) {
    throw new BeatError(
      "OUTPUT",
      EXIT.usage,
      `expected \`--output\` to be a file that can be written, got ${path}: ${
        error instanceof Error ? error.message : error
      }; leave it out, and send standard output there`,
      { cause: error },
    );
  }
}

/** By RFC 4180. */
function csvLine(row: RowObject): string {
  const cells = COLUMNS.map((name) => {
    const value = row[name];
    const text = value === null
      ? ""
      : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${cells.join(",")}\r\n`;
}
