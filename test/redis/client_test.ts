/** The connection: what it says when it cannot be made, and how it finds the master. */

import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { RedisOptions } from "ioredis";
import { Redis } from "ioredis";
import { afterEach, it } from "@std/testing/bdd";
import { ConfigError, JournalUnavailableError } from "../../src/errors.ts";
import type { RetryKind } from "../../src/errors.ts";
import { connect, untilReady } from "../../src/redis/client.ts";
import type { RedisEndpoint } from "../../src/settings.ts";
import { endpointAt } from "../support/endpoint.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer, RedisServerOptions } from "../support/redis_server.ts";
import { freePort, startRedis } from "../support/redis_server.ts";

needs("redis").describe("connect()", () => {
  const endings: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of endings.splice(0).reverse()) await end();
  });

  async function start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = await startRedis(options);
    endings.push(() => server.stop());
    return server;
  }
  function reach(endpoint: RedisEndpoint, log?: Parameters<typeof connect>[1]["log"]): Redis {
    const options = { commandTimeoutMs: 500, name: "beat-test" };
    const client = connect(endpoint, log === undefined ? options : { ...options, log });
    endings.push(() => client.disconnect());
    return client;
  }
  const ready = (client: Redis) => untilReady(client, AbortSignal.timeout(10_000));

  /** Waits for the first failure, not for a time. */
  async function refuses(endpoint: RedisEndpoint, retry: RetryKind, message: RegExp) {
    const failed = new AbortController();
    const client = reach(endpoint, { info() {}, warn: () => failed.abort() });
    const error = await untilReady(client, failed.signal).then(() => null, (reason) => reason);
    assert.ok(error instanceof JournalUnavailableError, `expected a refusal, got ${error}`);
    assert.equal(error.retry, retry);
    assert.match(error.message, message);
    assert.doesNotMatch(inspect(error, { depth: 9 }), /hunter2/);
  }

  it("says who does not answer", async () => {
    const port = await freePort();
    const message = new RegExp(`redis://127.0.0.1:${port}/0: .*ECONNREFUSED.*is it running`);
    await refuses(endpointAt(port), "backoff", message);
  });

  it("says that a server takes connections and does not answer", async () => {
    const server = await start();
    server.pause();
    const options = { commandTimeoutMs: 10_000, name: "beat-test" };
    const client = connect(endpointAt(server.port), options);
    endings.push(() => client.disconnect(), () => server.resume());
    await new Promise((done) => client.once("connect", done));
    await assert.rejects(untilReady(client, AbortSignal.abort()), /takes connections.*see what/);
  });

  it("says that a name is not known", async () => {
    const endpoint = endpointAt(1, { hosts: [{ host: "no-such-host.invalid", port: 1 }] });
    await refuses(endpoint, "backoff", /name is not known here/);
  });

  it("says that a password is wrong or missing, and never says the password", async () => {
    const { port } = await start();
    const admin = connect(endpointAt(port), { commandTimeoutMs: 500, name: "admin" });
    endings.push(() => admin.disconnect());
    await ready(admin);
    await admin.config("SET", "requirepass", "right");
    await refuses(endpointAt(port), "fatal", /NOAUTH.*asks for a password/);
    const wrong = endpointAt(port, { password: "hunter2" });
    await refuses(wrong, "fatal", /WRONGPASS.*refused the name or password/);
    await ready(reach(endpointAt(port, { password: "right" })));
  });

  it("never goes on in another database than the one asked for", async () => {
    const { port } = await start();
    await refuses(endpointAt(port, { database: 99 }), "fatal", /no such database/);
    const third = reach(endpointAt(port, { database: 3 }));
    await ready(third);
    assert.match(String(await third.call("CLIENT", "INFO")), / name=beat-test .* db=3 /);
  });

  it("takes the path of a socket", async () => {
    const dir = await Deno.makeTempDir();
    endings.push(() => Deno.remove(dir, { recursive: true }));
    await start({ conf: [`unixsocket ${dir}/redis.sock`] });
    const client = reach(endpointAt(0, { socketPath: `${dir}/redis.sock` }));
    await ready(client);
    assert.equal(await client.ping(), "PONG");
  });

  it("says which certificate cannot be read", () => {
    const tls = { caFile: "/no/such.pem", certFile: null, keyFile: null, isVerified: true };
    assert.throws(
      () => connect(endpointAt(1, { tls }), { commandTimeoutMs: 500, name: "x" }),
      (error) => error instanceof ConfigError && /ssl_ca_certs: .*no\/such/.test(error.message),
    );
  });

  it("reads certificates anew for each connection, and keeps those it has", async () => {
    const dir = await Deno.makeTempDir();
    endings.push(() => Deno.remove(dir, { recursive: true }));
    const certFile = `${dir}/client.pem`;
    await Deno.writeTextFile(certFile, "first");
    const tls = { caFile: null, certFile, keyFile: null, isVerified: true };
    const options = { commandTimeoutMs: 500, name: "x" };
    let given: RedisOptions["tls"];
    const client = connect(endpointAt(1, { tls }), options, (all) => {
      given = all.tls;
      return new Redis({ lazyConnect: true });
    });
    endings.push(() => client.disconnect());
    // As the client does before each connection.
    const atConnection = () => Object.assign({}, given).cert;
    assert.equal(atConnection(), "first");
    await Deno.writeTextFile(certFile, "renewed");
    assert.equal(atConnection(), "renewed");
    await Deno.remove(certFile);
    assert.equal(atConnection(), "renewed");
  });

  it("tells once that the connection is down, and once that it is back", async () => {
    const server = await start({ isPersistent: true });
    const lines: string[] = [];
    const log = (_fields: unknown, message: string) => void lines.push(message);
    const client = reach(endpointAt(server.port), { warn: log, info: log });
    await ready(client);
    await server.kill();
    for (let tries = 0; tries < 2; tries++) {
      await new Promise((done) => client.once("reconnecting", done));
    }
    await server.restart();
    await ready(client);
    assert.deepEqual(lines, ["Redis connection failed", "Redis connection is back"]);
  });
});
