/**
 * A Redis in memory, as far as Beat and workers use one: one command at a time, each whole, with the
 * replies and refusals of a real server. The differential test holds it to that. It can lose what a
 * real one can: the tail that was not synced, and what a replica had not got yet.
 */

import type { CommandRule } from "./redis_command.ts";
import { arityError } from "./redis_command.ts";
import type { EffectLog } from "./redis_log.ts";
import { effectLog } from "./redis_log.ts";
import type { Conditions } from "./redis_refusals.ts";
import { calmConditions, denialOf } from "./redis_refusals.ts";
import { pubSub } from "./redis_pub_sub.ts";
import type { ScriptPorts } from "./redis_scripting.ts";
import { scripting } from "./redis_scripting.ts";
import { replay, ruleOf } from "./redis_table.ts";
import type { Core, ReadonlyKeyspace, Value } from "./redis_values.ts";
import { find, Keyspace } from "./redis_values.ts";
import type { Command, LogEntry, Push, Reply, Session } from "./redis_words.ts";
import { ReplyError } from "./redis_words.ts";

export interface ModelRedisOptions {
  /** The server's own clock; may step. Unix milliseconds. */
  nowMs(): number;
  /** `always`: the disk has it before the reply. Else {@link ModelRedis.sync} says when. */
  readonly fsync: "always" | "everysec" | "no";
  /** Ports of scripts by the hash of their text. */
  readonly scripts: ScriptPorts;
  /** After each command, script or transaction that wrote, before its reply is on its way. */
  onStep?(step: Step): void;
}

export interface Step {
  readonly command: Command;
  readonly reply: Reply;
  readonly entry: LogEntry;
  /** Of the log after it. */
  readonly offset: number;
}

export interface ModelRedis {
  readonly isUp: boolean;
  /** Set by the world: out of memory, full disk, loading, another refusal. */
  readonly conditions: Conditions;
  /** A connection, or `null` while it is down. */
  accept(onPush: (push: Push) => void, onClose: () => void): Session | null;
  release(session: Session): void;
  /** One command, whole. An error reply is returned, not thrown. */
  execute(session: Session, command: Command): Reply;
  /** Ends each connection from the server's side. */
  closeAll(): void;

  readonly log: EffectLog;
  /** The disk has all up to now. */
  sync(): void;
  /**
   * The process is gone, and with it its connections.
   * @param keep what the disk has, as an offset of the log; by default all (kill -9 leaves the page
   * cache), after a power failure anything from `log.syncedOffset` on
   */
  crash(keep?: number): void;
  /** Comes back with what the disk has; scripts are forgotten. */
  start(): void;

  readonly isReplica: boolean;
  /** Becomes a replica and takes all that `master` has, whatever it had itself; `null`: a master. */
  follow(master: ModelRedis | null): void;
  /** A replica gets what its master wrote, up to an offset of the master's log. @default all */
  pull(offset?: number): void;

  /** A key that has not expired, to look at without a trace. */
  peek(key: string): Value | undefined;
  keys(): string[];
  /** For {@link ModelRedis.follow}. */
  readonly data: ReadonlyKeyspace;
}

