/** Redis forgets its last moments under running replicas: what was decided then is decided anew. */

import { afterEach, describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { startForwarder } from "../support/forwarder.ts";
import { needs } from "../support/needs.ts";
import type { OracleRow } from "../support/oracle.ts";
import {
  dueTimes,
  findings,
  journalReader,
  knownSince,
  owed,
  storiesOf,
} from "../support/oracle.ts";
import { startRedis } from "../support/redis_server.ts";
import type { RunningBeat } from "../support/running_beat.ts";
import type { Stage } from "../support/stage.ts";
import { ALL, entriesEvery, openStage, SEVEN_OFF, yamlOf } from "../support/stage.ts";
import { disorder } from "../support/terms.ts";
import { until } from "../support/until.ts";

const { it } = needs("redis");
const ENTRIES = entriesEvery("0.02", "0.2", "1");
/** Bytes that are cut off the end of the append-only file: some hundred fires. */
const CUT_BYTES = 100_000;

/** What a Redis holds at one moment. */
interface Moment {
  readonly rows: readonly OracleRow[];
  /** Celery ids of the messages in the queue, by fire. */
  readonly messages: ReadonlyMap<string, readonly string[]>;
}

describe("a history that got shorter", () => {
  let stage: Stage;
  let replicas: RunningBeat[] = [];
  const endings: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    await stage?.close();
    for (const end of endings.splice(0)) await end();
    replicas = [];
  });

  async function begin(options: { isPersistent: boolean; url?: string }): Promise<void> {
    const url = options.url === undefined
      ? {}
      : { CELERY_BROKER_URL: options.url, CELERY_RESULT_BACKEND: options.url };
    const env = { ...SEVEN_OFF, BEAT_LEASE_SECONDS: "1", ...url };
    const yaml = `${ALL}\ntasks:\n${yamlOf(ENTRIES)}`;
    const redis = { isPersistent: options.isPersistent, fsync: "everysec" } as const;
    stage = await openStage({ redis, yaml, env });
  }
  async function lead(): Promise<void> {
    replicas = [stage.beat(), stage.beat()];
    await until(async () => (await rowsOf(stage.client)).length > 300);
  }

  /** The two moments fit together: see `problems`. Ends the replicas. */
  async function proved(before: Moment, client: Redis): Promise<void> {
    await until(async () => (await rowsOf(client)).some(({ type }) => type === SHORTENED));
    const endMs = Date.now();
    await until(async () => {
      const cursors = await client.hgetall("beat:cursors");
      return ENTRIES.every(({ name, everyS }) => {
        const decidedMs = Number(cursors[name]?.split(" ")[0]);
        return dueTimes(everyS, decidedMs, endMs).length === 0;
      });
    });
    for (const beat of replicas) assert.equal(await beat.stop(), 143, beat.text());
    const after = await momentOf(client);

    const told = after.rows.filter(({ type }) => type === SHORTENED);
    assert.equal(told.length, 1, JSON.stringify(told));
    const { lost, anew } = comparison(before, after);
    assert.ok(lost.length > 0, "nothing was lost: the fault was too weak");
    const { fromId, toId } = told[0]!.detail;
    assert.equal(fromId, before.rows.findLast(({ id }) => idsOf(after.rows).has(id))?.id);
    // What Beat had not heard of yet when it was lost, it cannot miss.
    assert.ok(idsOf(lost).has(String(toId)) || isAbove(String(toId), lost.at(-1)!.id), `${toId}`);
    // Whoever leads next says it, and so does who had seen the lost rows and stands by.
    const alarms = replicas.map((beat) => beat.log().filter(({ msg }) => ALARM.test(msg)));
    assert.ok(alarms.every((lines) => lines.length <= 1), JSON.stringify(alarms));
    assert.ok(alarms.flat().length > 0 && alarms.flat().every(({ level }) => level === "error"));

    assert.deepEqual(problems(before, after, endMs), []);
    console.log(
      `${lost.length} rows lost, ${anew.length} fires published anew with the ids of before`,
    );
  }

  it("after the append-only file lost its end, each fire of then goes out once more, under its id", async () => {
    await begin({ isPersistent: true });
    await lead();
    // What is read is what was written: nobody writes any more.
    await stage.client.call("CLIENT", "PAUSE", 60_000, "WRITE");
    const before = await momentOf(stage.client);
    await stage.redis.kill();
    await cutLog(stage.redis.dir);
    await stage.redis.restart();
    await proved(before, stage.client);
  });

  it("after a failover to a replica that lagged, too, and no fence is given out twice", async () => {
    const lagging = await startRedis();
    endings.push(() => lagging.stop());
    const late = lagging.client();
    await begin({ isPersistent: false });
    const forwarder = await startForwarder(stage.redis.port);
    endings.push(() => forwarder.stop());
    const url = `redis://127.0.0.1:${forwarder.port}/0`;
    replicas = [0, 1].map(() => stage.beat({ CELERY_BROKER_URL: url, CELERY_RESULT_BACKEND: url }));
    await until(async () => (await rowsOf(stage.client)).length > 100);
    await late.replicaof("127.0.0.1", stage.redis.port);
    await until(async () => (await rowsOf(late)).length > 200);
    // From here on it hears no more of the master.
    await late.replicaof("NO", "ONE");
    const count = (await rowsOf(late)).length;
    const fence = Number(await stage.client.get("beat:fence"));
    for (let terms = 1; terms <= 2; terms++) {
      await stage.client.del("beat:lease");
      await until(async () => Number(await stage.client.get("beat:fence")) >= fence + terms);
    }
    await until(async () => (await rowsOf(stage.client)).length > count + 100);
    forwarder.retarget(lagging.port);
    const before = await momentOf(stage.client);
    assert.equal(Number(await late.get("beat:fence")), fence);
    await proved(before, late);
    const fences = (rows: readonly OracleRow[]) =>
      rows.filter(({ type, fence: each }) => type === "term.started" && each > fence)
        .map((row) => row.fence);
    const [old, fresh] = [fences(before.rows), fences(await rowsOf(late))];
    assert.ok(Math.min(...fresh) > Math.max(...old), `fences ${old}, then ${fresh}`);
  });
});

