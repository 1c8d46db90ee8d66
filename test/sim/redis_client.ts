/**
 * The client of Redis in the simulated world: as much of ioredis as production uses, with its states,
 * events, deadlines and errors, over simulated time and lines. It takes production's own options.
 */

import { EventEmitter } from "node:events";
import type { Redis, RedisOptions } from "ioredis";
import type { Connection, Line } from "./redis_line.ts";
import type { Command, Push, Reply, Scheduler } from "./redis_words.ts";

/** @param process where its timers run and its replies arrive; it dies with it */
export function modelClient(options: RedisOptions, line: Line, process: Scheduler): Redis {
  return new ModelClient(options, line, process) as unknown as Redis;
}

/** A command that waits for its reply. */
interface Pending {
  readonly command: Command;
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

type Argument = string | number | readonly (string | number)[];
type Status = "connecting" | "connect" | "ready" | "close" | "reconnecting" | "end";

const SUBSCRIBING: ReadonlySet<string> = new Set(["SUBSCRIBE", "PSUBSCRIBE"]);
const IN_SUBSCRIPTION: ReadonlySet<string> = new Set([
  ...SUBSCRIBING,
  ...["UNSUBSCRIBE", "PUNSUBSCRIBE", "PING", "QUIT"],
]);
const RETRIES_SPENT = "Reached the max retries per request limit (which is 0). Refer to " +
  '"maxRetriesPerRequest" option for details.';
const LOADING_RETRY_MS = 1_000;
const GOODBYE_MS = 2_000;

class MaxRetriesPerRequestError extends Error {
  override readonly name = "MaxRetriesPerRequestError";
}

class ModelClient extends EventEmitter {
  status: Status = "connecting";
  readonly options: RedisOptions;
  readonly #line: Line;
  readonly #process: Scheduler;
  #connection: Connection | null = null;
  #queue: Pending[] = [];
  #isSubscriber = false;
  #isClosing = false;
  #retries = 0;
  #cancelRetry: (() => void) | null = null;
  /** Counts connections: what comes from an older one is not heard. */
  #epoch = 0;

  constructor(options: RedisOptions, line: Line, process: Scheduler) {
    super();
    this.options = options;
    this.#line = line;
    this.#process = process;
    this.#connect();
  }

  get stream(): { readonly writable: boolean; destroy(): void } {
    const connection = this.#connection;
    return {
      writable: connection !== null && connection.isWritable,
      destroy: () => connection?.destroy(),
    };
  }

  call(name: string, ...args: readonly Argument[]): Promise<Reply> {
    return this.#submit([[name, ...textsOf(args)]])[0]!;
  }

  /** Its commands are written at once. */
  pipeline(): ModelPipeline {
    return pipelineOf(async (commands) => {
      const settled = await Promise.allSettled(this.#submit(commands));
      return settled.map((each) =>
        each.status === "fulfilled" ? [null, each.value] : [each.reason]
      );
    });
  }

  multi(): ModelPipeline {
    return pipelineOf(async (commands) => {
      const all = [["MULTI"], ...commands, ["EXEC"]];
      const settled = await Promise.allSettled(this.#submit(all));
      const last = settled.at(-1)!;
      if (last.status === "rejected") {
        const before = settled.slice(0, -1).flatMap((each) =>
          each.status === "rejected" ? [each.reason] : []
        );
        throw Object.assign(last.reason, { previousErrors: before });
      }
      if (last.value === null) return null;
      return (last.value as Reply[]).map((each) => each instanceof Error ? [each] : [null, each]);
    });
  }

  disconnect(isReconnecting = false): void {
    if (!isReconnecting) {
      this.#isClosing = true;
      this.#cancelRetry?.();
      this.#cancelRetry = null;
    }
    const connection = this.#connection;
    if (connection === null) return;
    this.#after(this.options.disconnectTimeout ?? GOODBYE_MS, () => connection.destroy());
    connection.end();
  }

  #after(ms: number, run: () => void): () => void {
    return this.#process.at(this.#process.now() + ms, run);
  }

  #setStatus(status: Status, argument?: number): void {
    this.status = status;
    queueMicrotask(() => this.emit(status, argument));
  }