export function modelRedis(options: ModelRedisOptions): ModelRedis {
  const conditions = calmConditions();
  const sessions = new Set<Session>();
  const channels = pubSub(sessions);
  const scripts = scripting(options.scripts);
  const log = effectLog();
  let isUp = true;
  let master: ModelRedis | null = null;
  const core: Core = {
    keys: new Keyspace(),
    nowMs: 0,
    readMs: () => Math.floor(options.nowMs()),
    isReplica: false,
    isReplaying: false,
    writes: [],
    publish: channels.publish,
    info: () =>
      `# Server\r\nredis_version:7.0.15\r\nloading:${conditions.isLoading ? 1 : 0}\r\n` +
      `role:${master === null ? "master" : "slave"}\r\n`,
  };

  function execute(session: Session, command: Command): Reply {
    core.nowMs = Math.floor(options.nowMs());
    core.writes = [];
    let reply: Reply;
    try {
      reply = process(session, command);
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      reply = error;
    }
    if (core.writes.length > 0) record({ writes: core.writes }, command, reply);
    return reply;
  }

  function record(entry: LogEntry, command: Command, reply: Reply): void {
    log.append(entry);
    if (options.fsync === "always") log.sync();
    options.onStep?.({ command, reply, entry, offset: log.offset });
  }

  function process(session: Session, command: Command): Reply {
    const name = command[0]!.toUpperCase();
    if (name === "EXEC") return executeQueue(session);
    const rule = SESSION_RULES[name] ?? ruleOf(name);
    const refused = rule === undefined
      ? unknownCommand(command)
      : refusalOf(session, name, rule, command);
    if (refused !== null) {
      if (session.queue !== null) session.isSpoiled = true;
      return refused;
    }
    if (session.queue !== null && !UNQUEUED.has(name)) {
      session.queue.push(command);
      return "QUEUED";
    }
    return runNow(session, name, command);
  }

  function refusalOf(session: Session, name: string, rule: CommandRule, command: Command) {
    const { arity, shownAs = name } = rule;
    if (arity < 0 ? command.length < -arity : command.length !== arity) return arityError(shownAs);
    const isQueueing = session.queue !== null && !UNQUEUED.has(name);
    const { isOutOfMemory, isDiskFull, isLoading, refusal } = conditions;
    const isCalm = !isOutOfMemory && !isDiskFull && !isLoading && refusal === null;
    const denied = isCalm && !core.isReplica ? null : denialOf(conditions, core.isReplica, {
      isWrite: rule.isWrite === true,
      // A queue might grow without end.
      needsMemory: rule.needsMemory === true || isQueueing,
      isForLoading: rule.isForLoading === true,
      isPing: name === "PING",
    });
    if (denied !== null) return denied;
    if (!channels.isSubscribed(session) || IN_SUBSCRIPTION.has(name)) return null;
    return new ReplyError(
      `ERR Can't execute '${name.toLowerCase()}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / ` +
        "QUIT / RESET are allowed in this context",
    );
  }

  function runNow(session: Session, name: string, command: Command): Reply {
    switch (name) {
      case "MULTI":
        if (session.queue !== null) return new ReplyError("ERR MULTI calls can not be nested");
        session.queue = [];
        return "OK";
      case "DISCARD":
        if (session.queue === null) return new ReplyError("ERR DISCARD without MULTI");
        session.queue = null;
        session.isSpoiled = false;
        return "OK";
      case "EVAL":
      case "EVALSHA":
        return scripts.run(core, name, command, conditions);
      case "SCRIPT":
        return scripts.manage(command);
      case "SUBSCRIBE":
      case "PSUBSCRIBE":
      case "UNSUBSCRIBE":
      case "PUNSUBSCRIBE":
        return channels.change(session, name, command.slice(1));
      case "PING":
        return command[1] ?? "PONG";
      case "CLIENT":
      case "SELECT":
        return "OK";
      default:
        return ruleOf(name)!.run(core, command);
    }
  }

  function executeQueue(session: Session): Reply {
    const { queue, isSpoiled } = session;
    if (queue === null) return new ReplyError("ERR EXEC without MULTI");
    session.queue = null;
    session.isSpoiled = false;
    const rules = queue.map(([name]) => SESSION_RULES[name!.toUpperCase()] ?? ruleOf(name!)!);
    const denied = denialOf(conditions, core.isReplica, {
      isWrite: rules.some(({ isWrite }) => isWrite),
      needsMemory: rules.some(({ needsMemory }) => needsMemory),
      isForLoading: rules.every(({ isForLoading }) => isForLoading),
      isPing: false,
    });
    if (denied !== null) {
      return new ReplyError(`EXECABORT Transaction discarded because of: ${denied.message}`);
    }
    if (isSpoiled) {
      return new ReplyError("EXECABORT Transaction discarded because of previous errors.");
    }
    return queue.map((each) => caught(() => runNow(session, each[0]!.toUpperCase(), each)));
  }

  function closeAll(): void {
    const gone = [...sessions];
    sessions.clear();
    for (const { onClose } of gone) onClose();
  }

  function pullAll(until: number): void {
    if (master === null) return;
    if (log.offset < master.log.baseOffset || log.offset > master.log.offset) {
      core.keys = new Keyspace();
      log.restart(master.data, master.log.offset);
      core.keys = log.cutTo(log.offset);
    }
    while (log.offset < Math.min(until, master.log.offset)) {
      const entry = master.log.entryTo(log.offset + 1);
      core.keys = replay(core.keys, [entry]);
      log.append(entry);
    }
    if (options.fsync === "always") log.sync();
  }

  return {
    get isUp() {
      return isUp;
    },
    conditions,
    accept(onPush, onClose) {
      if (!isUp) return null;
      const session: Session = {
        ...{ queue: null, isSpoiled: false, channels: new Set(), patterns: new Map() },
        ...{ onPush, onClose },
      };
      sessions.add(session);
      return session;
    },
    release: (session) => void sessions.delete(session),
    execute,
    closeAll,
    log,
    sync: () => log.sync(),
    crash(keep = log.offset) {
      isUp = false;
      core.keys = log.cutTo(keep);
      scripts.forget();
      closeAll();
    },
    start: () => void (isUp = true),
    get isReplica() {
      return master !== null;
    },
    follow(next) {
      master = next;
      core.isReplica = next !== null;
      if (next === null) return;
      log.restart(next.data, next.log.offset);
      core.keys = log.cutTo(log.offset);
    },
    pull: (offset = Infinity) => pullAll(offset),
    peek(key) {
      const value = core.keys.get(key);
      return value === undefined || value.expiresMs === null || options.nowMs() <= value.expiresMs
        ? value
        : undefined;
    },
    keys() {
      const seen = { ...core, nowMs: Math.floor(options.nowMs()), isReplica: true };
      return [...core.keys.names()].filter((key) => find(seen, key) !== undefined);
    },
    get data() {
      return core.keys;
    },
  };
}

