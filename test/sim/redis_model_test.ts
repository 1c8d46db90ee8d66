import { beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { ModelRedis } from "./redis_model.ts";
import { modelRedis } from "./redis_model.ts";
import { SCRIPT_TEXTS, scriptPorts } from "./redis_scripts.ts";
import { shaOf } from "./redis_scripting.ts";
import type { Reply } from "./redis_words.ts";
import { ReplyError } from "./redis_words.ts";

const START_MS = 1_700_000_000_000;
const LEASE_SHA = shaOf(SCRIPT_TEXTS.lease);
const TAKE = ["3", "b:l", "b:f", "b:e", "take", "me", "5000", "0", "e", "1", "300000"] as const;

describe("modelRedis()", () => {
  let nowMs = START_MS;
  let redis: ModelRedis;
  beforeEach(() => {
    nowMs = START_MS;
    redis = make();
  });

  function make(fsync: "always" | "everysec" = "everysec"): ModelRedis {
    return modelRedis({ nowMs: () => nowMs, fsync, scripts: scriptPorts() });
  }

  function ask(server: ModelRedis, ...command: string[]): Reply {
    return server.execute(server.accept(() => {}, () => {})!, command);
  }

  it("loses what was not synced in a power failure, whole steps at a time", () => {
    ask(redis, "EVAL", SCRIPT_TEXTS.lease, ...TAKE);
    redis.sync();
    ask(redis, "SET", "k", "1");
    ask(redis, "XADD", "s", "*", "f", "1");
    redis.crash(redis.log.syncedOffset);
    redis.start();
    assert.deepEqual(redis.keys().sort(), ["b:e", "b:f", "b:l"]);
    assert.equal(ask(redis, "GET", "b:l"), `me ${START_MS}`);
  });

  it("loses nothing under fsync always, and nothing when only its process is killed", () => {
    const always = make("always");
    for (const each of [always, redis]) ask(each, "SET", "k", "1");
    always.crash(always.log.syncedOffset);
    redis.crash();
    for (const each of [always, redis]) {
      each.start();
      assert.equal(ask(each, "GET", "k"), "1");
    }
  });

  it("can be cut back within its log, however long that grew", () => {
    for (let count = 0; count < 10_000; count++) ask(redis, "RPUSH", "l", `${count}`);
    const { baseOffset, offset } = redis.log;
    assert.ok(offset - baseOffset >= 2_000 && baseOffset > 0);
    redis.crash(offset - 2_000);
    redis.start();
    assert.equal(ask(redis, "LLEN", "l"), 8_000);
    assert.equal(ask(redis, "LINDEX", "l", "-1"), "7999");
  });

  it("closes its connections and forgets its scripts when it crashes", () => {
    let closed = 0;
    redis.accept(() => {}, () => closed++);
    ask(redis, "EVAL", SCRIPT_TEXTS.lease, ...TAKE);
    redis.crash();
    assert.equal(redis.accept(() => {}, () => {}), null);
    assert.equal(closed, 1);
    redis.start();
    assert.match(`${ask(redis, "EVALSHA", LEASE_SHA, ...TAKE)}`, /NOSCRIPT/);
  });

  it("answers LOADING until it is loaded, and INFO all the time", () => {
    redis.conditions.isLoading = true;
    assert.match(`${ask(redis, "GET", "k")}`, /LOADING/);
    assert.match(`${ask(redis, "INFO")}`, /loading:1/);
    redis.conditions.isLoading = false;
    assert.equal(ask(redis, "GET", "k"), null);
  });

  it("never goes back with stream ids, though its clock does", () => {
    ask(redis, "XADD", "s", "*", "f", "1");
    nowMs -= 60_000;
    assert.equal(ask(redis, "XADD", "s", "*", "f", "1"), `${START_MS}-1`);
    ask(redis, "XTRIM", "s", "MAXLEN", "0");
    assert.equal(ask(redis, "XADD", "s", "*", "f", "1"), `${START_MS}-2`);
  });

  it("ends keys by its own clock", () => {
    ask(redis, "SET", "k", "1", "PX", "100");
    nowMs += 100;
    assert.equal(ask(redis, "GET", "k"), "1");
    nowMs += 1;
    assert.equal(ask(redis, "GET", "k"), null);
  });

  it("promotes a replica that lags, which has not got the tail and takes writes then", () => {
    ask(redis, "SET", "k", "1", "PX", "100");
    const replica = make();
    replica.follow(redis);
    ask(redis, "XADD", "s", "*", "f", "1");
    const seen = redis.log.offset;
    ask(redis, "XADD", "s", "*", "f", "2");
    replica.pull(seen);
    nowMs += 200;
    assert.equal(ask(replica, "XLEN", "s"), 1);
    assert.equal(ask(replica, "GET", "k"), null);
    assert.match(`${ask(replica, "SET", "x", "1")}`, /READONLY/);
    assert.match(`${ask(replica, "EVAL", SCRIPT_TEXTS.lease, ...TAKE)}`, /^ReplyError: READONLY/);
    replica.follow(null);
    assert.equal(ask(replica, "SET", "x", "1"), "OK");
    redis.follow(replica);
    assert.equal(ask(redis, "XLEN", "s"), 1);
    assert.equal(ask(redis, "GET", "x"), "1");
  });

  it("gives a replica everything anew where the log no longer reaches back", () => {
    const replica = make();
    replica.follow(redis);
    for (let count = 0; count < 10_000; count++) ask(redis, "RPUSH", "l", `${count}`);
    replica.pull();
    assert.equal(ask(replica, "LLEN", "l"), 10_000);
    assert.equal(replica.log.offset, redis.log.offset);
  });

  it("renews a lease while memory is out, and grants none", () => {
    const [, , fence] = ask(redis, "EVAL", SCRIPT_TEXTS.lease, ...TAKE) as Reply[];
    redis.conditions.isOutOfMemory = true;
    const keys = ["3", "b:l", "b:f", "b:e"];
    const renewal = ask(
      redis,
      "EVALSHA",
      LEASE_SHA,
      ...keys,
      "renew",
      "me",
      "5000",
      `${fence}`,
      "",
    );
    assert.deepEqual(renewal, [0, START_MS]);
    ask(redis, "DEL", "b:l");
    const taking = ask(redis, "EVALSHA", LEASE_SHA, ...TAKE);
    assert.ok(taking instanceof ReplyError && taking.message.startsWith("OOM"));
  });
});
