/** A journal whose old rows are gone for good: what stood then is known from the snapshot in Redis. */

import { after, before } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { figuresOf } from "../../src/audit/figures.ts";
import { systemClock } from "../../src/clock.ts";
import { standingPauses } from "../../src/core/pauses.ts";
import { ALL_TASKS, decodeCursor } from "../../src/cursor.ts";
import { memoryArchive } from "../../src/memory/archive.ts";
import { redisJournal } from "../../src/redis/journal.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { retain } from "../../src/retain/retain.ts";
import { beat } from "../support/beat.ts";
import type { CleanJournal } from "../support/clean_journal.ts";
import { cleanJournal, drawsOf } from "../support/clean_journal.ts";
import { needs } from "../support/needs.ts";
import { rowsIn } from "../support/planted.ts";
import { POLICED } from "../support/policed_shop.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { openFiresIn } from "../support/retained.ts";
import { SEVEN_OFF } from "../support/stage.ts";

const { describe, it } = needs("redis");
const KEYS = keysOf("beat", "");

/** Before the first row of a fire that is open, a pause is ordered that stands to the end. */
const SEED = 38;

describe("a journal whose old rows are gone", () => {
  let redis: RedisServer;
  let client: Redis;
  let cwd: string;
  let whole: CleanJournal;
  let keepMs: number;
  const told = async (...args: string[]) => {
    const env = { ...SEVEN_OFF, CELERY_BROKER_URL: redis.url, BEAT_ARCHIVE: `${cwd}/none` };
    const { out, err } = await beat([...args, "--json"], { cwd, env });
    assert.notEqual(out, "", err);
    return JSON.parse(out);
  };
  before(async () => {
    redis = await startRedis();
    client = redis.client();
    cwd = await Deno.makeTempDir({ prefix: "replay-cut-test-" });
    whole = await cleanJournal(drawsOf(SEED), POLICED);
    const rows = rowsIn(whole);
    for (const { id, fields } of whole.entries) await client.xadd(KEYS.journal, id, ...fields);
    await client.hset(KEYS.cursors, Object.fromEntries(whole.cursors));
    if (whole.open.size > 0) await client.hset(KEYS.open, Object.fromEntries(whole.open));
    const { fence } = rows.at(-1)!;
    keepMs = (whole.nowMs - rows[0]!.decidedMs) / 3;
    await client.mset(KEYS.epoch, "epoch-1", KEYS.fence, fence);
    const kept = await retain(
      {
        journal: redisJournal(client, KEYS),
        archive: memoryArchive(),
        clock: systemClock,
        server: { nowMs: () => whole.nowMs },
        limits: { keepMs, maxBytes: 1e12 },
        openFires: () => openFiresIn(whole),
      },
      fence,
      new AbortController().signal,
    );
    assert.ok(kept.kind === "kept" && kept.rows > 20, JSON.stringify(kept));
    const orders = await client.xrange(KEYS.journal, "-", "+");
    assert.ok(orders.every(([, fields]) => fields[3] !== "control.paused"), "no order is left");
  });
  after(async () => {
    await redis?.stop();
    await Deno.remove(cwd, { recursive: true });
  });

  it("is decided as it was, under the pauses of then", async () => {
    const { from_snapshot, differences, tasks } = await told("replay", "--from", "3650d");
    assert.equal(from_snapshot, true);
    assert.deepEqual(differences, []);
    const counts = Object.values(tasks) as { compared: number; unreadable: number }[];
    assert.ok(counts.some(({ compared }) => compared > 0));
    assert.ok(counts.every(({ unreadable }) => unreadable === 0));
  });

  it("has them in the state at a time, and nothing to find in them", async () => {
    const cursors = [...whole.cursors].map(([name, text]) => [name, decodeCursor(text)] as const);
    const standing = [...standingPauses(new Map(cursors), whole.nowMs).keys()];
    assert.ok(standing.length > 0);
    const { pauses } = await told("replay", "--state-at", new Date(whole.nowMs).toISOString());
    const names = pauses.map(({ task }: { task: string | null }) => task ?? ALL_TASKS);
    assert.deepEqual(names.sort(), standing.sort());
    const since = new Date(whole.nowMs - 1_000).toISOString();
    const { findings } = await told("audit", "--verify", "--since", since);
    assert.deepEqual(findings.filter(({ kind }: { kind: string }) => kind === "differs"), []);
  });

  it("has figures of the queues of tasks that were declared in them", async () => {
    const sinceMs = Math.floor(whole.nowMs - keepMs / 2);
    const { figures } = await told(
      "audit",
      "--figures",
      "--since",
      new Date(sinceMs).toISOString(),
    );
    const all = figuresOf({ sinceMs, untilMs: Infinity });
    for (const row of rowsIn(whole)) all.take(row);
    const peaks = [...all.queues].map(([queue, { withJitter }]) => [queue, withJitter]);
    const shown = Object.entries<{ with_jitter: number }>(figures.queue_peaks);
    assert.deepEqual(shown.map(([queue, { with_jitter }]) => [queue, with_jitter]), peaks);
  });
});
