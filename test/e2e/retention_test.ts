/** A journal in a real Redis whose old rows went to real files: whoever looks does not notice. */

import { after, before } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { directoryArchive, historyDirectory } from "../../src/archive/directory.ts";
import { redisJournal } from "../../src/redis/journal.ts";
import { keysOf } from "../../src/redis/keys.ts";
import type { RetainParts } from "../../src/retain/retain.ts";
import { retain } from "../../src/retain/retain.ts";
import { systemClock } from "../../src/clock.ts";
import { beat } from "../support/beat.ts";
import type { CleanJournal } from "../support/clean_journal.ts";
import { cleanJournal, drawsOf } from "../support/clean_journal.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { openFiresIn } from "../support/retained.ts";
import { sqlBeat } from "../support/sql_beat.ts";

const { describe, it } = needs("redis");

const KEYS = keysOf("beat", "");
const SIGNAL = new AbortController().signal;
const OFF = Object.fromEntries([
  ...["POSTGRES_BACKUP", "USER_EMAIL_CSV_EXPORT", "BACKTEST_STALE_JOB_CLEANUP", "PAPER_TRADING"],
  ...["NOTIFICATIONS", "TRADING_APPROVAL"],
].map((name) => [`${name}_ENABLED`, "false"]));

describe("a journal whose old rows are in files", () => {
  let redis: RedisServer;
  let client: Redis;
  let cwd: string;
  let whole: CleanJournal;
  let uncut: string[];
  const env = () => ({ ...OFF, CELERY_BROKER_URL: redis.url, BEAT_ARCHIVE: `${cwd}/archive` });
  const told = async (...args: string[]) => {
    const { code, out, err } = await beat(args, { cwd, env: env() });
    assert.ok(code === 0 || code === 3, out + err);
    return out;
  };
  const all = () =>
    Promise.all([
      told("journal", "--json", "--since", "3650d", "--type", "fire", "--type", "task"),
      told("journal", "--json", "-n", "100000", "--type", "fire"),
      told("audit", "--json", "--since", "3650d", "--until", untilText(whole)).then(findingsIn),
      told("why", "a.each", new Date(midMs(whole)).toISOString()),
    ]);
  const parts = (owner: string): RetainParts => ({
    journal: redisJournal(client, KEYS),
    archive: directoryArchive(historyDirectory(`${cwd}/archive`, "beat", "epoch-1"), owner),
    clock: systemClock,
    server: { nowMs: () => whole.nowMs },
    limits: { keepMs: (whole.nowMs - firstMs(whole)) / 3, maxBytes: 1e12 },
    openFires: () => openFiresIn(whole),
  });
  const fence = () => Number(whole.entries.at(-1)!.fields[11]);

  before(async () => {
    redis = await startRedis();
    client = redis.client();
    cwd = await Deno.makeTempDir({ prefix: "retention-test-" });
    whole = await cleanJournal(drawsOf(6));
    for (const { id, fields } of whole.entries) await client.xadd(KEYS.journal, id, ...fields);
    await client.hset(KEYS.cursors, Object.fromEntries(whole.cursors));
    if (whole.open.size > 0) await client.hset(KEYS.open, Object.fromEntries(whole.open));
    await client.mset(KEYS.epoch, "epoch-1", KEYS.fence, fence());
    uncut = await all();
  });
  after(async () => {
    await redis.stop();
    await Deno.remove(cwd, { recursive: true });
  });

  it("tells the same as before, and the snapshot fits", async () => {
    const lengthBefore = await client.xlen(KEYS.journal);
    // Two leaders of which one is paused in the middle would write the same.
    const replies = [];
    for (const owner of ["one", "two"]) replies.push(await retain(parts(owner), fence(), SIGNAL));
    assert.ok(replies[0]!.kind === "kept" && replies[0]!.rows > 10, JSON.stringify(replies));
    assert.equal(await client.xlen(KEYS.journal), lengthBefore + 1 - replies[0]!.rows);
    assert.deepEqual(await all(), uncut);
    const verified = await beat(["audit", "--verify", "--since", "3650d", "--json"], {
      cwd,
      env: env(),
    });
    const { findings } = JSON.parse(verified.out);
    assert.deepEqual(findings.filter(({ kind }: { kind: string }) => kind === "differs"), []);
  });

  it("is verified from its snapshot alone, and where that was changed", async () => {
    const args = ["audit", "--verify", "--json"];
    const since = new Date(whole.nowMs - 1_000).toISOString();
    const verify = async () => {
      const { out, err } = await beat([...args, "--since", since], {
        cwd,
        env: { ...env(), BEAT_ARCHIVE: `${cwd}/nowhere` },
      });
      assert.notEqual(out, "", err);
      return JSON.parse(out).findings.filter(({ kind }: { kind: string }) => kind === "differs");
    };
    assert.deepEqual(await verify(), []);
    await client.hset(KEYS.cursors, "a.each", "1767225600000 aaaaaaaa.bbbbbbbb");
    assert.equal((await verify()).length, 1);
    const own = whole.cursors.get("a.each");
    if (own === undefined) await client.hdel(KEYS.cursors, "a.each");
    else await client.hset(KEYS.cursors, "a.each", own);
  });

  it("leaves rows in Redis where they cannot be written", async () => {
    await Deno.writeTextFile(`${cwd}/file`, "");
    const archive = directoryArchive(`${cwd}/file/below`, "one");
    const length = await client.xlen(KEYS.journal);
    const limits = { keepMs: 1, maxBytes: 1 };
    const openFires = () => new Set<string>();
    const wrong = { ...parts("one"), archive, limits, openFires };
    await assert.rejects(retain(wrong, fence(), SIGNAL), /expected to be able to/);
    assert.equal(await client.xlen(KEYS.journal), length);
  });

  it("answers in SQL, and is written out", async () => {
    const sql = (...args: string[]) => sqlBeat(args, { cwd, env: env() });
    const count = "select count(*) as n, count(distinct id) as ids from journal where type like";
    const counted = await sql("audit", "sql", "--json", `${count} 'fire.%'`);
    assert.ok(counted.success, counted.err);
    const rows = JSON.parse(counted.out);
    const wanted = whole.entries.filter(({ fields }) => FIRE.test(fields[3]!)).length;
    assert.deepEqual(rows, [{ n: wanted, ids: wanted }]);
    const fires = await sql(
      ...["audit", "sql", "--json"],
      "select queue, min(published) as first from fires where published is not null group by queue",
    );
    for (const { queue, first } of JSON.parse(fires.out)) {
      assert.match(queue, /^(one|two)$/);
      assert.match(first, /^\d{4}-\d\d-\d\dT.*Z$/);
    }
    const refused = await sql("audit", "sql", "select * from read_text('/etc/hostname')");
    assert.match(refused.err, /DuckDB does not take this: Permission Error/);

    const parquet = `${cwd}/rows.parquet`;
    const written = await sql("journal", "export", "--format", "parquet", "-o", parquet);
    assert.ok(written.success, written.err);
    assert.equal(new TextDecoder().decode(Deno.readFileSync(parquet).slice(0, 4)), "PAR1");
    const csv = await told("journal", "export", "--format", "csv");
    const ndjson = await told("journal", "export");
    assert.equal(csv.trimEnd().split("\r\n").length, whole.entries.length + 2);
    assert.equal(ndjson.trimEnd().split("\n").length, whole.entries.length + 1);
    assert.deepEqual([...Deno.readDirSync(`${cwd}/.beat`)], []);
    const without = await beat(["audit", "sql", "select 1"], { cwd, env: env() });
    assert.match(without.err, /deno task sql/);
  });

  it("is examined all the same where a file of it is cut short, or none is there", async () => {
    const archiveLine = async (own: Record<string, string> = {}) => {
      const { out, err } = await beat(["doctor", "--json"], { cwd, env: { ...env(), ...own } });
      const checks: { subject: string; level: string; text: string }[] = JSON.parse(out || err);
      assert.ok(checks.some(({ subject }) => subject.startsWith("task ")), out);
      return checks.find(({ subject }) => subject === "archive")!;
    };
    const elsewhere = await archiveLine({ BEAT_ARCHIVE: `${cwd}/nowhere` });
    assert.equal(elsewhere.level, "warning");
    assert.match(elsewhere.text, /0 rows in 0 files, and \d+ rows left Redis$/);
    const directory = historyDirectory(`${cwd}/archive`, "beat", "epoch-1");
    const [{ name }] = [...Deno.readDirSync(directory)] as [Deno.DirEntry];
    await Deno.truncate(`${directory}/${name}`, 200);
    const cut = await archiveLine();
    assert.equal(cut.level, "failure");
    assert.match(cut.text, /expected to be able to read .*\.gz, got: unexpected end of file; put/);
  });

  it("answers from the rows that can be read, and says which cannot", async () => {
    const ask = (...args: string[]) => beat(args, { cwd, env: env() });
    const { fields } = whole.entries.findLast(({ fields }) => fields[3] === "p")!;
    const newest = await ask("why", `${fields[5]}@${fields[7]}`);
    assert.equal(newest.code, 0, newest.err);
    assert.match(newest.out, /Z {2}published, \d+ ms after it was due/);
    assert.match(
      newest.err,
      /^without the rows of a damaged file: expected to be able to read .*gz/,
    );
    const hidden = await ask("why", "a.each", new Date(midMs(whole)).toISOString());
    assert.equal(hidden.code, 1, hidden.out);
    assert.match(hidden.err, /^error: expected to be able to read .*gz/);
    await Deno.mkdir(`${cwd}/env`);
    const config = `${cwd}/env/beat.yaml`;
    const entry = "task: report, queue: reports, every: 1h";
    await Deno.writeTextFile(config, `version: 1\ntasks: { not.due.lately: { ${entry} } }\n`);
    const listed = await ask("-c", config, "tasks");
    assert.equal(listed.code, 0, listed.err);
    assert.match(listed.out, /^not\.due\.lately +new/m);
    assert.match(listed.err, /^without the rows of a damaged file: expected .*gz/m);
    const { code, err } = await ask("leader");
    assert.deepEqual([code, err.split(":")[0]], [4, "nobody leads"]);
  });
});

/** Types as the stream has them. */
const FIRE = /^(fire\..*|[ptafx])$/;

function firstMs({ entries }: CleanJournal): number {
  return Number(entries[0]!.id.split("-")[0]);
}

/** In the part that goes to the archive. */
function midMs(whole: CleanJournal): number {
  return Math.round((whole.nowMs + 5 * firstMs(whole)) / 6);
}

function untilText({ nowMs }: CleanJournal): string {
  return new Date(nowMs).toISOString();
}

/** What does not hang on when it was asked, nor on how many rows were read. */
function findingsIn(text: string): string {
  const { sum, tasks, finding_counts, findings } = JSON.parse(text);
  const kinds = findings.map(({ text: _, ...rest }: { text: string }) => rest);
  return JSON.stringify({ sum, tasks, finding_counts, kinds }, null, 2);
}
