/** What SQL answers is what the rows say when each is read by itself, whatever stands in them. */

import { after, before } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { directoryArchive, historyDirectory } from "../../src/archive/directory.ts";
import { foreignLine, lineOf } from "../../src/archive/line.ts";
import type { JournalRow } from "../../src/event.ts";
import { millisecondsOf } from "../../src/event.ts";
import { decodeRow } from "../../src/row_text.ts";
import type { Archive } from "../../src/ports.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { sqlBeat } from "../support/sql_beat.ts";

const { describe, it } = needs("redis");

type Entry = readonly [id: string, fields: readonly string[]];

const KEYS = keysOf("beat", "");
const T0 = 1_795_570_380_000;
const DUE = String(T0 - 7);
const NAMES = ["v", "t", "k", "d", "m", "f", "p"];

const declared = (queue: string) => JSON.stringify({ revision: "r", definition: { queue } });
/** Of the rows before `at`. */
const snapshot = (at: number, queues: Readonly<Record<string, string>>) => {
  const plans = Object.entries(queues).map(([task, queue]) => ({ task, definition: { queue } }));
  return JSON.stringify({ cutId: `${T0 + at}-${at % 2}`, state: { plans } });
};

/** Values of rows in the order of the names, and entries that are none. */
const WRITTEN: readonly (readonly string[])[] = [
  ["1", "task.known", "a", DUE, "0", "3", declared("first")],
  ["1", "task.known", "für.東京", DUE, "0", "3", declared("日本")],
  ["1", "journal.snapshot", "", "", DUE, "3", snapshot(2, { b: "of_snapshot" })],
  ["1", "p", "a", DUE, "12", "3", ""],
  ["1", "p", "a+slot", DUE, "-2", "3", '{"attempt":2}'],
  ["1", "p", "für.東京", DUE, "1", "3", '{"notes":{"jitter":"für 東京 \\\\ \\"so\\", \'#1\'"}}'],
  ["1", "a", "b", DUE, "5", "4", '{"by":"result","worker":"celery@höst"}'],
  ["1", "f", "b", DUE, "9", "4", '{"outcome":"failure","runtimeMs":12.5}'],
  ["1", "t", 'a "quoted", name', DUE, "5", "4", '{"by":"event"}'],
  ["1", "x", "with\x1fdelimiter", DUE, "5", "4", '{"reason":"ttl","by":"beat"}'],
  ["1", "fire.skipped", "two\r\nlines\n", DUE, "5", "4", '{"by":"window","reason":"night"}'],
  ["1", "fire.skipped", "a", DUE, "5", "4", '{ "by" : "window" , "reason" : "a\\nb" }'],
  ["1", "term.started", "", "", DUE, "5", '{"owner":"o"}'],
  ["2", "of.a.newer.build", "null", "", DUE, "5", ""],
  ["1", "", "a", DUE, "5", "5", ""],
  ["1", "p", "a", "1e3", "007", "5", ""],
  ["1", "p", "a", " 5", "-0", "5", '{"a":1} '],
  ["1", "p", "a", DUE, "007", "05", ""],
  ["1", "p", "a", "soon", "5", "5", ""],
  ["1", "p", "a", DUE, "", "5", "{no JSON}"],
  ["1", "p", "a", DUE, "1", "5", "{no JSON}"],
  ["1", "p", "a", DUE, "1", "5", "[]"],
  ["1", "p", "a", DUE, "9007199254740993", "5", ""],
  ["who", "knows"],
  ["1", "task.changed", "a", DUE, "0", "5", declared("second")],
  ["1", "p", "a", DUE, "20", "5", '{"a_long_text":"' + "x".repeat(1_200_000) + '"}'],
  ["1", "p", "a+other", DUE, "21", "5", ""],
  ["1", "journal.snapshot", "", "", DUE, "5", snapshot(3, { a: "first", b: "of_snapshot" })],
  ["1", "p", "a", DUE, "22", "5", ""],
  ["1", "task.known", "c", DUE, "0", "6", declared("of_publish")],
  ["1", "p", "c", DUE, "23", "6", ""],
  ["1", "t", "c", DUE, "24", "6", '{"by":"event","worker":"z@gone"}'],
  ["1", "task.changed", "c", DUE, "0", "6", declared("of_edit")],
  ["1", "fire.redelivered", "c", DUE, "25", "6", '{"deliveries":2}'],
  ["1", "a", "c", DUE, "26", "6", '{"by":"event","worker":"a@there"}'],
];
const entries = WRITTEN.map((values, at): Entry => [
  `${T0 + at}-${at % 2}`,
  values.length === 2 ? values : NAMES.flatMap((name, index) => [name, values[index]!]),
]);

