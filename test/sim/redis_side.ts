/** The servers of a run: the master behind the address, its replica when there is one, and their bad days. */

import type { Refusal } from "./plan.ts";
import type { Host } from "./redis_line.ts";
import type { ModelRedis } from "./redis_model.ts";
import { modelRedis } from "./redis_model.ts";
import { READ_ONLY } from "./redis_refusals.ts";
import { scriptPorts } from "./redis_scripts.ts";
import type { Command, Reply, Session } from "./redis_words.ts";
import type { Timeline } from "./timeline.ts";
import type { Store, Watcher } from "./watcher.ts";

export interface RedisSide {
  /** The server's clock. Unix milliseconds. */
  nowMs(): number;
  readonly store: Store;
  /** The server behind the address, for the connections of `sender`. */
  hostFor(sender: string): Host;
  /** A command of somebody who is no replica; `null` while the server is down. */
  execute(command: Command): Reply;
  stepClock(byMs: number): void;
  /** The process dies with the last `lostEntries` of its log, and comes back. */
  restart(lostEntries: number, downMs: number, loadingMs: number): void;
  /** A replica that was as far as `lagMs` ago becomes the master; the old one follows it then. */
  failover(lagMs: number, downMs: number): void;
  refuse(error: Refusal | null): void;
  /** Up, the master, and not loading. */
  revive(): void;
  flushScripts(): void;
  flushAll(): void;
}

const REFUSAL: Readonly<Record<string, string>> = {
  READONLY: READ_ONLY,
  BUSY: "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
  MASTERDOWN: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
};

/** Until a server that was the master follows the new one, and from then until it closes its connections. */
const FOLLOWS_MS = 1_000;
const CLOSES_MS = 2_000;

/** So long after a failover clients may still be connected to the server that was the master. Milliseconds. */
export const LINGER_MS = FOLLOWS_MS + CLOSES_MS;

export interface RedisSideParts {
  readonly timeline: Timeline;
  readonly startMs: number;
  /** Told of each command of a replica, after it ran. */
  onCommand(sender: string, command: Command, reply: Reply): void;
}

export function redisSide(
  { timeline, startMs, onCommand }: RedisSideParts,
  watcher: () => Watcher,
): RedisSide {
  let offsetMs = 0;
  const nowMs = () => startMs + timeline.now() + offsetMs;
  const make = () => modelRedis({ nowMs, fsync: "everysec", scripts: scriptPorts() });
  let master = make();
  let own: Session | null = null;
  let flushedOffset = 0;
  let isFailingOver = false;
  const storeOf = (server: ModelRedis): Store => ({
    keys: server.data,
    nowMs: Math.floor(nowMs()),
  });

  function execute(command: Command): Reply {
    if (!master.isUp) return null;
    own ??= master.accept(() => {}, () => own = null);
    return own === null ? null : master.execute(own, command);
  }

  function watched(server: ModelRedis, sender: string): Host {
    return {
      accept: (onPush, onClose) => server.accept(onPush, onClose),
      release: (session) => server.release(session),
      execute(session, command) {
        const run = () => server.execute(session, command);
        const store = () => storeOf(server);
        const reply = server === master
          ? watcher().around(sender, command, store, run)
          : watcher().aside(sender, store, run);
        onCommand(sender, command, reply);
        return reply;
      },
    };
  }

  function promote(next: ModelRedis): void {
    const old = master;
    master = next;
    own = null;
    watcher().cut(storeOf(master));
    timeline.at(timeline.now() + FOLLOWS_MS, () => {
      if (!old.isUp) old.start();
      old.follow(master);
      timeline.at(timeline.now() + CLOSES_MS, () => old.closeAll());
    });
  }

  return {
    nowMs,
    get store() {
      return storeOf(master);
    },
    hostFor: (sender) => watched(master, sender),
    execute,
    stepClock: (byMs) => void (offsetMs += byMs),
    restart(lostEntries, downMs, loadingMs) {
      if (!master.isUp) return;
      const server = master;
      const { baseOffset, offset } = server.log;
      server.crash(Math.max(baseOffset, flushedOffset, offset - lostEntries));
      own = null;
      watcher().cut(storeOf(server));
      timeline.at(timeline.now() + downMs, () => {
        server.start();
        server.conditions.isLoading = true;
        timeline.at(timeline.now() + loadingMs, () => server.conditions.isLoading = false);
      });
    },
    failover(lagMs, downMs) {
      if (!master.isUp || isFailingOver) return;
      const replica = make();
      replica.follow(master);
      isFailingOver = true;
      timeline.at(timeline.now() + lagMs, () => {
        isFailingOver = false;
        replica.follow(null);
        replica.conditions.isLoading = true;
        timeline.at(timeline.now() + downMs, () => replica.conditions.isLoading = false);
        promote(replica);
      });
    },
    refuse(error) {
      const { conditions } = master;
      conditions.isOutOfMemory = error === "OOM";
      conditions.isDiskFull = error === "MISCONF";
      conditions.isLoading = error === "LOADING";
      conditions.refusal = error === null ? null : REFUSAL[error] ?? null;
    },
    revive() {
      if (!master.isUp) master.start();
      master.conditions.isLoading = false;
    },
    flushScripts: () => void execute(["SCRIPT", "FLUSH"]),
    flushAll() {
      // One that a rollback undoes would bring back rows that count as lost.
      if (isFailingOver || execute(["FLUSHALL"]) !== "OK") return;
      flushedOffset = master.log.offset;
      watcher().cut(storeOf(master));
    },
  };
}
