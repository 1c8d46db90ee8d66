/** The embedded Redis: its own data, a port that stays, one owner after another, clear refusals. */

import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import { Redis } from "ioredis";
import assert from "node:assert/strict";
import { BeatError } from "../../src/errors.ts";
import { type Embedded, type EmbeddedOptions, startEmbedded } from "../../src/redis/embedded.ts";
import { needs } from "../support/needs.ts";

let dir: string;
let said: string[];
let started: Embedded[];

beforeEach(async () => {
  dir = await Deno.makeTempDir({ prefix: "embedded-test-" });
  said = [];
  started = [];
});

afterEach(async () => {
  for (const each of started) await each.stop();
  await Deno.remove(dir, { recursive: true });
});

async function start(changes: Partial<EmbeddedOptions> = {}): Promise<Embedded> {
  const signal = new AbortController().signal;
  const say = (sentence: string) => void said.push(sentence);
  const embedded = await startEmbedded({ dataDir: `${dir}/redis`, signal, say, ...changes });
  started.push(embedded);
  return embedded;
}

async function ask<Answer>(url: string, question: (redis: Redis) => Promise<Answer>) {
  const redis = new Redis(url);
  try {
    return await question(redis);
  } finally {
    await redis.quit();
  }
}

/** A script that stands for a server program. */
async function program(name: string, body: string): Promise<string> {
  const path = `${dir}/${name}`;
  await Deno.writeTextFile(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

async function isServing(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch {
    return false;
  }
}

needs("redis").describe("startEmbedded()", () => {
  it("serves on loopback only, writes every second, and drops nothing", async () => {
    const { url, port } = await start();
    assert.equal(url, `redis://127.0.0.1:${port}/0`);
    const names = ["bind", "appendonly", "appendfsync", "maxmemory-policy", "dir"];
    const settings = await ask(url, (redis) => redis.config("GET", ...names as [string]));
    const pairs = settings as string[];
    const of = (name: string) => pairs[pairs.indexOf(name) + 1];
    assert.equal(of("bind"), "127.0.0.1");
    assert.equal(of("appendonly"), "yes");
    assert.equal(of("appendfsync"), "everysec");
    assert.equal(of("maxmemory-policy"), "noeviction");
    assert.equal(of("dir"), await Deno.realPath(`${dir}/redis`));
  });

  it("keeps data and port over a stop and a start", async () => {
    const first = await start();
    await ask(first.url, (redis) => redis.set("kept", "yes"));
    await first.stop();
    assert.equal(isAlive(first.pid), false);
    const second = await start();
    assert.equal(second.port, first.port);
    assert.equal(second.isReused, false);
    assert.equal(await ask(second.url, (redis) => redis.get("kept")), "yes");
  });

  it("is taken over after a Beat that was killed, and ends with the new one", async () => {
    const script = `
      import { startEmbedded } from "./src/redis/embedded.ts";
      const signal = new AbortController().signal;
      const dataDir = ${JSON.stringify(`${dir}/redis`)};
      const { pid } = await startEmbedded({ dataDir, signal, say: () => {} });
      console.log(pid);
    `;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", script],
      stdout: "piped",
      stdin: "null",
    }).spawn();
    const reader = child.stdout.getReader();
    const pid = Number(new TextDecoder().decode((await reader.read()).value));
    await reader.cancel();
    child.kill("SIGKILL");
    await child.status;

    const embedded = await start();
    assert.equal(embedded.isReused, true);
    assert.equal(embedded.pid, pid);
    await embedded.stop();
    assert.equal(await isServing(embedded.port), false);
  });

  it("is shared by two, and ends with the last", async () => {
    const first = await start();
    const second = await start();
    assert.equal(second.pid, first.pid);
    await first.stop();
    assert.equal(await ask(second.url, (redis) => redis.ping()), "PONG");
    await second.stop();
    await second.stop();
    assert.equal(await isServing(second.port), false);
  });

  it("is one server for two that start at the same time, the first time and later", async () => {
    for (let time = 0; time < 3; time++) {
      const both = await Promise.all([start(), start(), start()]);
      assert.equal(new Set(both.map(({ pid }) => pid)).size, 1);
      for (const each of both) await each.stop();
    }
  });

  it("takes another port, and says so, when somebody else has the one remembered", async () => {
    const first = await start();
    await first.stop();
    const onListen = () => {};
    await using _squatter = Deno.serve(
      { hostname: "127.0.0.1", port: first.port, onListen },
      () => new Response("not Redis"),
    );
    const second = await start();
    assert.notEqual(second.port, first.port);
    assert.match(said.join(), new RegExp(`Port ${first.port} .* taken .* ${second.port} now`));
    assert.equal(await Deno.readTextFile(`${dir}/redis/port`), `${second.port}\n`);
  });

  it("starts none while the one that may be its own does not answer", async () => {
    const first = await start();
    Deno.kill(first.pid, "SIGSTOP");
    try {
      await assert.rejects(() => start(), (error) => {
        assert.ok(error instanceof BeatError);
        assert.equal(error.code, "EMBEDDED_PORT");
        assert.match(error.message, new RegExp(`port ${first.port} to be free .* got no answer`));
        return true;
      });
    } finally {
      Deno.kill(first.pid, "SIGCONT");
    }
  });

  it("never takes over a Redis with other data", async () => {
    const other = await start({ dataDir: `${dir}/other` });
    await Deno.mkdir(`${dir}/redis`);
    await Deno.writeTextFile(`${dir}/redis/port`, `${other.port}\n`);
    const own = await start();
    assert.notEqual(own.pid, other.pid);
    assert.equal(own.isReused, false);
  });

  it("tries the next program when the first is not there", async () => {
    const { url } = await start({ programs: ["no-such-server", "redis-server"] });
    assert.equal(await ask(url, (redis) => redis.ping()), "PONG");
  });

  it("tells when the server ends by itself, and stop() is still fine", async () => {
    const embedded = await start();
    Deno.kill(embedded.pid, "SIGKILL");
    assert.match(await embedded.lost, /ended by itself/);
    await embedded.stop();
  });

  it("shows the server's own words when its data cannot be read", async () => {
    await (await start()).stop();
    const files = [...Deno.readDirSync(`${dir}/redis/appendonlydir`)].map(({ name }) => name);
    const manifest = files.find((name) => name.endsWith(".manifest"));
    await Deno.writeTextFile(`${dir}/redis/appendonlydir/${manifest}`, "nonsense\n");
    await assert.rejects(() => start(), (error) => {
      assert.ok(error instanceof BeatError);
      assert.equal(error.code, "EMBEDDED_START");
      assert.equal(error.exitCode, 69);
      assert.match(error.message, /manifest/i);
      return true;
    });
  });
});

