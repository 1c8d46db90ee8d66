/**
 * A Redis of Beat's own for a first try: a child on loopback with its data under `.beat/`. It ends with
 * the last Beat that uses it. Killed with -9, Beat leaves it behind, and the next start takes it over.
 */

import { Redis } from "ioredis";
import { hanging, noProgram, notStarted, notWritable } from "./embedded_refusals.ts";

/** Programs that serve, in the order they are tried. */
export const SERVER_PROGRAMS = ["redis-server", "valkey-server"] as const;

/** Where the embedded Redis keeps its data and its port, from the working directory. */
export const EMBEDDED_DIR = ".beat/redis";

/** `env` with the embedded Redis as broker, and as result backend where none is set. */
export function withEmbedded(
  env: Readonly<Record<string, string | undefined>>,
  url: string,
): Record<string, string | undefined> {
  return { CELERY_RESULT_BACKEND: url, ...env, CELERY_BROKER_URL: url };
}

/** The port of a first start, where nobody else has it; remembered, so that a worker finds it again. */
const PORT_DEFAULT = 6390;

/** How often a port that is lost between the look and the start is replaced by another. */
const START_MAX = 3;
const CONNECT_EVERY_MS = 50;
const PROBE_MAX_MS = 1_000;
const KEEPER_NAME = "beat-keeper";
const SHOWN_LINES_MAX = 5;

/** What {@link startEmbedded} needs to know. */
export interface EmbeddedOptions {
  /** Where the data goes; made when it is not there. */
  readonly dataDir: string;
  /** Gives up waiting for the server, and ends it. */
  readonly signal: AbortSignal;
  /** Takes a sentence for the user, without line end. */
  readonly say: (sentence: string) => void;
  /** Programs to try. @default SERVER_PROGRAMS */
  readonly programs?: readonly string[];
}

