/** A connection that sentinels lead to the master: with some of them away, and when it changes. */

import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import { afterEach, it } from "@std/testing/bdd";
import { parseRedisUrl } from "../../src/config/redis_url.ts";
import { connect, untilReady } from "../../src/redis/client.ts";
import { unavailable } from "../../src/redis/errors.ts";
import { followMaster } from "../../src/redis/sentinels.ts";
import { needs } from "../support/needs.ts";
import { freePort, startRedis } from "../support/redis_server.ts";
import type { Watched, WatchedOptions } from "../support/sentinels.ts";
import { MASTER_NAME, startWatched } from "../support/sentinels.ts";
import { until } from "../support/until.ts";

needs("redis").describe("connect() by sentinels", () => {
  const endings: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of endings.splice(0).reverse()) await end();
  });

  async function start(options?: WatchedOptions): Promise<Watched> {
    const watched = await startWatched(options);
    endings.push(() => watched.stop());
    return watched;
  }
  /** As a user's URL, `master_name` and password lead to it. */
  function reach(url: string, { masterName = MASTER_NAME, password }: {
    masterName?: string;
    password?: string;
  } = {}): { client: Redis; said: string[] } {
    const parsed = parseRedisUrl(url, { masterName, sentinelPassword: password ?? null });
    assert.ok(parsed.kind === "endpoint");
    const said: string[] = [];
    const log = { info() {}, warn: ({ err }: { err?: Error }) => void said.push(err!.message) };
    const client = connect(parsed.endpoint, { commandTimeoutMs: 400, name: "test", log });
    endings.push(() => client.disconnect());
    return { client, said };
  }
  const ready = (client: Redis) => untilReady(client, AbortSignal.timeout(10_000));
  const portOf = async (client: Redis) =>
    Number(/tcp_port:(\d+)/.exec(await client.info("server"))?.[1]);

  it("finds the master, and the next one after a failover", async () => {
    const watched = await start();
    const { client } = reach(watched.url);
    await ready(client);
    assert.equal(await portOf(client), watched.master.port);
    await watched.failOver();
    await until(async () => await portOf(client) === watched.replica.port);
    assert.equal(await client.set("key", "value"), "OK");
  });

  it("stays where it is when another sentinel tells of the same switch", async () => {
    const servers = [await startRedis(), await startRedis()] as const;
    for (const server of servers) endings.push(() => server.stop());
    // What a sentinel publishes, any server can.
    const [master, sentinel] = servers;
    const client = master.client();
    await ready(client);
    const parsed = parseRedisUrl(`sentinel://127.0.0.1:${sentinel.port}`, {
      ...{ masterName: MASTER_NAME, sentinelPassword: null },
    });
    assert.ok(parsed.kind === "endpoint");
    followMaster(client, parsed.endpoint, 400);
    const say = (port: number) => {
      const text = `${MASTER_NAME} 127.0.0.1 1 127.0.0.1 ${port}`;
      return sentinel.client().publish("+switch-master", text);
    };
    await until(async () => await say(master.port) === 1);
    let closed = 0;
    client.on("close", () => closed++);
    await say(master.port);
    await client.ping();
    assert.equal(closed, 0);
    await say(master.port + 1);
    await until(() => closed === 1);
  });

  it("leaves a master that the sentinels have given up, though that goes on answering", async () => {
    const watched = await start();
    const { client } = reach(watched.url);
    await ready(client);
    // It no longer knows its sentinels, so that nobody tells it that it is a master no more.
    const admin = watched.master.client();
    await admin.acl("SETUSER", "default", "-replicaof", "-slaveof", "-client|kill");
    await watched.failOver();
    await until(async () => await portOf(client) === watched.replica.port);
    assert.match(await admin.info("replication"), /role:master/);
  });

  it("passes over sentinels that are away or say nothing, without a word past the log", async () => {
    const watched = await start();
    const silent = watched.sentinels[0]!;
    silent.pause();
    const url = `sentinel://127.0.0.1:${await freePort()};${watched.url}`;
    const spoken: unknown[] = [];
    const { error } = console;
    console.error = (...words: unknown[]) => void spoken.push(words);
    endings.push(() => console.error = error);
    const { client } = reach(url);
    await ready(client);
    assert.equal(await portOf(client), watched.master.port);
    assert.deepEqual(spoken, []);
    silent.resume();
  });

  it("says that the master is away which the sentinels name", async () => {
    const watched = await start({ count: 1 });
    const { client, said } = reach(watched.url);
    await ready(client);
    await watched.master.kill();
    const isAway = (each: string) => /^the master "\w+" that .* name is away$/.test(each);
    await until(() => said.some(isAway));
    assert.ok(!said.some((each) => /All sentinels/.test(each)), said.join("\n"));
    const { message } = unavailable(new Error(said.find(isAway)), "there", null);
    assert.match(message, /a failover may be under way/);
  });

  it("says that no sentinel answers, that none knows the master, that they want a password", async () => {
    const watched = await start({ count: 1, password: "right" });
    const away = reach(`sentinel://127.0.0.1:${await freePort()}`);
    const other = reach(watched.url, { masterName: "other", password: "right" });
    const without = reach(watched.url);
    const right = reach(watched.url, { password: "right" });
    await until(() => [away, other, without].every(({ said }) => said.length > 0));
    assert.match(away.said[0]!, /^sentinel 127\.0\.0\.1:\d+: it cannot be reached$/);
    assert.match(other.said[0]!, /knows no master "other"/);
    assert.match(without.said[0]!, /NOAUTH/);
    const advice = (said: string[]) => unavailable(new Error(said[0]), "there", null).message;
    assert.match(advice(other.said), /master_name/);
    assert.match(advice(without.said), /BEAT_SENTINEL_PASSWORD/);
    await ready(right.client);
    assert.equal(await portOf(right.client), watched.master.port);
  });
});