describe("startEmbedded() without a server", () => {
  it("says what to install when there is no program", async () => {
    await assert.rejects(() => start({ programs: ["no-such-server", "nor-this"] }), (error) => {
      assert.ok(error instanceof BeatError);
      assert.equal(error.code, "EMBEDDED_PROGRAM");
      assert.equal(error.exitCode, 69);
      assert.match(error.message, /`no-such-server` or `nor-this` to be installed, got none/);
      assert.match(error.message, /apt-get install redis-server/);
      return true;
    });
  });

  it("says which directory cannot be written", async () => {
    await Deno.writeTextFile(`${dir}/file`, "");
    await assert.rejects(() => start({ dataDir: `${dir}/file/redis` }), (error) => {
      assert.ok(error instanceof BeatError);
      assert.equal(error.code, "EMBEDDED_DIR");
      assert.match(error.message, /\/file\/redis` to be a directory that can be written/);
      return true;
    });
  });

  it("tries other ports when one is lost to somebody else, and gives up after three", async () => {
    const log = `${dir}/starts`;
    const busy = await program(
      "busy",
      `echo "$2" >> ${log}; echo 'bind: Address already in use' > ${dir}/redis/redis.log; exit 1`,
    );
    await assert.rejects(() => start({ programs: [busy] }), /Address already in use/);
    const ports = (await Deno.readTextFile(log)).trim().split("\n");
    assert.equal(ports.length, 3);
    assert.equal(new Set(ports).size, 3);
  });

  it("ends a server that never answers once the caller gives up", async () => {
    const aborting = new AbortController();
    const pidFile = `${dir}/pid`;
    const fifo = `${dir}/started`;
    await new Deno.Command("mkfifo", { args: [fifo] }).output();
    const silent = await program(
      "silent",
      `echo $$ > ${pidFile}; echo up > ${fifo}; exec sleep 60`,
    );
    const starting = start({ programs: [silent], signal: aborting.signal });
    starting.catch(() => {});
    await Deno.readTextFile(fifo);
    aborting.abort(new Error("enough"));
    await assert.rejects(starting, /enough/);
    assert.equal(isAlive(Number(await Deno.readTextFile(pidFile))), false);
  });
});
