/**
 * The way between a client and a server: one simulated TCP connection at a time, in order in each
 * direction, whose delays and losses the world decides.
 */

import type { Command, Push, Reply, Scheduler, Session } from "./redis_words.ts";

/** As much of a server as a connection needs. */
export interface Host {
  /** A new connection, or `null` where nobody listens: refused at once. */
  accept(onPush: (push: Push) => void, onClose: () => void): Session | null;
  execute(session: Session, command: Command): Reply;
  /** The client is gone. */
  release(session: Session): void;
}

/** What becomes of a chunk of bytes. TCP keeps order, so behind a loss nothing arrives either. */
export type Fate =
  /** Arrives after so many milliseconds, and after everything sent before it. */
  | { readonly delayMs: number }
  /** Neither it nor anything after it arrives in this direction, on this connection. */
  | "lose"
  /** As `lose`, and both ends hear that the connection is closed. */
  | "close";

export type Direction = "request" | "reply" | "push";

/** What the world decides. Each is asked once for each chunk, in order. */
export interface LineRules {
  /** The server behind the address at this moment; `null`: no route, the attempt hangs. */
  host(): Host | null;
  /** Time until the connection stands; `null`: it never does. Milliseconds. */
  connectMs(): number | null;
  fate(direction: Direction, chunk: Chunk): Fate;
}

/** For the rules to look at: commands of a request, or the replies to them. */
export interface Chunk {
  readonly commands: readonly Command[];
  readonly replies: readonly Reply[] | null;
}

export interface LineEvents {
  onConnect(): void;
  onReplies(replies: readonly Reply[]): void;
  onPush(push: Push): void;
  /** @param error why; `null` for an orderly end */
  onClose(error: Error | null): void;
}

/** One connection, seen from the client. */
export interface Connection {
  send(commands: readonly Command[]): void;
  /** FIN: what is under way arrives; `onClose` comes when the other end has answered. */
  end(): void;
  /** Gone at once, without a word to the other end's reader; `onClose` follows. */
  destroy(): void;
}

/** What the world holds of a connection. */
export interface LineHandle {
  readonly isOpen: boolean;
  /** Both ends hear of it (RST). */
  reset(): void;
}

/** Dials. `onOpened` gives the world its hold of each connection. */
export interface Line {
  dial(events: LineEvents): Connection;
  /** Connections that stand. */
  readonly open: ReadonlySet<LineHandle>;
}

export type { Scheduler };
