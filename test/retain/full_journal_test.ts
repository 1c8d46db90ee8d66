/** What retention takes for the size of a journal in a real Redis, where snapshots stand in it. */

import assert from "node:assert/strict";
import { after, before, beforeEach } from "@std/testing/bdd";
import type { Redis } from "ioredis";
import { definitionOf } from "../../src/core/reconcile.ts";
import type { Row } from "../../src/event.ts";
import { memoryArchive } from "../../src/memory/archive.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import type { Journal } from "../../src/ports.ts";
import { redisJournal } from "../../src/redis/journal.ts";
import { keysOf } from "../../src/redis/keys.ts";
import type { RetainParts } from "../../src/retain/retain.ts";
import { retain } from "../../src/retain/retain.ts";
import { revisionOf } from "../../src/task.ts";
import { aTask } from "../support/build.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { FENCE, STILL } from "../support/retained.ts";
import { cursorAt, skipStep, T0 } from "../support/steps.ts";

const { describe, it } = needs("redis");

const KEYS = keysOf("beat", "");
const SIGNAL = new AbortController().signal;
const MINUTE_MS = 60_000;
/** What they come to takes several rows of a snapshot. */
const TASKS = 600;
/** None of the rows is as old. */
const KEEP_MS = 365 * 86_400_000;

describe("retain() on a journal with snapshots in it", () => {
  let redis: RedisServer;
  let client: Redis;
  before(async () => {
    redis = await startRedis();
    client = redis.client();
  });
  after(() => redis.stop());
  beforeEach(async () => void await client.flushall());

  async function toRedis({ store, partsFor }: Shop, maxBytes: number): Promise<RetainParts> {
    for (const { id, fields } of store.entries) await client.xadd(KEYS.journal, id, ...fields);
    await client.hset(KEYS.cursors, Object.fromEntries(store.cursors));
    await client.set(KEYS.fence, FENCE);
    return partsFor(redisJournal(client, KEYS), { keepMs: KEEP_MS, maxBytes });
  }

  it("cuts nothing off where one stands near the beginning and it is not full", async () => {
    const shop = await aShop();
    await shop.decide(2_000);
    await shop.keep(1_000);
    await shop.decide(900);
    await shop.keep(901);
    await shop.decide(2_000);
    const types = shop.store.entries.map(({ fields }) => fields[3]);
    const first = types.indexOf("journal.snapshot");
    assert.ok(first >= 0 && first < 5, `${first}`);
    const parts = await toRedis(shop, 1_700_000);
    const { bytes, firstId } = await parts.journal.extent();
    assert.ok(bytes! > 800_000 && bytes! < 1_500_000, `${bytes}`);
    assert.deepEqual(await retain(parts, FENCE, SIGNAL), { kind: "kept", rows: 0, heldBy: null });
    assert.equal((await parts.journal.extent()).firstId, firstId);
  });

  it("makes room for the next one where those in its middle have made it full", async () => {
    const shop = await aShop();
    await shop.decide(3_000);
    await shop.keep(2_000);
    await shop.decide(500);
    await shop.keep(1_000);
    await shop.decide(1_500);
    const parts = await toRedis(shop, 1_150_000);
    const { bytes } = await parts.journal.extent();
    assert.ok(bytes! > 0.9 * 1_150_000, `${bytes}`);
    const kept = await retain(parts, FENCE, SIGNAL);
    assert.ok(kept.kind === "kept" && kept.rows > 1_000, JSON.stringify(kept));
    const left = await parts.journal.extent();
    assert.ok(left.bytes! > 0.65 * 1_150_000 && left.bytes! < 0.8 * 1_150_000, `${left.bytes}`);
    // One look is enough.
    assert.deepEqual(await retain(parts, FENCE, SIGNAL), { kind: "kept", rows: 0, heldBy: null });
  });
});

type Shop = Awaited<ReturnType<typeof aShop>>;

/** Many tasks are declared at once, and one more is skipped each minute. */
async function aShop() {
  let nowMs = T0;
  const journal = memoryJournal({ serverMs: () => nowMs, fence: FENCE });
  const archive = memoryArchive();
  const partsFor = (own: Journal, limits: RetainParts["limits"]): RetainParts => ({
    ...{ journal: own, archive, limits, clock: STILL },
    server: { nowMs: () => nowMs },
    openFires: () => new Set(),
  });
  for (let at = 0; at < TASKS; at++) await journal.commit([knownStep(`task.${at}`)], FENCE);
  let minutes = 0;
  return {
    store: journal.store,
    partsFor,
    async decide(count: number): Promise<void> {
      for (let each = 0; each < count; each++) {
        const dueMs = T0 + minutes * MINUTE_MS;
        nowMs = dueMs;
        await journal.commit([skipStep(minutes === 0 ? null : dueMs - MINUTE_MS, dueMs)], FENCE);
        minutes++;
      }
    },
    /** Cuts off what is older than some minutes. */
    async keep(count: number): Promise<void> {
      const limits = { keepMs: count * MINUTE_MS, maxBytes: 1e12 };
      const kept = await retain(partsFor(journal, limits), FENCE, SIGNAL);
      assert.ok(kept.kind === "kept" && kept.rows > 0, JSON.stringify(kept));
    },
  };
}

function knownStep(name: string) {
  const task = aTask({ name });
  const revision = revisionOf(task);
  const detail = { revision, definition: definitionOf(task) };
  const row: Row = { type: "task.known", task: name, dueMs: T0, decidedMs: T0, detail };
  return { ...skipStep(null, T0), task: name, next: cursorAt(T0, revision), row };
}