describe("rows in SQL", () => {
  let redis: RedisServer;
  let cwd: string;
  let archive: Archive;
  before(async () => {
    redis = await startRedis();
    cwd = await Deno.makeTempDir({ prefix: "sql-rows-test-" });
    archive = directoryArchive(historyDirectory(`${cwd}/archive`, "beat", "epoch-1"), "one");
    await Deno.writeTextFile(
      `${cwd}/beat.yaml`,
      "version: 1\ntasks:\n  a: { task: t, queue: of_configuration, every: 1h }\n",
    );
    const client = redis.client();
    await client.set(KEYS.epoch, "epoch-1");
    for (const [id, fields] of entries) await client.xadd(KEYS.journal, id, ...fields);
  });
  after(async () => {
    await redis.stop();
    await Deno.remove(cwd, { recursive: true });
  });

  const asked = async (...args: string[]) => {
    const env = {
      TZ: "America/New_York",
      CELERY_BROKER_URL: redis.url,
      BEAT_ARCHIVE: `${cwd}/archive`,
      BEAT_CONFIG: `${cwd}/beat.yaml`,
    };
    return await sqlBeat(["audit", "sql", "--json", ...args], { cwd, env });
  };
  const told = async (...args: string[]) => {
    const { success, out, err } = await asked(...args);
    assert.ok(success, err);
    return JSON.parse(out);
  };
  const archived = async (from: number, to: number) => {
    const lines = entries.slice(from, to).map(([id, fields]) => {
      const row = decodeRow(id, fields);
      return typeof row === "string" ? foreignLine({ id, why: row }) : lineOf(row);
    });
    const [first, last] = [entries[from]!, entries[to - 1]!];
    await archive.write({ firstId: first[0], lastId: last[0], rows: to - from }, lines);
  };
  const rows = "select * from journal order by split_part(id, '-', 1)::bigint";

  it("are those of the stream", async () => {
    assert.deepEqual(inWords(await told(rows)), expected(entries));
    const at = T0 + 8;
    const span = [new Date(T0).toISOString(), new Date(at).toISOString()];
    assert.deepEqual(
      inWords(await told(rows, "--since", span[0]!, "--until", span[1]!)),
      expected(entries.filter(([id]) => millisecondsOf(id) <= at)),
    );
    const fires = await told("select * from fires where task = 'b'");
    assert.deepEqual(fires, [{
      ...{ task: "b", due: timeText(T0 - 7), queue: "of_snapshot", published: null },
      ...{ acked: timeText(T0 + 6), finished: timeText(T0 + 7), outcome: "failure" },
      ...{ reason: null, late_ms: null, runtime_ms: 12.5, worker: "celery@höst", publishes: 0 },
    }]);
  });

  it("say of a fire to which queue it went, and which worker had it last", async () => {
    const [fire] = await told("select queue, worker from fires where task = 'c'");
    assert.deepEqual(fire, { queue: "of_publish", worker: "a@there" });
  });

  it("say the queue though it was declared before what is read", async () => {
    const queues = "select task, queue from journal where queue is not null order by recorded";
    const toldOf = async (from: number, to: number) => {
      const [since, until] = [from, to].map((at) => new Date(T0 + at).toISOString());
      const rows: Record<string, string>[] = await told(
        ...[queues, "--since", since!, "--until", until!],
      );
      return rows.map(({ task, queue }) => `${task} ${queue}`);
    };
    const configured = ["a of_configuration", "a+slot of_configuration"];
    assert.deepEqual(await toldOf(3, 10), configured);
    assert.deepEqual(await toldOf(2, 10), [...configured, "b of_snapshot", "b of_snapshot"]);
    // Which it was before a change is not known without what stands before.
    const second = ["a second", "a second", "a+other second"];
    assert.deepEqual(await toldOf(5, 26), second);
    // A snapshot tells it of those of which nothing else does.
    const ofSnapshot = ["b of_snapshot", "b of_snapshot"];
    assert.deepEqual(await toldOf(5, 28), [...ofSnapshot, ...second, "a second"]);
  });

  it("come in UTC wherever the machine is, and texts as texts", async () => {
    const times = "timestamptz '2026-07-31 08:00:00.5+02' as at, " +
      "timestamp '2026-07-31 06:00:00.5' = timestamptz '2026-07-31 08:00:00.5+02' as same";
    assert.deepEqual(await told(`select ${times}, '42' as text, 42::bigint as number`), [
      { at: "2026-07-31T06:00:00.5Z", same: true, text: "42", number: 42 },
    ]);
  });

  it("keep each column of an answer, also two of one name", async () => {
    assert.deepEqual(await told("select 1 as a, 2 as a, 3 as b"), [{ a: 1, "a:1": 2, b: 3 }]);
  });

  it("are asked for without a way to files of others", async () => {
    await Deno.mkdir(`${cwd}/.tmp`);
    await Deno.writeTextFile(`${cwd}/.tmp/secret`, "hunter2");
    for (const sql of ["from read_text('.tmp/secret')", "copy (select 1) to '.tmp/secret'"]) {
      const { success, err } = await asked(sql);
      assert.ok(!success, sql);
      assert.match(err, /disabled by configuration/);
    }
    assert.deepEqual([...Deno.readDirSync(`${cwd}/.beat`)], []);
  });

  it("are each there once, where some are in segments, too", async () => {
    await archived(0, 10);
    assert.deepEqual(inWords(await told(rows)), expected(entries));
    await archived(5, 16);
    assert.deepEqual(inWords(await told(rows)), expected(entries));
  });
});

