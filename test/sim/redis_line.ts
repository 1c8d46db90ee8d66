/**
 * The way between a client and a server: simulated TCP connections, in order in each direction, whose
 * delays and losses the world decides.
 */

import type { Chunk, Direction, Fate } from "./redis_channel.ts";
import { channelOf, END } from "./redis_channel.ts";
import type { Command, Push, Reply, Scheduler, Session } from "./redis_words.ts";

export type { Chunk, Direction, Fate };

/** As much of a server as a connection needs; the model of Redis is one. */
export interface Host {
  /** A new connection, or `null` where nobody listens: refused at once. */
  accept(onPush: (push: Push) => void, onClose: () => void): Session | null;
  execute(session: Session, command: Command): Reply;
  /** The client is gone. */
  release(session: Session): void;
}

/** What the world decides for a line: a client's way to whatever server is behind its address. */
export interface LineRules {
  /** Asked for each attempt, when the other end is reached. `null`: no route, it hangs. */
  host(): Host | null;
  /** Until a connection stands or is refused; `null`: it hangs. Milliseconds. */
  connectMs(): number | null;
  /** Asked for each chunk, in the order in which they are sent. */
  fate(direction: Direction, chunk: Chunk, connection: LineHandle): Fate;
}

/** A connection, as the world sees it. */
export interface LineHandle {
  /** The server that it leads to. */
  readonly host: Host;
  readonly isOpen: boolean;
  /** What was held is on its way. */
  resume(): void;
  /** Both ends hear at once that it is gone (RST). */
  reset(): void;
}

export interface ConnectionEvents {
  onConnect(): void;
  onReplies(replies: readonly Reply[]): void;
  onPush(push: Push): void;
  /** Comes once, last. @param error why; `null` for an end in good order */
  onClose(error: Error | null): void;
}

/** A connection, as the client sees it. */
export interface Connection {
  readonly isWritable: boolean;
  send(commands: readonly Command[]): void;
  /** What was sent still arrives; `onClose` comes when the server has heard it. */
  end(): void;
  /** Closed on this side at once; the server hears the end. `onClose` follows. */
  destroy(): void;
}

export interface Line {
  /** @param process the client's: what arrives for a paused process waits, for a dead one it is lost */
  dial(process: Scheduler, events: ConnectionEvents): Connection;
  /** Connections that stand, on either side. */
  readonly open: ReadonlySet<LineHandle>;
  /** The client's process is gone, and its system ends what it had. */
  abandon(): void;
}

/** As `src/redis/client.ts` has it. Milliseconds. */
const KEEP_ALIVE_MS = 10_000;

interface Ends {
  readonly handle: LineHandle;
  /** From the client's system, whether its process still lives or not. */
  hangUp(): void;
}

export function lineOf(network: Scheduler, rules: LineRules): Line {
  const connections = new Set<LineHandle>();
  const ends = new Map<LineHandle, Ends>();
  return {
    open: connections,
    dial(process, events) {
      let stood: (Connection & Ends) | null = null;
      let isOver = false;
      let isEnding = false;
      const finish = (error: Error | null) => {
        if (isOver) return;
        isOver = true;
        events.onClose(error);
      };
      const establish = () => {
        const host = isOver ? null : rules.host();
        if (host === null) return;
        stood = establishedOf({ network, rules, process, host }, { ...events, onClose: finish });
        if (stood === null) return void finish(refusal());
        const { handle } = stood;
        connections.add(handle);
        ends.set(handle, stood);
        if (isEnding) stood.end();
        else events.onConnect();
      };
      const delayMs = rules.connectMs();
      if (delayMs !== null) process.at(process.now() + delayMs, establish);
      return {
        get isWritable() {
          return stood !== null && stood.isWritable;
        },
        send: (commands) => stood?.send(commands),
        end() {
          isEnding = true;
          stood?.end();
        },
        destroy() {
          if (stood !== null) stood.destroy();
          else process.at(process.now(), () => finish(null));
        },
      };
    },
    abandon() {
      for (const each of ends.values()) each.hangUp();
    },
  };

  function establishedOf(parts: Parts, events: ConnectionEvents): (Connection & Ends) | null {
    return establish(parts, events, (handle) => {
      connections.delete(handle);
      ends.delete(handle);
    });
  }
}

