/** Rows that leave Redis for the archive while somebody reads them: each is read once, whoever reads. */

import { afterEach, beforeEach } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { acrossJournal, acrossPages } from "../../src/archive/across.ts";
import { lineOf } from "../../src/archive/line.ts";
import type { JournalRow } from "../../src/event.ts";
import { memoryArchive } from "../../src/memory/archive.ts";
import type { ReadRange } from "../../src/ports.ts";
import { readPages } from "../../src/redis/bulk_read.ts";
import { redisJournal } from "../../src/redis/journal.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { peekingJournal } from "../../src/redis/peek.ts";
import { firstRowId } from "../../src/redis/read.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";

const { describe, it } = needs("redis");

/** What `readPages` takes behind connection and keys. */
type Moving = Parameters<typeof readPages> extends [unknown, unknown, ...infer Rest] ? Rest : never;

const KEYS = keysOf("beat", "");
const ROWS = 5_000;
/** Beyond what any of them has read ahead by then. */
const MOVED = 4_500;

describe("a journal whose rows are archived and cut off while it is read", () => {
  let redis: RedisServer;
  let client: Redis;
  beforeEach(async () => {
    redis = await startRedis();
    client = redis.client();
    const pipeline = client.pipeline();
    for (let at = 1; at <= ROWS; at++) {
      const own = ["v", "1", "t", "p", "k", "a", "d", "1000", "m", "5", "f", "3", "p", ""];
      pipeline.xadd(KEYS.journal, `${at}-0`, ...own);
    }
    await pipeline.exec();
  });
  afterEach(() => redis.stop());

  const archive = memoryArchive();
  const hot = () => ({ ...redisJournal(client, KEYS), firstId: () => firstRowId(client, KEYS) });
  const readers: Record<string, (range: ReadRange) => AsyncIterable<readonly JournalRow[]>> = {
    rows: (range) => oneByOne(acrossJournal(archive, hot()).read(range)),
    peek: (range) =>
      oneByOne(acrossJournal(archive, { ...hot(), ...peekingJournal(client, KEYS) }).read(range)),
    pages: (range) => {
      const firstId = () => firstRowId(client, KEYS);
      const pages = (...args: Moving) => readPages(client, KEYS, ...args);
      return acrossPages(archive, { firstId, pages }, range);
    },
  };

  async function move(): Promise<void> {
    const rows: JournalRow[] = [];
    for await (const row of hot().read({ from: "-", to: `${MOVED}-0` })) rows.push(row);
    const segment = { firstId: rows[0]!.id, lastId: rows.at(-1)!.id, rows: rows.length };
    await archive.write(segment, rows.map(lineOf));
    await client.xtrim(KEYS.journal, "MINID", `${MOVED + 1}-0`);
  }

  for (const [name, read] of Object.entries(readers)) {
    for (
      const range of [{ from: "-", to: "+" }, { from: "5", to: "+" }, { from: "5", to: "4300" }]
    ) {
      it(`${name} from ${range.from} to ${range.to} gives each row once`, async () => {
        archive.files.clear();
        const ids: string[] = [];
        for await (const rows of read(range)) {
          if (ids.length === 0) await move();
          ids.push(...rows.map(({ id }) => id));
        }
        const from = range.from === "-" ? 1 : Number(range.from);
        const to = range.to === "+" ? ROWS : Number(range.to);
        const wanted = Array.from({ length: to - from + 1 }, (_, at) => `${from + at}-0`);
        assert.deepEqual(ids, wanted);
      });
    }
  }

  it("backwards gives each row once, though the journal began before the range", async () => {
    archive.files.clear();
    const ids: string[] = [];
    for await (const { id } of acrossJournal(archive, hot()).readBack({ from: "5", to: "+" })) {
      if (ids.length === 0) await move();
      ids.push(id);
    }
    assert.equal(ids.length, ROWS - 4);
    assert.equal(new Set(ids).size, ids.length);
  });
});

async function* oneByOne(rows: AsyncIterable<JournalRow>): AsyncGenerator<JournalRow[]> {
  for await (const row of rows) yield [row];
}
