/** The link and the tap against a real server: what they say happens, happens. */

import { after, before, describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { Redis } from "ioredis";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import type { Link } from "./link.ts";
import { openLink } from "./link.ts";
import type { Group } from "./tap.ts";
import { openTap } from "./tap.ts";

const { it, missing } = needs("redis");

describe("a link", () => {
  let redis: RedisServer;
  let direct: Redis;
  let link: Link;
  let through: Redis;
  before(async () => {
    if (missing !== null) return;
    redis = await startRedis();
    direct = redis.client();
    link = openLink(redis.port);
    through = new Redis(link.port, "127.0.0.1", {
      retryStrategy: () => 20,
      maxRetriesPerRequest: 0,
    });
    through.on("error", () => {});
  });
  after(async () => {
    through?.disconnect();
    await link?.close();
    await redis?.stop();
  });
  const isUp = () => until(async () => await through.ping() === "PONG");

  it("forwards both ways", async () => {
    await through.set("a", "1");
    assert.equal(await direct.get("a"), "1");
  });

  it("delivers what it held, also from a client that has gone", async () => {
    await isUp();
    link.hold(["request"]);
    const sent = through.set("late", "1").catch(() => {});
    await until(() => through.status === "ready");
    // The bytes are on their way once the socket has taken them.
    await new Promise((resolve) => setTimeout(resolve, 50));
    through.disconnect(true);
    await sent;
    assert.equal(await direct.get("late"), null);
    link.release("deliver");
    await until(async () => await direct.get("late") === "1");
  });

  it("swallows the reply and not the request", async () => {
    await isUp();
    link.swallow(1, "marked");
    await assert.rejects(through.set("marked", "1"));
    assert.equal(await direct.get("marked"), "1");
    assert.equal(link.swallowed, 1);
    link.heal();
  });

  it("refuses, until it heals", async () => {
    await isUp();
    link.refuse(true);
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: link.port });
    assert.equal(await conn.read(new Uint8Array(1)).catch(() => null), null);
    conn.close();
    link.heal();
    await isUp();
  });

  it("counts what is answered fenced on a publishing connection", async () => {
    const publishing = new Redis(link.port, "127.0.0.1", { connectionName: "beat-publish" });
    await publishing.eval("return {1}", 0);
    await through.eval("return {1}", 0);
    publishing.disconnect();
    assert.equal(link.fenced, 1);
  });

  it("leads to another server", async () => {
    const other = await startRedis();
    link.lead(other.port);
    await isUp();
    await through.set("here", "1");
    assert.equal(await direct.get("here"), null);
    link.lead(redis.port);
    await other.stop();
  });
});

describe("a tap", () => {
  it("hears each step whole, in order, and nothing from before", async () => {
    const redis = await startRedis();
    const client = redis.client();
    await client.set("before", "1");
    const groups: Group[] = [];
    const tap = await openTap(redis.port, (group) => groups.push(group));
    await client.set("a", "ä");
    await client.eval(
      "redis.call('LPUSH', 'q', 'm') return redis.call('XADD', 's', '*', 'k', 'v')",
      0,
    );
    await until(() => groups.flat().some(([name]) => name?.toUpperCase() === "XADD"));
    const words = groups.map((group) => group.map(([name]) => name?.toUpperCase()));
    assert.deepEqual(words.filter(([name]) => name !== "PING" && name !== "SELECT"), [
      ["SET"],
      ["LPUSH", "XADD"],
    ]);
    assert.equal(groups.flat().find(([name]) => name === "set")?.[2], "ä");
    await redis.kill();
    await tap.ended;
    await redis.stop();
  });
});