  #connect(): void {
    const epoch = ++this.#epoch;
    this.#setStatus("connecting");
    this.#isSubscriber = false;
    let cancelTimeout = () => {};
    const connection = this.#line.dial(this.#process, {
      onConnect: () => {
        cancelTimeout();
        this.#greet(epoch);
      },
      onReplies: (replies) => replies.forEach((reply) => this.#settle(reply)),
      onPush: (push) => this.#hear(push),
      onClose: (error) => {
        cancelTimeout();
        if (error !== null) this.#complain(error);
        this.#closed();
      },
    });
    this.#connection = connection;
    const { connectTimeout } = this.options;
    if (connectTimeout === undefined) return;
    cancelTimeout = this.#after(connectTimeout, () => {
      connection.destroy();
      this.#complain(timeoutError());
    });
  }

  #complain(error: Error & { syscall?: string }): void {
    if (this.status === "end") return;
    if (this.#isClosing && (error.syscall === "connect" || error.syscall === "read")) return;
    if (this.listenerCount("error") > 0) this.emit("error", error);
  }

  /** What is said before the connection counts as ready. */
  #greet(epoch: number): void {
    this.#setStatus("connect");
    this.#queue = [];
    const { db, connectionName } = this.options;
    if (db) this.#greeting(["select", String(db)]).catch((error) => this.#complain(error));
    const named = connectionName === undefined
      ? Promise.resolve<Reply>(null)
      : this.#greeting(["client", "setname", connectionName]).catch(() => null);
    named.then(() => this.#checkReady(epoch));
  }

  #greeting(command: Command): Promise<Reply> {
    return this.#submit([command], true)[0]!;
  }

  #checkReady(epoch: number): void {
    this.#greeting(["info"]).then((info) => {
      if (epoch !== this.#epoch) return;
      if (/^loading:1/m.test(info as string)) {
        const waitMs = Math.min(this.options.maxLoadingRetryTime ?? Infinity, LOADING_RETRY_MS);
        this.#after(waitMs, () => this.#checkReady(epoch));
        return;
      }
      this.#retries = 0;
      this.#setStatus("ready");
    }, (error: Error) => {
      if (epoch !== this.#epoch) return;
      this.#flush(error);
      this.#complain(new Error(`Ready check failed: ${error.message}`));
      this.disconnect(true);
    });
  }

  #closed(): void {
    this.#connection = null;
    this.#setStatus("close");
    const delay = this.#isClosing ? null : this.options.retryStrategy?.(++this.#retries);
    if (typeof delay !== "number") {
      this.#isClosing = false;
      this.#setStatus("end");
      return this.#flush(new Error("Connection is closed."));
    }
    this.#setStatus("reconnecting", delay);
    this.#cancelRetry = this.#after(delay, () => {
      this.#cancelRetry = null;
      this.#connect();
    });
    this.#flush(new MaxRetriesPerRequestError(RETRIES_SPENT));
  }

  #flush(error: Error): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const each of queue) each.reject(error);
  }

  /** Sends all at once, or refuses all: nothing waits for a connection. */
  #submit(commands: readonly Command[], isGreeting = false): Promise<Reply>[] {
    const refusal = this.#refusal(commands, isGreeting);
    if (refusal !== null) return commands.map(() => Promise.reject(new Error(refusal)));
    const replies = commands.map((command) => this.#enqueue(command));
    this.#connection!.send(commands);
    return replies;
  }

  #refusal(commands: readonly Command[], isGreeting: boolean): string | null {
    if (this.status === "end") return "Connection is closed.";
    if (
      this.#isSubscriber && !commands.every(([name]) => IN_SUBSCRIPTION.has(name!.toUpperCase()))
    ) {
      return "Connection in subscriber mode, only subscriber commands may be used";
    }
    const isInState = this.status === "ready" || (isGreeting && this.status === "connect");
    if (isInState && this.#connection?.isWritable) return null;
    return "Stream isn't writeable and enableOfflineQueue options is false";
  }

  #enqueue(command: Command): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const { commandTimeout } = this.options;
      const cancel = commandTimeout === undefined
        ? () => {}
        // It keeps its place: its reply may still come, and is not for the next one.
        : this.#after(commandTimeout, () => reject(new Error("Command timed out")));
      this.#queue.push({
        command,
        resolve(reply) {
          cancel();
          resolve(reply);
        },
        reject(error) {
          cancel();
          reject(error);
        },
      });
    });
  }

  #settle(reply: Reply): void {
    const pending = this.#queue.shift();
    // Flushed before, by a greeting that failed.
    if (pending === undefined) return;
    const name = pending.command[0]!;
    if (!(reply instanceof Error)) {
      if (SUBSCRIBING.has(name.toUpperCase())) this.#isSubscriber = true;
      return pending.resolve(reply);
    }
    const args = pending.command.slice(1);
    const error = Object.assign(reply, { command: { name, args } });
    if (name.toLowerCase() !== "client" && this.options.reconnectOnError?.(error)) {
      if (this.status !== "reconnecting") this.disconnect(true);
    }
    pending.reject(error);
  }

  #hear([kind, ...rest]: Push): void {
    this.emit(kind!, ...rest);
  }
}

/** Commands that production and simulated workers call by name. */
const NAMED = [
  ...["get", "set", "del", "mget", "setex", "time", "ping", "publish", "subscribe", "psubscribe"],
  ...["hget", "hmget", "hset", "hdel", "hlen", "llen", "lrange", "lpush", "rpush", "rpop", "lrem"],
  ...["zadd", "zrem", "zrangebyscore", "xadd", "xlen", "xrange", "xrevrange", "xtrim", "info"],
] as const;

for (const name of NAMED) {
  Object.defineProperty(ModelClient.prototype, name, {
    value(this: ModelClient, ...args: Argument[]) {
      return this.call(name, ...args);
    },
  });
}

type Replies = (readonly [Error | null, Reply?])[] | null;

interface ModelPipeline {
  call(name: string, ...args: readonly Argument[]): ModelPipeline;
  exec(): Promise<Replies>;
}

type Run = (commands: readonly Command[]) => Promise<Replies>;

class Pipeline implements ModelPipeline {
  readonly #commands: Command[] = [];
  readonly #run: Run;

  constructor(run: Run) {
    this.#run = run;
  }

  call(name: string, ...args: readonly Argument[]): this {
    this.#commands.push([name, ...textsOf(args)]);
    return this;
  }

  exec(): Promise<Replies> {
    return this.#run(this.#commands);
  }
}

for (const name of NAMED) {
  Object.defineProperty(Pipeline.prototype, name, {
    value(this: Pipeline, ...args: Argument[]) {
      return this.call(name, ...args);
    },
  });
}

function pipelineOf(run: Run): ModelPipeline {
  return new Pipeline(run);
}

function textsOf(args: readonly Argument[]): string[] {
  const texts: string[] = [];
  for (const each of args) {
    if (typeof each === "object") { for (const part of each) texts.push(String(part)); }
    else texts.push(String(each));
  }
  return texts;
}

function timeoutError(): Error {
  const error = new Error("connect ETIMEDOUT");
  return Object.assign(error, { code: "ETIMEDOUT", syscall: "connect" });
}