function caught(run: () => Reply): Reply {
  try {
    return run();
  } catch (error) {
    if (error instanceof ReplyError) return error;
    throw error;
  }
}

function unknownCommand([name, ...args]: Command): ReplyError {
  const shown = args.map((each) => `'${each}' `).join("");
  return new ReplyError(`ERR unknown command '${name}', with args beginning with: ${shown}`);
}

const nowhere = () => {
  throw new Error("expected a command of the session to be run by the session");
};
const anyTime = { isForLoading: true, run: nowhere } as const;

/** Commands on the connection or on scripts, not on data. */
const SESSION_RULES: Readonly<Record<string, CommandRule>> = {
  MULTI: { arity: 1, ...anyTime },
  DISCARD: { arity: 1, ...anyTime },
  EVAL: { arity: -3, run: nowhere },
  EVALSHA: { arity: -3, run: nowhere },
  SCRIPT: { arity: -2, run: nowhere },
  SUBSCRIBE: { arity: -2, ...anyTime },
  PSUBSCRIBE: { arity: -2, ...anyTime },
  UNSUBSCRIBE: { arity: -1, ...anyTime },
  PUNSUBSCRIBE: { arity: -1, ...anyTime },
  PING: { arity: -1, run: nowhere },
  CLIENT: { arity: -2, ...anyTime },
  SELECT: { arity: 2, ...anyTime },
};

const UNQUEUED: ReadonlySet<string> = new Set(["MULTI", "EXEC", "DISCARD"]);
const IN_SUBSCRIPTION: ReadonlySet<string> = new Set([
  ...["SUBSCRIBE", "PSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "PING"],
]);
