/** A private redis-server for a test: a free loopback port, a directory of its own, ended by its pid. */

import { once } from "node:events";
import { createServer } from "node:net";
import { Redis } from "ioredis";

export interface RedisServerOptions {
  /** Write an append-only file, so that {@link RedisServer.restart} keeps the data. @default false */
  readonly isPersistent?: boolean;
  /** `appendfsync` of a persistent server. @default "always" */
  readonly fsync?: "always" | "everysec" | "no";
  /** Further lines of redis.conf, such as `maxmemory 1mb`. */
  readonly conf?: readonly string[];
  /** A sentinel instead of a server with data. @default false */
  readonly isSentinel?: boolean;
  /** The server's program. @default "redis-server" */
  readonly binary?: string;
}

export interface RedisServer {
  readonly port: number;
  /** `redis://127.0.0.1:port/0` */
  readonly url: string;
  /** Of the present process; another one after {@link restart}. */
  readonly pid: number;
  /** Data, configuration and log; removed by {@link stop}. */
  readonly dir: string;
  /** A new connection, closed by {@link stop}. Errors of it are left to its commands. */
  client(): Redis;
  /** Ends the server and its clients, and removes its directory. Safe to call twice. */
  stop(): Promise<void>;
  /** SIGKILL, and waits for the end; {@link restart} brings it back. */
  kill(): Promise<void>;
  /** Ends the process where it runs (SIGTERM), starts another on the same port and data. */
  restart(): Promise<void>;
  /** SIGSTOP: the port accepts, nobody answers. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
}

/** Starts a server and waits until it answers PING. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const dir = await Deno.makeTempDir({ prefix: "redis-test-" });
  const port = await freePort();
  const confPath = `${dir}/redis.conf`;
  await Deno.writeTextFile(confPath, confOf(port, dir, options));
  const clients: Redis[] = [];
  const run = () => spawn(options, confPath);
  let child = run();
  let isStopped = false;

  const end = async (signal: Deno.Signal) => {
    signalTo(child, "SIGCONT");
    signalTo(child, signal);
    await child.status;
  };
  const begin = async () => {
    await answersPing(port, child, `${dir}/redis.log`);
  };
  await begin();

  return {
    port,
    url: `redis://127.0.0.1:${port}/0`,
    get pid() {
      return child.pid;
    },
    dir,
    client() {
      const client = connectTo(port);
      clients.push(client);
      return client;
    },
    async stop() {
      if (isStopped) return;
      isStopped = true;
      for (const client of clients) client.disconnect();
      await end("SIGKILL");
      await Deno.remove(dir, { recursive: true });
    },
    kill: () => end("SIGKILL"),
    async restart() {
      await end("SIGTERM");
      child = run();
      await begin();
    },
    pause: () => child.kill("SIGSTOP"),
    resume: () => child.kill("SIGCONT"),
  };
}

/** A loopback port that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("expected a TCP address");
  return address.port;
}

function confOf(port: number, dir: string, options: RedisServerOptions): string {
  return [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir ${dir}`,
    `logfile ${dir}/redis.log`,
    ...(options.isSentinel ? [] : [
      'save ""',
      `appendonly ${options.isPersistent ? "yes" : "no"}`,
      `appendfsync ${options.fsync ?? "always"}`,
      "enable-debug-command local",
    ]),
    ...(options.conf ?? []),
  ].join("\n");
}

function spawn(options: RedisServerOptions, confPath: string): Deno.ChildProcess {
  return new Deno.Command(options.binary ?? "redis-server", {
    args: options.isSentinel ? [confPath, "--sentinel"] : [confPath],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** A process that is gone already needs no signal. */
function signalTo(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

function connectTo(port: number): Redis {
  const client = new Redis(port, "127.0.0.1", { retryStrategy: () => 20 });
  // Reported by the commands that wait; without a listener each would be printed as unhandled.
  client.on("error", () => {});
  return client;
}

/** A fresh connection waits by itself until the server accepts, and until it has loaded its data. */
async function answersPing(port: number, child: Deno.ChildProcess, log: string): Promise<void> {
  const client = new Redis(port, "127.0.0.1", {
    retryStrategy: () => 10,
    maxRetriesPerRequest: null,
  });
  client.on("error", () => {});
  let isUp = false;
  const ended = child.status.then(async ({ code }) => {
    if (isUp) return;
    const text = await Deno.readTextFile(log).catch(() => "");
    throw new Error(`redis-server ended with ${code} before it answered:\n${text}`);
  });
  try {
    await Promise.race([client.ping(), ended]);
    isUp = true;
  } finally {
    client.disconnect();
  }
}
