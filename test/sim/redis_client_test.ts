import assert from "node:assert/strict";
import type { Redis, RedisOptions } from "ioredis";
import { connect } from "../../src/redis/client.ts";
import { endpointAt } from "../support/endpoint.ts";
import { needs } from "../support/needs.ts";
import { startRedis } from "../support/redis_server.ts";
import { modelClient } from "./redis_client.ts";
import { lineOf } from "./redis_line.ts";
import { modelRedis } from "./redis_model.ts";
import { scriptPorts } from "./redis_scripts.ts";
import { timelineOf } from "./timeline.ts";

const TIMEOUT_MS = 300;
const PAUSE_MS = 450;
const LONG_PAUSE_MS = 20_000;
/** Longer than the story lasts. */
const STORY_MS = 60_000;

/** What can happen to a server, real or not. */
interface Stage {
  connect(): Redis;
  /** Takes commands and answers none, for so long. */
  pause(ms: number): Promise<unknown>;
  kill(): Promise<void>;
  start(): Promise<void>;
}

needs("redis").it(
  "modelClient() tells the same story as ioredis with production's options",
  async () => {
    const [real, options] = await toldByIoredis();
    assert.deepEqual(await toldByModel(options), real);
  },
);

async function toldByIoredis(): Promise<[string[], RedisOptions]> {
  const server = await startRedis({ isPersistent: true });
  const admin = server.client();
  const clients: Redis[] = [];
  try {
    const told = await story({
      connect() {
        const options = { commandTimeoutMs: TIMEOUT_MS, name: "beat-test" };
        const client = connect(endpointAt(server.port), options);
        clients.push(client);
        return client;
      },
      pause: (ms) => admin.call("CLIENT", "PAUSE", `${ms}`, "ALL"),
      kill: () => server.kill(),
      start: () => server.restart(),
    });
    return [told, clients[0]!.options];
  } finally {
    for (const client of clients) client.disconnect();
    await server.stop();
  }
}

async function toldByModel(options: RedisOptions): Promise<string[]> {
  const timeline = timelineOf(1);
  const redis = modelRedis({
    ...{ nowMs: () => 1_700_000_000_000 + timeline.now(), fsync: "always" },
    scripts: scriptPorts(),
  });
  let isPaused = false;
  const line = lineOf(timeline, {
    host: () => redis,
    connectMs: () => 1,
    fate: (direction) => isPaused && direction === "request" ? "hold" : { delayMs: 0.2 },
  });
  const resume = () => {
    isPaused = false;
    for (const each of line.open) each.resume();
  };
  const told = story({
    connect: () => modelClient(options, line, timeline),
    pause(ms) {
      isPaused = true;
      timeline.at(timeline.now() + ms, resume);
      return Promise.resolve();
    },
    kill() {
      resume();
      isPaused = true;
      redis.crash();
      return Promise.resolve();
    },
    start() {
      isPaused = false;
      redis.start();
      return Promise.resolve();
    },
  });
  // From a turn of its own: inside of a promise, others make no progress.
  setTimeout(() => timeline.run(STORY_MS));
  return await told;
}

async function story(stage: Stage): Promise<string[]> {
  const told: string[] = [];
  const client = stage.connect();
  const changes = watch(client);
  const tell = async (what: string, asked: Promise<unknown>) => {
    const said = await asked.then(
      (reply) => JSON.stringify(reply),
      (error: Error) => `${error.name}: ${error.message}`,
    );
    told.push(`${what} (${client.status}): ${said}`);
  };
  await tell("too early", client.call("PING"));
  await next(client, "ready");
  await tell("an echo", client.call("ECHO", "x"));
  await tell("an error", client.call("NOSUCH", [1, "a"]));
  await tell("an unknown script", client.call("EVALSHA", ["0".repeat(40), 0]));
  await tell("a value", client.call("SET", "k", "v"));
  await tell("a transaction", transaction(client, ["GET", "k"], ["LLEN", "k"]));
  await tell("a refused transaction", transaction(client, ["GET"], ["GET", "k"]));
  await tell("two at once", Promise.all([client.call("GET", "k"), client.llen("absent")]));

  await stage.pause(PAUSE_MS);
  await tell("no answer in time", client.call("GET", "k"));
  client.disconnect(true);
  await tell("while it hangs up", client.call("GET", "k"));
  await next(client, "ready");
  await tell("back again", client.call("GET", "k"));

  await stage.pause(LONG_PAUSE_MS);
  const cut = Promise.all([
    next(client, "close"),
    tell("cut off", client.call("GET", "k")),
    tell("a transaction cut off", transaction(client, ["GET", "k"])),
  ]);
  await stage.kill();
  await cut;
  await tell("while it is away", client.call("GET", "k"));
  const back = next(client, "ready");
  await stage.start();
  await back;
  await tell("after its return", client.call("GET", "k"));
  told.push(...await subscription(stage, client));

  await stage.pause(PAUSE_MS);
  const ended = Promise.all([next(client, "end"), tell("given up", client.call("GET", "k"))]);
  client.disconnect();
  await ended;
  await tell("after the end", client.call("GET", "k"));
  return [...told, ...[...changes].sort()];
}

/** The next event of a name. `once` of node:events would fail at an error, as each cut may bring one. */
function next(client: Redis, event: string): Promise<unknown[]> {
  return new Promise((resolve) => client.once(event, (...told: unknown[]) => resolve(told)));
}

/** Each change of state, once; and codes of errors, but for those that depend on a race. */
function watch(client: Redis): Set<string> {
  const seen = new Set<string>();
  let last = "start";
  for (const status of ["connecting", "connect", "ready", "close", "reconnecting", "end"]) {
    client.on(status, () => {
      seen.add(`${last} -> ${status}`);
      last = status;
    });
  }
  client.on("error", (error: Error & { code?: string }) => {
    if (error.code !== "ECONNRESET") seen.add(`error ${error.code}`);
  });
  return seen;
}

async function transaction(client: Redis, ...commands: string[][]): Promise<unknown> {
  const multi = client.multi();
  for (const [name, ...args] of commands) multi.call(name!, ...args);
  const replies = await multi.exec();
  return replies!.map(([error, reply]) => error === null ? reply : `${error}`);
}

async function subscription(stage: Stage, publisher: Redis): Promise<string[]> {
  const subscriber = stage.connect();
  await next(subscriber, "ready");
  const count = await subscriber.psubscribe("news.*", "other");
  const refused = await subscriber.call("GET", "k").catch((error: Error) => error.message);
  const heard = next(subscriber, "pmessage");
  const receivers = await publisher.publish("news.sport", "goal");
  const message = await heard;
  await subscriber.ping();
  const ended = next(subscriber, "end");
  subscriber.disconnect();
  await ended;
  return [JSON.stringify([count, refused, receivers, message])];
}
