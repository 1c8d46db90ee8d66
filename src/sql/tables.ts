/** What DuckDB is told to make of the rows of a journal: the views `journal` and `fires`. */

import { FROM_WIRE, LINE_FIELDS, VALUE_END } from "../row_text.ts";

/** A file of rows. */
export interface RowFile {
  readonly path: string;
  /** NDJSON, plain or compressed (`archive/line.ts`), or lines of values (`row_text.ts`). */
  readonly kind: "ndjson" | "lines";
}

/** Recorded in between, both included; `null` for an open end. Unix milliseconds. */
export interface Span {
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
}

/** Rows as they are read: what follows from them is worked out where a question wants it. */
export const ENTRIES = `
  create table entries (
    id_ms bigint, id_count bigint, t varchar, task varchar, due_ms bigint, decided_ms bigint,
    fence bigint, detail json
  )`;

/** Adds the rows of a file. */
export function rowsFrom({ path, kind }: RowFile, { sinceMs, untilMs }: Span): string {
  const rows = kind === "lines" ? rowsOfLines(path) : rowsOfNdjson(path);
  const span = `id_ms between ${sinceMs ?? 0} and ${untilMs ?? Number.MAX_SAFE_INTEGER}`;
  return `insert into entries ${rows} and ${span}`;
}

/** For rows that were in more than one file. */
export const EACH_ONCE =
  "create or replace table entries as select distinct on (id_ms, id_count) * from entries";

/**
 * What is asked, over all entries.
 * @param queues of tasks, for where no row says which one a task had
 */
export function views(queues: ReadonlyMap<string, string>): string {
  return `${declared(queues)}${journal()}${FIRES}`;
}

/** By the order of their ids. */
export const IN_ORDER = "order by recorded, length(id), id";

export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function rowsOfNdjson(path: string): string {
  return `
    select cast(split_part(id, '-', 1) as bigint) as id_ms,
      cast(split_part(id, '-', 2) as bigint) as id_count, type as t, task, due_ms, decided_ms, fence, detail
    from read_ndjson(${quoted(path)}, columns = {
      id: 'VARCHAR', type: 'VARCHAR', task: 'VARCHAR', due_ms: 'BIGINT', decided_ms: 'BIGINT',
      fence: 'BIGINT', detail: 'JSON'
    }, ignore_errors = true) where type is not null`;
}

/** As {@link rowsOfNdjson}, what has a payload that is no JSON left out as there. */
function rowsOfLines(path: string): string {
  const columns = LINE_FIELDS.map((name) => `${name}: '${TEXTS.has(name) ? "VARCHAR" : "BIGINT"}'`);
  return `
    select id_ms, id_count, t, coalesce(k, '') as task, d as due_ms, m + coalesce(d, 0) as decided_ms,
      f as fence, try_cast(coalesce(p, '{}') as json) as detail
    from read_csv(${quoted(path)}, columns = { ${columns.join(", ")} },
      delim = ${quoted(String.fromCharCode(VALUE_END))}, new_line = '\\n', quote = '', escape = '',
      comment = '', header = false, auto_detect = false)
    where detail is not null`;
}

const TEXTS: ReadonlySet<string> = new Set(["t", "k", "p"]);

/**
 * Which queue a task had from when until when. A snapshot says what was so where it cuts, and had been
 * so before: with each change comes a row. One that cuts before the rows that are read goes for what
 * nothing else tells: a change may lie between.
 */
function declared(queues: ReadonlyMap<string, string>): string {
  const configured = [...queues].map(([task, queue]) => `(${quoted(task)}, ${quoted(queue)})`);
  return `
  create table told as
  select task, id_ms, id_count, false as is_standing, detail->>'$.definition.queue' as queue
  from entries where t in ('task.known', 'task.changed')
  union all
  select plan->>'$.task', coalesce(try_cast(split_part(cut_id, '-', 1) as bigint), id_ms),
    coalesce(try_cast(split_part(cut_id, '-', 2) as bigint), id_count), true,
    plan->>'$.definition.queue'
  from (
    select id_ms, id_count, unnest(cast(detail->'$.state.plans' as json[])) as plan,
      detail->>'$.cutId' as cut_id
    from entries where t = 'journal.snapshot'
  );

  create table declared as
  with configured(task, queue) as (values ${["('', '')", ...configured].join(", ")}),
    sure as (
      from told where not is_standing or id_ms >= (select min(id_ms) from entries)
    )
  select task, queue,
    case when is_standing and row_number() over told_of = 1 then 0 else id_ms end as from_ms,
    lead(id_ms, 1, ${Number.MAX_SAFE_INTEGER}) over told_of as until_ms
  from sure window told_of as (partition by task order by id_ms, id_count, is_standing desc)
  union all
  select task, queue, 0, ${Number.MAX_SAFE_INTEGER} from (
    from configured where task <> ''
    union all
    select task, arg_max(queue, id_ms) from told
    where task not in (select task from configured) group by task
  ) where task not in (select task from sure);
  drop table told;
`;
}

function journal(): string {
  const types = [...FROM_WIRE].map(([short, type]) => `when ${quoted(short)} then ${quoted(type)}`);
  return `
  create view journal as
  select id_ms || '-' || id_count as id, make_timestamp_ms(id_ms) as recorded,
    case t ${types.join(" ")} else t end as type, nullif(e.task, '') as task,
    make_timestamp_ms(due_ms) as due, make_timestamp_ms(decided_ms) as decided, fence,
    case when t in ('p', 'fire.published') then id_ms - due_ms end as late_ms, queue, detail
  from entries e left join declared d
    on split_part(e.task, '+', 1) = d.task and id_ms >= from_ms and id_ms < until_ms;
`;
}

const FIRES = `
  create view fires as
  select task, due,
    coalesce(any_value(queue) filter (type = 'fire.published'), any_value(queue)) as queue,
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
    arg_max(detail->>'$.worker', recorded) as worker,
    count(*) filter (type = 'fire.published') as publishes
  from journal where type like 'fire.%' and due is not null group by task, due;
`;