/** A server that answers. */
export interface Embedded {
  /** `redis://127.0.0.1:port/0`, for Beat and for workers. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** It was there already: left behind by a Beat that was killed, or in use by another one. */
  readonly isReused: boolean;
  /** Resolves when the server is gone without {@link Embedded.stop}; the reason is for people. */
  readonly lost: Promise<string>;
  /** Ends the server, its data written, unless another Beat still uses it. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Starts the server, or takes over the one that runs on the same data.
 * @throws {BeatError} `EMBEDDED_PROGRAM`, `EMBEDDED_DIR`, `EMBEDDED_PORT`, `EMBEDDED_START`: what is in the way
 * @throws `signal.reason` once aborted
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const dir = await prepareDir(options.dataDir);
  using _lock = await lockStart(dir, options.signal);
  const remembered = await readPort(dir);
  const running = await takeOver(remembered, dir);
  if (running !== null) return running;
  let port = choosePort(remembered, options.say);
  for (let attempt = 1;; attempt++) {
    options.signal.throwIfAborted();
    const child = spawn(options.programs ?? SERVER_PROGRAMS, dir, port);
    const keeper = await waitUntilReady(child, port, options.signal);
    if (keeper !== null) {
      await keeper.client("SETNAME", KEEPER_NAME);
      await Deno.writeTextFile(`${dir}/port`, `${port}\n`);
      return serve(keeper, { port, pid: child.pid, isReused: false, exit: child.status });
    }
    const reason = await lastWords(dir);
    if (attempt >= START_MAX || !/address already in use/i.test(reason)) throw notStarted(reason);
    port = freePort();
  }
}

async function prepareDir(dataDir: string): Promise<string> {
  try {
    await Deno.mkdir(dataDir, { recursive: true });
    const dir = await Deno.realPath(dataDir);
    // The trial of whether it can be written; what stands in the log is then about this start.
    await Deno.writeTextFile(`${dir}/redis.log`, "");
    return dir;
  } catch (error) {
    throw notWritable(dataDir, error);
  }
}

/** One start at a time: of two at once, both would begin a server on the same data. */
async function lockStart(dir: string, signal: AbortSignal): Promise<Deno.FsFile> {
  const file = await Deno.open(`${dir}/start.lock`, { write: true, create: true });
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([file.lock(true), aborted.promise]);
    return file;
  } catch (error) {
    file.close();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function readPort(dir: string): Promise<number | null> {
  const text = await Deno.readTextFile(`${dir}/port`).catch(() => "");
  const port = Number(text.trim());
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : null;
}

/** The server that already runs on this data, loading it perhaps; `null` where there is none. */
async function takeOver(port: number | null, dir: string): Promise<Embedded | null> {
  if (port === null) return null;
  const keeper = connect(port, { isPatient: false });
  try {
    await keeper.connect();
    const [, runningDir] = await keeper.config("GET", "dir") as [string, string];
    if (runningDir !== dir) throw new Error("a server with other data");
    await keeper.client("SETNAME", KEEPER_NAME);
    const pid = /process_id:(\d+)/.exec(await keeper.info("server"))?.[1];
    return serve(keeper, { port, pid: Number(pid), isReused: true, exit: null });
  } catch (error) {
    // One that has ended by itself would only leave a timer.
    if (keeper.status !== "end") keeper.disconnect();
    // Two servers on the same data would ruin it, so in doubt there is none.
    if (/timed out|ETIMEDOUT/.test(`${error}`)) throw hanging(port, PROBE_MAX_MS);
    return null;
  }
}

function choosePort(remembered: number | null, say: EmbeddedOptions["say"]): number {
  const wanted = remembered ?? PORT_DEFAULT;
  if (isFree(wanted)) return wanted;
  const port = freePort();
  if (remembered !== null) {
    say(
      `Port ${wanted} of the embedded Redis is taken by another program: it is ${port} now. ` +
        "Point workers at the new address.",
    );
  }
  return port;
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch {
    return false;
  }
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

function spawn(programs: readonly string[], dir: string, port: number): Deno.ChildProcess {
  for (const program of programs) {
    try {
      return new Deno.Command(program, {
        args: serverArguments(dir, port),
        stdin: "null",
        stdout: "null",
        stderr: "null",
        // A session of its own: Ctrl-C is for Beat, which still has things to write.
        detached: true,
      }).spawn();
    } catch (error) {
      // A program that is not there cannot be named in a permission either.
      const isAbsent = error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.NotCapable;
      if (!isAbsent) throw notStarted(`${error}`);
    }
  }
  throw noProgram(programs);
}

function serverArguments(dir: string, port: number): string[] {
  const settings = {
    port: `${port}`,
    bind: "127.0.0.1",
    dir,
    logfile: `${dir}/redis.log`,
    loglevel: "warning",
    save: "",
    appendonly: "yes",
    appendfsync: "everysec",
    "maxmemory-policy": "noeviction",
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

/** A connection to the server once it has loaded its data; `null` when the server ended instead. */
async function waitUntilReady(
  child: Deno.ChildProcess,
  port: number,
  signal: AbortSignal,
): Promise<Redis | null> {
  const keeper = connect(port, { isPatient: true });
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    const first = await Promise.race([keeper.ping(), child.status, aborted.promise]);
    if (first === "PONG") return keeper;
    keeper.disconnect();
    return null;
  } catch (error) {
    keeper.disconnect();
    child.kill("SIGTERM");
    await child.status;
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** A connection that, once named, says that a Beat uses the server, for as long as that Beat lives. */
function connect(port: number, { isPatient }: { isPatient: boolean }): Redis {
  let hasBeenReady = false;
  const keeper = new Redis({
    host: "127.0.0.1",
    port,
    lazyConnect: true,
    // A connection that is lost later means that the server is gone.
    retryStrategy: () => isPatient && !hasBeenReady ? CONNECT_EVERY_MS : null,
    maxRetriesPerRequest: null,
    ...(isPatient ? {} : {
      connectTimeout: PROBE_MAX_MS,
      commandTimeout: PROBE_MAX_MS,
      enableReadyCheck: false,
    }),
  });
  // The commands report failures; without a listener each would be printed as unhandled.
  keeper.on("error", () => {});
  keeper.once("ready", () => hasBeenReady = true);
  return keeper;
}

function serve(
  keeper: Redis,
  server: Pick<Embedded, "port" | "pid" | "isReused"> & { readonly exit: Promise<unknown> | null },
): Embedded {
  const { exit, ...known } = server;
  let stopping: Promise<void> | null = null;
  const closed = new Promise<void>((resolve) => keeper.once("end", resolve));
  const lost = new Promise<string>((resolve) =>
    keeper.once("end", () => {
      if (stopping === null) resolve("the embedded Redis ended by itself; start Beat again");
    })
  );
  const stop = async () => {
    if (await hasOtherKeeper(keeper)) {
      // The name goes first: the other one may look before this connection is gone.
      await keeper.client("SETNAME", "");
      keeper.disconnect();
      return;
    }
    // The server answers by hanging up, once its data is written.
    keeper.call("SHUTDOWN").catch(() => keeper.status === "ready" && keeper.disconnect());
    await closed;
    await exit;
  };
  const url = `redis://127.0.0.1:${known.port}/0`;
  return { url, ...known, lost, stop: () => stopping ??= stop() };
}

async function hasOtherKeeper(keeper: Redis): Promise<boolean> {
  if (keeper.status !== "ready") return false;
  const clients = await keeper.client("LIST") as string;
  return clients.split(`name=${KEEPER_NAME} `).length > 2;
}

async function lastWords(dir: string): Promise<string> {
  const log = await Deno.readTextFile(`${dir}/redis.log`).catch(() => "");
  return log.trimEnd().split("\n").slice(-SHOWN_LINES_MAX).join("\n");
}