const SHORTENED = "term.history_shortened";
const ALARM = /^rows of the journal are gone/;

/** Rows that were there before and are not after; and fires that these and the later ones published. */
function comparison(before: Moment, after: Moment) {
  const stayed = idsOf(after.rows);
  const lost = before.rows.filter(({ id }) => !stayed.has(id));
  const fires = new Set(lost.filter(({ type }) => type === "fire.published").map(fireOf));
  const known = idsOf(before.rows);
  const anew = after.rows.filter((row) =>
    row.type === "fire.published" && !known.has(row.id) && fires.has(fireOf(row))
  );
  return { lost, fires, anew };
}

/** Nothing lost; doubled only what the lost rows had published; each message with the id of before. */
function problems(before: Moment, after: Moment, endMs: number): string[] {
  const wanted = owed(ENTRIES, knownSince(after.rows), endMs);
  const stories = storiesOf(after.rows, []);
  const found = findings(wanted, stories, {
    rule: ({ id }) => after.messages.get(id)?.length === 1 ? null : "expected one message",
    isDue: ({ dueMs }) => dueMs > endMs,
  });
  found.push(...disorder(after.rows));
  const { fires } = comparison(before, after);
  const stayed = idsOf(after.rows);
  for (const [id, celeryIds] of before.messages) {
    const row = before.rows.find((each) => each.type === "fire.published" && fireOf(each) === id);
    if (row === undefined) found.push(`${id}: a message without a row`);
    else if (!stayed.has(row.id) && !fires.has(id)) {
      found.push(`${id}: doubled outside of the loss`);
    }
    const now = after.messages.get(id);
    if (now?.[0] !== celeryIds[0]) found.push(`${id}: was ${celeryIds}, is ${now}`);
  }
  return found;
}

function fireOf({ task, dueMs }: OracleRow): string {
  return `${task}@${dueMs}`;
}

function idsOf(rows: readonly OracleRow[]): Set<string> {
  return new Set(rows.map(({ id }) => id));
}

function isAbove(one: string, other: string): boolean {
  const [oneMs, oneNumber] = one.split("-").map(Number) as [number, number];
  const [otherMs, otherNumber] = other.split("-").map(Number) as [number, number];
  return oneMs - otherMs > 0 || (oneMs === otherMs && oneNumber > otherNumber);
}

async function rowsOf(client: Redis): Promise<readonly OracleRow[]> {
  return await journalReader(client).read();
}

async function momentOf(client: Redis): Promise<Moment> {
  const messages = new Map<string, string[]>();
  for (const text of await client.lrange("queue", 0, -1)) {
    const { id, "x-beat-fire-id": fireId } = JSON.parse(text).headers;
    messages.set(fireId, [...messages.get(fireId) ?? [], id]);
  }
  return { rows: await rowsOf(client), messages };
}

/** Takes the end off the append-only file. */
async function cutLog(dir: string): Promise<void> {
  const folder = `${dir}/appendonlydir`;
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".incr.aof")) continue;
    const { size } = await Deno.stat(`${folder}/${name}`);
    assert.ok(size > 2 * CUT_BYTES, `expected more than ${2 * CUT_BYTES} bytes, got ${size}`);
    await Deno.truncate(`${folder}/${name}`, size - CUT_BYTES);
  }
}