/** Read the slow way. */
function expected(all: readonly Entry[]): Record<string, unknown>[] {
  const queues = new Map<string, string>();
  return all.map(([id, fields]) => decodeRow(id, fields)).filter((row) => typeof row !== "string")
    .map((row) => {
      const { id, type, task, dueMs, decidedMs, fence, detail } = row;
      for (const [name, queue] of declarationsIn(row)) {
        // A snapshot is of rows long before it.
        if (type !== "journal.snapshot" || !queues.has(name)) queues.set(name, queue);
      }
      return {
        ...{ id, recorded: timeText(millisecondsOf(id)), type, task: task === "" ? null : task },
        ...{ due: dueMs === null ? null : timeText(dueMs), decided: timeText(decidedMs), fence },
        late_ms: type === "fire.published" ? millisecondsOf(id) - dueMs! : null,
        queue: queues.get(task.split("+")[0]!) ?? null,
        detail,
      };
    });
}

// deno-lint-ignore no-explicit-any
function declarationsIn({ type, task, detail }: JournalRow & { detail: any }): [string, string][] {
  if (/^task\.(known|changed)$/.test(type)) return [[task, detail.definition.queue]];
  if (type !== "journal.snapshot") return [];
  // deno-lint-ignore no-explicit-any
  return detail.state.plans.map(({ task, definition }: any) => [task, definition.queue]);
}

function inWords(rows: Record<string, string>[]): Record<string, unknown>[] {
  return rows.map((row) => ({ ...row, detail: JSON.parse(row.detail!) }));
}

/** As DuckDB has them: no more digits of a second than there are. */
function timeText(unixMs: number): string {
  return new Date(unixMs).toISOString().replace(/\.?0*Z$/, "Z");
}
