/**
 * The journal in DuckDB, in memory, for questions in SQL. Alone in importing DuckDB: its native
 * library needs a permission (FFI) that Beat itself does not have.
 */

import type { DuckDBConnection } from "@duckdb/node-api";
import { DuckDBInstance, DuckDBTimestampTZValue } from "@duckdb/node-api";
import { UsageError } from "../errors.ts";
import type { RowFile, Span } from "./tables.ts";
import { EACH_ONCE, ENTRIES, IN_ORDER, quoted, rowsFrom, views } from "./tables.ts";

export interface Answer {
  /** Each once: of two columns `a`, the second is `a:1`. */
  readonly names: readonly string[];
  /** Times are RFC 3339, numbers numbers where they are exact, all else text or JSON. */
  readonly rows: readonly (readonly unknown[])[];
}

/** DuckDB while rows are read into it. */
export interface Loading {
  /** Reads a file in the background, one after the other; it has to stay until {@link done}. */
  add(file: RowFile): void;
  /** @param isDoubled a row may have been in more than one file */
  done(isDoubled: boolean): Promise<Duck>;
  /** Waits for what is being read. */
  close(): Promise<void>;
}

export interface Duck {
  /** @throws {UsageError} what DuckDB says to it */
  ask(sql: string): Promise<Answer>;
  /** Writes view `journal` to a Parquet file. */
  writeParquet(path: string): Promise<void>;
  /** From now on no network, no setting, and no file but those that it spills can be reached. */
  shut(): Promise<void>;
}

/**
 * @param span which of the rows in the files are wanted
 * @param options.queues of tasks, for where no row says which one a task had
 * @param options.spillDir for what memory does not hold; whoever asks can reach it
 */
export async function openDuck(
  span: Span,
  { queues, spillDir }: {
    readonly queues: ReadonlyMap<string, string>;
    readonly spillDir: string;
  },
): Promise<Loading> {
  DuckDBTimestampTZValue.timezoneOffsetInMinutes = 0;
  const instance = await DuckDBInstance.create(":memory:", {
    temp_directory: spillDir,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    // Rows are told apart by their ids.
    preserve_insertion_order: "false",
  });
  const connection = await instance.connect();
  // Else times without a zone would be taken for the machine's, where they meet others.
  await connection.run("set TimeZone = 'UTC'");
  await connection.run(ENTRIES);
  let loaded: Promise<unknown> = Promise.resolve();
  return {
    add(file) {
      loaded = loaded.then(() => connection.run(rowsFrom(file, span)));
      loaded.catch(() => {}); // It is awaited in the end.
    },
    async done(isDoubled) {
      await loaded;
      if (isDoubled) await connection.run(EACH_ONCE);
      await connection.run(views(queues));
      return duckOver(connection);
    },
    async close() {
      await loaded.catch(() => {});
      connection.closeSync();
      instance.closeSync();
    },
  };
}

function duckOver(connection: DuckDBConnection): Duck {
  return {
    ask: (sql) => answered(connection, sql),
    async writeParquet(path) {
      const rows = `(select * from journal ${IN_ORDER})`;
      await connection.run(`copy ${rows} to ${quoted(path)} (format parquet, compression zstd)`);
    },
    async shut() {
      await connection.run("set enable_external_access = false");
      await connection.run("set lock_configuration = true");
    },
  };
}

async function answered(connection: DuckDBConnection, sql: string): Promise<Answer> {
  try {
    const reader = await connection.runAndReadAll(sql);
    const types = reader.columnTypes().map(String);
    const rows = reader.getRowsJson().map((row) =>
      row.map((value, column) => plain(value, types[column]!))
    );
    return { names: reader.deduplicatedColumnNames(), rows };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(`DuckDB does not take this: ${message}`);
  }
}

function plain(value: unknown, type: string): unknown {
  if (typeof value !== "string" || type === "VARCHAR") return value;
  return type.startsWith("TIMESTAMP") ? instantText(value) : exact(value);
}

/** DuckDB's `2026-01-31 08:00:00.5` is in UTC here. */
function instantText(text: string): string {
  return `${text.replace(/\+00$/, "").replace(" ", "T")}Z`;
}

/** Counts come as text, because they could be too large. */
function exact(value: string): string | number {
  const isWhole = /^-?\d{1,15}$/.test(value) && String(Number(value)) === value;
  return isWhole ? Number(value) : value;
}
