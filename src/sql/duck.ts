/**
 * The journal as tables of DuckDB, in memory, for questions in SQL. Alone in importing DuckDB: its native
 * library needs a permission (FFI) that Beat itself does not have.
 */

import type { DuckDBConnection } from "@duckdb/node-api";
import { DuckDBInstance } from "@duckdb/node-api";
import { UsageError } from "../errors.ts";

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

/** Which of the rows in the files are wanted. */
export interface Wanted {
  /** Recorded in between, both included; `null` for an open end. Unix milliseconds. */
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
  /** A row may be in more than one file. */
  readonly isDoubled: boolean;
}

/** @param files segments, plain or compressed (`archive/line.ts`) */
export async function openDuck(files: readonly string[], wanted: Wanted): Promise<Duck> {
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  const connection = await instance.connect();
  await connection.run(tables(files.map(quoted).join(", "), wanted));
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

const tables = (files: string, { sinceMs, untilMs, isDoubled }: Wanted) => `
  create temp table lines as
  select ${isDoubled ? "distinct on (id)" : ""} id, type, task, due_ms, decided_ms, fence, detail,
    cast(split_part(id, '-', 1) as bigint) as id_ms
  from read_ndjson([${files}], columns = {
    id: 'VARCHAR', type: 'VARCHAR', task: 'VARCHAR', due_ms: 'BIGINT', decided_ms: 'BIGINT',
    fence: 'BIGINT', detail: 'JSON'
  }, ignore_errors = true) where type is not null
    and id_ms between ${sinceMs ?? 0} and ${untilMs ?? Number.MAX_SAFE_INTEGER};

  create temp table declared as
  select task, id_ms as from_ms, detail->>'$.definition.queue' as queue from lines
  where type in ('task.known', 'task.changed')
  union all
  select plan->>'$.task', id_ms, plan->>'$.definition.queue' from (
    select id_ms, unnest(cast(detail->'$.state.plans' as json[])) as plan from lines
    where type = 'journal.snapshot'
  );

  create table journal as
  select l.id, make_timestamp_ms(id_ms) as recorded, type, nullif(l.task, '') as task,
    make_timestamp_ms(due_ms) as due, make_timestamp_ms(decided_ms) as decided, fence,
    case when type = 'fire.published' then id_ms - due_ms end as late_ms, d.queue, detail
  from lines l left join (
    select *, lead(from_ms, 1, ${Number.MAX_SAFE_INTEGER})
      over (partition by task order by from_ms) as until_ms from declared
  ) d on split_part(l.task, '+', 1) = d.task and l.id_ms >= d.from_ms and l.id_ms < d.until_ms;

  drop table lines;
  drop table declared;

  create view fires as
  select task, due, any_value(queue) as queue,
    min(recorded) filter (type = 'fire.published') as published,
    min(recorded) filter (type = 'fire.acked') as acked,
    max(recorded) filter (type in ('fire.finished', 'fire.expired', 'fire.skipped')) as finished,
    coalesce(
      max(detail->>'$.outcome') filter (type = 'fire.finished'),
      max('expired') filter (type = 'fire.expired'),
      max('skipped') filter (type = 'fire.skipped'),
      max('acked') filter (type = 'fire.acked'),
      max('published') filter (type = 'fire.published'),
      'held'
    ) as outcome,
    max(detail->>'$.reason') filter (type in ('fire.skipped', 'fire.expired')) as reason,
    min(late_ms) as late_ms,
    max(cast(detail->>'$.runtimeMs' as double)) filter (type = 'fire.finished') as runtime_ms,
    max(detail->>'$.worker') as worker,
    count(*) filter (type = 'fire.published') as publishes
  from journal where type like 'fire.%' and due is not null group by task, due;
`;

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

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
