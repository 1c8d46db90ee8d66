/** What DuckDB is told to make of the files of a journal: table `journal` and view `fires`. */

import { FROM_WIRE, LINE_FIELDS, VALUE_END } from "../row_text.ts";

/** Paths of all rows. */
export interface RowFiles {
  /** NDJSON, plain or compressed (`archive/line.ts`). */
  readonly segments: readonly string[];
  /** Lines of values (`row_text.ts`). */
  readonly lines: readonly string[];
  /** NDJSON: what of `lines` is of a type in {@link DECLARING}, once more. */
  readonly copies: readonly string[];
}

/** Which of the rows in the files are wanted. */
export interface Wanted {
  /** Recorded in between, both included; `null` for an open end. Unix milliseconds. */
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
  /** A row may be in more than one file. */
  readonly isDoubled: boolean;
}

/** Types of the rows that say which queue a task has: they are read before all others. */
export const DECLARING: ReadonlySet<string> = new Set([
  ...["task.known", "task.changed", "journal.snapshot"],
]);

/** Statements. The lines become a table once, as that is what takes the time. */
export function tablesOf(
  { segments, lines, copies }: RowFiles,
  { sinceMs, untilMs, isDoubled }: Wanted,
): string {
  const span = `id_ms between ${sinceMs ?? 0} and ${untilMs ?? Number.MAX_SAFE_INTEGER}`;
  const each = `select ${isDoubled ? "distinct on (id)" : ""} *`;
  return `
    create temp table segment_rows as
    ${each}, ${ID_MS} from ${ndjsonRows(segments)} where ${span};

    create temp table declaring as
    ${each} from (
      from segment_rows union all select *, ${ID_MS} from ${ndjsonRows(copies)}
    ) where type in (${[...DECLARING].map(quoted).join(", ")});

    create temp table declared as
    select task, id_ms as from_ms, detail->>'$.definition.queue' as queue from declaring
    where type <> 'journal.snapshot'
    union all
    select plan->>'$.task', id_ms, plan->>'$.definition.queue' from (
      select id_ms, unnest(cast(detail->'$.state.plans' as json[])) as plan from declaring
      where type = 'journal.snapshot'
    );

    create table journal as
    select r.id, make_timestamp_ms(id_ms) as recorded, type, nullif(r.task, '') as task,
      make_timestamp_ms(due_ms) as due, make_timestamp_ms(decided_ms) as decided, fence,
      case when type = 'fire.published' then id_ms - due_ms end as late_ms, d.queue, detail
    from (
      ${each} from (from segment_rows union all select *, ${ID_MS} from ${lineRows(lines)})
    ) r left join (
      select *, lead(from_ms, 1, ${Number.MAX_SAFE_INTEGER})
        over (partition by task order by from_ms) as until_ms from declared
    ) d on split_part(r.task, '+', 1) = d.task and r.id_ms >= d.from_ms and r.id_ms < d.until_ms;

    drop table segment_rows;
    drop table declaring;
    drop table declared;
    ${FIRES}`;
}

export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The server's time in an id. Unix milliseconds. */
const ID_MS = "cast(split_part(id, '-', 1) as bigint) as id_ms";

function ndjsonRows(paths: readonly string[]): string {
  return `(
    select id, type, task, due_ms, decided_ms, fence, detail
    from read_ndjson([${paths.map(quoted).join(", ")}], columns = {
      id: 'VARCHAR', type: 'VARCHAR', task: 'VARCHAR', due_ms: 'BIGINT', decided_ms: 'BIGINT',
      fence: 'BIGINT', detail: 'JSON'
    }, ignore_errors = true) where type is not null
  )`;
}

/** As {@link ndjsonRows}, what has a payload that is no JSON left out as there. */
function lineRows(paths: readonly string[]): string {
  const types = [...FROM_WIRE].map(([short, type]) => `when ${quoted(short)} then ${quoted(type)}`);
  const columns = LINE_FIELDS.map((name) =>
    `${name}: '${NUMBERS.has(name) ? "BIGINT" : "VARCHAR"}'`
  );
  return `(
    select id, case t ${types.join(" ")} else t end as type, coalesce(k, '') as task,
      d as due_ms, m + coalesce(d, 0) as decided_ms, f as fence,
      try_cast(coalesce(p, '{}') as json) as detail
    from read_csv([${paths.map(quoted).join(", ")}], columns = { id: 'VARCHAR', ${
    columns.join(", ")
  } },
      delim = ${quoted(String.fromCharCode(VALUE_END))}, new_line = '\\n', quote = '', escape = '',
      comment = '', header = false, auto_detect = false)
    where detail is not null
  )`;
}

const NUMBERS: ReadonlySet<string> = new Set(["d", "m", "f"]);

const FIRES = `
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
