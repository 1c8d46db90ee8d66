/**
 * What must have happened, by plain arithmetic, and what did, read from Redis and from a worker's
 * record. Shares no code with Beat, so that a mistake there cannot hide itself here.
 */

import type { Redis } from "ioredis";
import type { Run } from "./celery_worker.ts";

/** An entry that is due every so often. */
export interface Entry {
  readonly name: string;
  readonly celeryTask: string;
  readonly queue: string;
  /** As it is written in the configuration: decimal seconds. */
  readonly everyS: string;
}

/** A row of the journal, its short names spelt out. Times are Unix milliseconds. */
export interface OracleRow {
  readonly id: string;
  /** Redis' time. */
  readonly atMs: number;
  readonly type: string;
  readonly task: string;
  readonly dueMs: number | null;
  readonly fence: number;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** All that is known of one fire. */
export interface Story {
  readonly id: string;
  readonly dueMs: number;
  readonly rows: OracleRow[];
  readonly runs: Run[];
}

/** Due times of an interval in (afterMs, untilMs]: floor(k x interval), anchored to the epoch. */
export function dueTimes(everyS: string, afterMs: number, untilMs: number): number[] {
  const [whole, decimals = ""] = everyS.split(".");
  const numerator = BigInt(whole + decimals) * 1000n;
  const denominator = 10n ** BigInt(decimals.length);
  const found: number[] = [];
  for (let k = BigInt(afterMs) * denominator / numerator;; k++) {
    const dueMs = Number(k * numerator / denominator);
    if (dueMs > untilMs) return found;
    if (dueMs > afterMs) found.push(dueMs);
  }
}

const SHORT: Readonly<Record<string, string>> = {
  p: "fire.published",
  t: "fire.taken",
  a: "fire.acked",
  f: "fire.finished",
  x: "fire.expired",
};

export interface JournalReader {
  /** All rows so far. */
  read(): Promise<readonly OracleRow[]>;
}

export function journalReader(client: Redis, key = "beat:journal"): JournalReader {
  const rows: OracleRow[] = [];
  return {
    async read() {
      const from = rows.length === 0 ? "-" : `(${rows.at(-1)!.id}`;
      for (const [id, fields] of await client.xrange(key, from, "+")) rows.push(rowOf(id, fields));
      return rows;
    },
  };
}

function rowOf(id: string, fields: readonly string[]): OracleRow {
  const value = (name: string) =>
    fields[fields.findIndex((field, index) => index % 2 === 0 && field === name) + 1] ?? "";
  return {
    id,
    atMs: Number(id.split("-")[0]),
    type: SHORT[value("t")] ?? value("t"),
    task: value("k"),
    dueMs: value("d") === "" ? null : Number(value("d")),
    fence: Number(value("f")),
    detail: value("p") === "" ? {} : JSON.parse(value("p")),
  };
}

/** Rows and runs by fire id. */
export function storiesOf(rows: readonly OracleRow[], runs: readonly Run[]): Map<string, Story> {
  const stories = new Map<string, Story>();
  const storyOf = (id: string): Story => {
    const found = stories.get(id) ?? { id, dueMs: Number(id.split("@")[1]), rows: [], runs: [] };
    stories.set(id, found);
    return found;
  };
  for (const row of rows) {
    if (row.type.startsWith("fire.")) storyOf(`${row.task}@${row.dueMs}`).rows.push(row);
  }
  for (const run of runs) storyOf(String(run.fire_id)).runs.push(run);
  return stories;
}

/** When each task began, by its first row: nothing before is owed. Unix milliseconds. */
export function knownSince(rows: readonly OracleRow[]): Map<string, number> {
  const known = new Map<string, number>();
  for (const { type, task, dueMs } of rows) {
    if (type === "task.known" && !known.has(task)) known.set(task, dueMs!);
  }
  return known;
}

/** What is owed: the fire id of each due time from when its task was known up to `untilMs`. */
export function owed(
  entries: readonly Entry[],
  known: ReadonlyMap<string, number>,
  untilMs: number,
): string[] {
  return entries.flatMap(({ name, everyS }) => {
    const sinceMs = known.get(name);
    if (sinceMs === undefined) throw new Error(`expected a task.known row of ${name}, got none`);
    return dueTimes(everyS, sinceMs, untilMs).map((dueMs) => `${name}@${dueMs}`);
  });
}

/**
 * Findings, a line each: owed fires that break a rule, fires that nobody owes, and for every fire:
 * published once, not early, and run no more than once.
 *
 * @param rule what is wrong with an owed fire beside that, or `null`
 * @param isDue whether a fire after the owed ones is at a due time
 */
export function findings(
  wanted: readonly string[],
  stories: ReadonlyMap<string, Story>,
  { rule, isDue }: { rule: (story: Story) => string | null; isDue: (story: Story) => boolean },
): string[] {
  const all = new Set(wanted);
  const found = wanted.flatMap((id) => {
    const story = stories.get(id);
    if (story === undefined) return [`${id}: lost, nothing is known of it`];
    return say(story, rule(story));
  });
  for (const story of stories.values()) {
    if (!all.has(story.id) && !isDue(story)) found.push(...say(story, "nobody owes it"));
    found.push(...say(story, wrongAtAll(story)));
  }
  return found;
}

function wrongAtAll({ dueMs, rows, runs }: Story): string | null {
  const published = rows.filter(({ type }) => type === "fire.published");
  if (published.length !== 1) return `expected one fire.published, got ${published.length}`;
  if (published[0]!.atMs < dueMs) return `published ${dueMs - published[0]!.atMs} ms early`;
  if (runs.length > 1) return `expected one run, got ${runs.length}`;
  const early = runs.find(({ received }) => received * 1_000 < dueMs);
  return early === undefined ? null : "run before it was due";
}

function say(story: Story, wrong: string | null): string[] {
  if (wrong === null) return [];
  const rows = story.rows.map(({ type, atMs, fence, detail }) =>
    `${type} +${atMs - story.dueMs} ms fence ${fence} ${JSON.stringify(detail)}`
  );
  return [
    `${story.id}: ${wrong}\n  rows: ${rows.join(", ")}\n  runs: ${JSON.stringify(story.runs)}`,
  ];
}

/** Lateness of publishing: p50, p99 and the largest. Milliseconds. */
export function lateness(stories: ReadonlyMap<string, Story>): string {
  const late = [...stories.values()].flatMap(({ rows, dueMs }) =>
    rows.filter(({ type }) => type === "fire.published").map(({ atMs }) => atMs - dueMs)
  ).sort((a, b) => a - b);
  const at = (share: number) => late[Math.min(late.length - 1, Math.floor(late.length * share))];
  return `${late.length} fires, lateness p50 ${at(0.5)} p99 ${at(0.99)} max ${late.at(-1)} ms`;
}

/** The root of Beat's task ids; under it each namespace has a UUID, and under that each fire. */
const ROOT = "05c91544-0862-4c55-ab74-10fb06563b3e";

const UUID_PY = `
import json, sys, uuid
root, namespace, names = json.load(sys.stdin)
under = uuid.uuid5(uuid.UUID(root), namespace)
json.dump([str(uuid.uuid5(under, name)) for name in names], sys.stdout)
`;

/** The Celery task id of each fire, as Python has it. */
export async function taskIds(
  fireIds: readonly string[],
  python: string,
  namespace = "beat",
): Promise<Map<string, string>> {
  const child = new Deno.Command(python, {
    args: ["-c", UUID_PY],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify([ROOT, namespace, fireIds])));
  await writer.close();
  const ids = JSON.parse(new TextDecoder().decode((await child.output()).stdout)) as string[];
  return new Map(fireIds.map((fireId, index) => [fireId, ids[index]!]));
}
