/**
 * The journal as tables of DuckDB, in memory, for questions in SQL. Alone in importing DuckDB: its native
 * library needs a permission (FFI) that Beat itself does not have.
 */

import type { DuckDBConnection } from "@duckdb/node-api";
import { DuckDBInstance } from "@duckdb/node-api";
import { UsageError } from "../errors.ts";
import type { RowFiles, Wanted } from "./tables.ts";
import { quoted, tablesOf } from "./tables.ts";

export interface Answer {
  readonly names: readonly string[];
  /** Times are RFC 3339, numbers numbers where they are exact, all else text or JSON. */
  readonly rows: readonly (readonly unknown[])[];
}

export interface Duck {
  /** @throws {UsageError} what DuckDB says to it */
  ask(sql: string): Promise<Answer>;
  /** Writes table `journal` to a Parquet file. */
  writeParquet(path: string): Promise<void>;
  /** From now on no file, no network and no setting can be reached. */
  shut(): Promise<void>;
  close(): void;
}

/** Reads all files before it returns. */
export async function openDuck(files: RowFiles, wanted: Wanted): Promise<Duck> {
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  const connection = await instance.connect();
  await connection.run(tablesOf(files, wanted));
  return {
    ask: (sql) => answered(connection, sql),
    async writeParquet(path) {
      await connection.run(`copy journal to ${quoted(path)} (format parquet, compression zstd)`);
    },
    async shut() {
      await connection.run("set enable_external_access = false");
      await connection.run("set lock_configuration = true");
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function answered(connection: DuckDBConnection, sql: string): Promise<Answer> {
  try {
    const reader = await connection.runAndReadAll(sql);
    const isTime = reader.columnTypes().map((type) => /^TIMESTAMP/.test(String(type)));
    const rows = reader.getRowsJson().map((row) =>
      row.map((value, column) =>
        isTime[column] && typeof value === "string" ? instantText(value) : exact(value)
      )
    );
    return { names: reader.columnNames(), rows };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(`DuckDB does not take this: ${message}`);
  }
}

/** DuckDB's `2026-01-31 08:00:00.5` is in UTC here. */
function instantText(text: string): string {
  return `${text.replace(/\+00$/, "").replace(" ", "T")}Z`;
}

/** Counts come as text, because they could be too large. */
function exact(value: unknown): unknown {
  if (typeof value !== "string" || !/^-?\d{1,15}$/.test(value)) return value;
  return String(Number(value)) === value ? Number(value) : value;
}