function refusal(): Error {
  const error = new Error("connect ECONNREFUSED");
  return Object.assign(error, { code: "ECONNREFUSED", syscall: "connect" });
}

function resetError(): Error {
  return Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" });
}

interface Parts {
  readonly network: Scheduler;
  readonly rules: LineRules;
  readonly process: Scheduler;
  readonly host: Host;
}

/** @param onGone when neither side knows of it any more */
function establish(
  { network, rules, process, host }: Parts,
  events: ConnectionEvents,
  onGone: (handle: LineHandle) => void,
): (Connection & Ends) | null {
  let isWritable = true;
  let isClientOpen = true;
  const fate = (direction: Direction, chunk: Chunk) => rules.fate(direction, chunk, handle);
  const toServer = channelOf({ scheduler: network, fate, onReset: reset }, arriveAtServer);
  const toClient = channelOf({ scheduler: process, fate, onReset: reset }, arriveAtClient);
  let session = host.accept(
    (push) => toClient.send("push", { commands: [], replies: push }),
    () => {
      session = null;
      toClient.send("reply", END);
      if (toClient.isDead) keepAlive();
    },
  );
  if (session === null) return null;

  /** A client that never heard of the end has its system ask, as production does, and then hears of it. */
  function keepAlive(): void {
    network.at(network.now() + KEEP_ALIVE_MS, () => {
      if (!isClientOpen) return;
      if (rules.connectMs() === null) return keepAlive();
      isWritable = false;
      process.at(process.now(), () => {
        if (isClientOpen) closeClient(resetError());
      });
    });
  }

  function arriveAtServer(_direction: Direction, chunk: Chunk): void {
    if (chunk === END) {
      forget();
      return toClient.send("reply", END);
    }
    const replies: Reply[] = [];
    for (const command of chunk.commands) {
      // It may fall over a command, and answers none then.
      if (session === null) return;
      replies.push(host.execute(session, command));
    }
    toClient.send("reply", { commands: chunk.commands, replies });
  }

  function arriveAtClient(direction: Direction, chunk: Chunk): void {
    if (!isClientOpen) return;
    if (chunk === END) closeClient(null);
    else if (direction === "push") events.onPush(chunk.replies as Push);
    else events.onReplies(chunk.replies!);
  }

  function closeClient(error: Error | null): void {
    isWritable = isClientOpen = false;
    if (session === null) onGone(handle);
    events.onClose(error);
  }

  function forget(): void {
    if (session !== null) host.release(session);
    session = null;
    if (!isClientOpen) onGone(handle);
  }

  function hangUp(): void {
    isWritable = isClientOpen = false;
    if (session === null) return onGone(handle);
    toServer.send("request", END);
    // The server would find out some day; nothing depends on when.
    if (toServer.isDead) forget();
  }

  function reset(): void {
    toServer.lose();
    toClient.lose();
    forget();
    if (!isClientOpen) return;
    isWritable = false;
    process.at(process.now(), () => {
      if (isClientOpen) closeClient(resetError());
    });
  }

  const handle: LineHandle = {
    host,
    get isOpen() {
      return isClientOpen && session !== null;
    },
    resume() {
      toServer.resume();
      toClient.resume();
    },
    reset,
  };
  return {
    handle,
    hangUp,
    get isWritable() {
      return isWritable;
    },
    send(commands) {
      if (isWritable) toServer.send("request", { commands, replies: null });
    },
    end() {
      if (!isWritable) return;
      isWritable = false;
      toServer.send("request", END);
    },
    destroy() {
      if (!isClientOpen) return;
      if (isWritable) hangUp();
      else if (session !== null && toServer.isDead) forget();
      isWritable = isClientOpen = false;
      if (session === null) onGone(handle);
      process.at(process.now(), () => events.onClose(null));
    },
  };
}
