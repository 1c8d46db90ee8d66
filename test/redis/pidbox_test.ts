import { after, before } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { REPLY_BINDING } from "../../src/celery/pidbox.ts";
import { connect, untilReady } from "../../src/redis/client.ts";
import { askWorkers } from "../../src/redis/pidbox.ts";
import { endpointAt } from "../support/endpoint.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";

const { describe, it } = needs("redis");
const TRANSPORT = { globalKeyPrefix: "p:", sep: "\x06\x16" };

describe("askWorkers()", () => {
  let redis: RedisServer;
  let client: ReturnType<typeof connect>;
  before(async () => {
    redis = await startRedis();
    client = connect(endpointAt(redis.port), { name: "test", commandTimeoutMs: 5_000 });
    await untilReady(client, AbortSignal.timeout(10_000));
  });
  after(async () => {
    client.disconnect();
    await redis.stop();
  });

  /** As a worker: answers each question that it hears while a binding for the answer is there. */
  async function aWorker(name: string, queues: readonly string[]): Promise<string[]> {
    const [ear, hand] = [redis.client(), redis.client()];
    const lists: string[] = [];
    await ear.subscribe("p:/0.celery.pidbox");
    ear.on("message", async (_channel, text) => {
      const question = JSON.parse(atob(JSON.parse(text).body));
      const [member] = await hand.smembers(`p:${REPLY_BINDING}`);
      const list = `p:${member!.split("\x06\x16").at(-1)}`;
      lists.push(list);
      const body = btoa(JSON.stringify({ [name]: queues.map((queue) => ({ name: queue })) }));
      await hand.lpush(
        list,
        JSON.stringify({
          ...{ body, properties: { body_encoding: "base64" } },
          headers: { ticket: question.ticket },
        }),
      );
    });
    return lists;
  }

  it("says nothing where nobody answers, and leaves nothing that stays", async () => {
    const answers = await askWorkers(client, {
      ...{ database: 0, transport: TRANSPORT, waitMs: 100 },
      isEnough: () => false,
    });
    assert.deepEqual(answers, []);
    const keys = await client.keys("*");
    assert.equal(keys.length, 1, keys.join());
    const leftMs = await client.pttl(keys[0]!);
    assert.ok(leftMs > 0 && leftMs <= 5_000, `${keys[0]} lives for ${leftMs} ms`);
  });

  it("collects answers until there are enough, and leaves nothing that stays", async () => {
    const lists = await aWorker("io@host", ["maintenance", "market_data"]);
    await aWorker("cpu@host", ["stress"]);
    const answers = await askWorkers(client, {
      ...{ database: 0, transport: TRANSPORT, waitMs: 10_000 },
      isEnough: (some) => some.length === 2,
    });
    assert.deepEqual(
      answers!.toSorted((one, other) => one.worker < other.worker ? 1 : -1),
      [
        { worker: "io@host", queues: ["maintenance", "market_data"], hands: null },
        { worker: "cpu@host", queues: ["stress"], hands: null },
      ],
    );
    assert.equal(await client.exists(`p:${REPLY_BINDING}`), 0);
    // An answer that comes after the end goes with the list.
    await client.lpush(lists[0]!, "late");
    assert.ok(await client.pttl(lists[0]!) > 0);
  });

  it("reads each answer once, however long it waits for others", async () => {
    let read = 0;
    const counting = new Proxy(client, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (name !== "lrange") return typeof value === "function" ? value.bind(target) : value;
        return async (...args: Parameters<typeof client.lrange>) => {
          const texts = await client.lrange(...args);
          read += texts.length;
          return texts;
        };
      },
    });
    const answers = await askWorkers(counting, {
      ...{ database: 0, transport: TRANSPORT, waitMs: 300 },
      isEnough: () => false,
    });
    assert.ok(answers!.length > 0);
    assert.equal(read, answers!.length);
  });

  for (const missing of ["publish", "expire", "sadd"]) {
    it(`answers null where the user may not ${missing}, and leaves nothing that stays`, () =>
      answersNull(missing));
  }

  async function answersNull(missing: string): Promise<void> {
    const admin = redis.client();
    await admin.flushdb();
    const rights = ["reset", "on", ">pass", "~*", "&*", "+@all", `-${missing}`];
    await admin.acl("SETUSER", "looker", ...rights);
    const endpoint = { ...endpointAt(redis.port), username: "looker", password: "pass" };
    const looker = connect(endpoint, { name: "looker", commandTimeoutMs: 5_000 });
    try {
      await untilReady(looker, AbortSignal.timeout(10_000));
      const answers = await askWorkers(looker, {
        ...{ database: 0, transport: TRANSPORT, waitMs: 5_000 },
        isEnough: () => false,
      });
      assert.equal(answers, null);
      for (const key of await admin.keys("*")) {
        assert.ok(await admin.pttl(key) > 0, `${key} stays`);
      }
    } finally {
      looker.disconnect();
    }
  }
});
