/** Very many rows: the answers that the reader takes apart itself are those that the client would give. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "@std/testing/bdd";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { Redis } from "ioredis";
import { JournalUnavailableError } from "../../src/errors.ts";
import type { JournalRow } from "../../src/event.ts";
import { readPages } from "../../src/redis/bulk_read.ts";
import { entryParser } from "../../src/redis/entry_parser.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { readRows } from "../../src/redis/read.ts";
import { answerOf } from "../support/redis_answer.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";

const KEYS = keysOf("beat", "");

describe("readPages()", () => {
  let redis: RedisServer;
  let client: Redis;
  before(async () => {
    redis = await startRedis();
    client = redis.client();
  });
  after(() => redis.stop());

  it("gives the rows that readRows gives, and tells of the same foreign entries", async () => {
    const pipeline = client.pipeline();
    for (let index = 0; index < 2_345; index++) {
      const task = index % 7 === 0 ? "a.task.with.a.long.name" : `t${index}`;
      const payload = index % 3 === 0 ? '{"note":"für 東京"}' : "";
      const own = ["v", "1", "t", "p", "k", task, "d", "1000", "m", "5", "f", "3", "p", payload];
      pipeline.xadd(KEYS.journal, "*", ...(index % 100 === 50 ? ["who", "knows"] : own));
    }
    await pipeline.exec();
    const [fast, slow] = [newTold(), newTold()];
    for await (const page of readPages(client, KEYS, { from: "-", to: "+" }, fast.onForeign)) {
      fast.rows.push(...page);
    }
    const options = { isBackwards: false, onForeign: slow.onForeign };
    for await (const row of readRows(client, KEYS, { from: "-", to: "+" }, options)) {
      slow.rows.push(row);
    }
    assert.equal(slow.rows.length, 2_345 - 23);
    assert.deepEqual(fast.rows, slow.rows);
    assert.deepEqual(fast.foreign, slow.foreign);
  });

  it("leaves the connection that it was given as it was", async () => {
    for await (const _page of readPages(client, KEYS, { from: "-", to: "+" })) break;
    assert.equal(await client.ping(), "PONG");
  });

  it("says what Redis refuses", async () => {
    const other = keysOf("other", "");
    await client.set(other.journal, "no stream");
    const pages = readPages(client, other, { from: "-", to: "+" });
    await assert.rejects(pages.next(), (error) => {
      assert.ok(error instanceof JournalUnavailableError);
      assert.match(error.message, /WRONGTYPE/);
      return true;
    });
  });
});

describe("entryParser()", () => {
  it("reads an answer that comes in pieces, and the one behind it", () => {
    const field = fc.string({ unit: "grapheme" });
    const answers = fc.array(fc.array(fc.tuple(field, fc.array(field))), { maxLength: 4 });
    fc.assert(fc.property(answers, fc.array(fc.nat({ max: 40 })), (wanted, sizes) => {
      const parser = entryParser();
      const got = wanted.map((answer) => {
        let bytes = Buffer.from(answerOf(answer));
        for (const size of sizes) {
          const piece = bytes.subarray(0, Math.min(size, bytes.length - 1));
          assert.equal(parser.push(piece), null);
          bytes = bytes.subarray(piece.length);
        }
        return parser.push(bytes);
      });
      assert.deepEqual(got, wanted);
    }));
  });

  it("does not take another kind of answer for entries", () => {
    assert.throws(() => entryParser().push(Buffer.from("+OK\r\n")), /expected entries/);
    assert.throws(() => entryParser().push(Buffer.from("-ERR no\r\n")), { message: "ERR no" });
  });
});

function newTold() {
  const rows: JournalRow[] = [];
  const foreign: [string, string][] = [];
  return { rows, foreign, onForeign: (...each: [string, string]) => void foreign.push(each) };
}
