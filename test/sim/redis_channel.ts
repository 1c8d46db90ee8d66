/** One direction of a simulated connection: what is sent first arrives first, or nothing does. */

import type { Command, Reply, Scheduler } from "./redis_words.ts";

/** What becomes of a chunk of bytes. TCP keeps order, so behind a loss nothing arrives either. */
export type Fate =
  /** Arrives after so many milliseconds, and after everything sent before it. */
  | { readonly delayMs: number }
  /** Waits, and everything after it, until it is resumed. */
  | "hold"
  /** Neither it nor anything after it arrives in this direction, on this connection. */
  | "lose"
  /** As `lose`, and both ends hear at once that the connection is gone. */
  | "close";

export type Direction = "request" | "reply" | "push";

/** Commands of a request, the replies to them, or a push. The end of a direction has neither. */
export interface Chunk {
  readonly commands: readonly Command[];
  readonly replies: readonly Reply[] | null;
}

/** The end of a direction (FIN). */
export const END: Chunk = { commands: [], replies: null };

export interface Channel {
  send(direction: Direction, chunk: Chunk): void;
  /** Something was lost, and nothing arrives any more. */
  readonly isDead: boolean;
  /** Also what is under way is lost. */
  lose(): void;
  /** What was held is on its way. */
  resume(): void;
}

export interface ChannelParts {
  /** Where things arrive. */
  readonly scheduler: Scheduler;
  fate(direction: Direction, chunk: Chunk): Fate;
  /** The fate was `close`. */
  onReset(): void;
}

type Sent = readonly [direction: Direction, chunk: Chunk];

export function channelOf(
  { scheduler, fate, onReset }: ChannelParts,
  deliver: (direction: Direction, chunk: Chunk) => void,
): Channel {
  let lastMs = 0;
  let isDead = false;
  let isHeld = false;
  let underWay: Sent[] = [];
  let held: Sent[] = [];
  const dispatch = (sent: Sent, delayMs: number) => {
    lastMs = Math.max(lastMs, scheduler.now() + delayMs);
    underWay.push(sent);
    // Events of one time come in any order, but the first of them takes what was sent first.
    scheduler.at(lastMs, () => {
      const first = underWay.shift();
      if (first !== undefined) deliver(...first);
    });
  };
  return {
    get isDead() {
      return isDead;
    },
    send(direction, chunk) {
      if (isDead) return;
      const decided = fate(direction, chunk);
      if (decided === "close") onReset();
      // What was sent before the loss still arrives.
      else if (decided === "lose") isDead = true;
      else if (decided === "hold" || isHeld) {
        isHeld = true;
        held.push([direction, chunk]);
      } else dispatch([direction, chunk], decided.delayMs);
    },
    lose() {
      isDead = true;
      underWay = [];
      held = [];
    },
    resume() {
      isHeld = false;
      const waiting = held;
      held = [];
      for (const each of waiting) dispatch(each, 0);
    },
  };
}
