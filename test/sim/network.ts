/** The ways between replicas and Redis: delays, cuts and losses, per replica, as the plan says. */

import type { Draw } from "./draws.ts";
import type { Chunk, Direction, Fate, Host, LineHandle, LineRules } from "./redis_line.ts";

/** What ails the ways of one replica, until a time of the world. Milliseconds. */
export interface Ailments {
  cutUntilMs: number;
  cut: "both" | "request" | "reply";
  lossUntilMs: number;
  loss: "request" | "reply";
  share: number;
  slowUntilMs: number;
  delayMs: number;
  holdUntilMs: number;
  /** Connections on which something waits. */
  readonly held: Set<LineHandle>;
}

export function noAilments(): Ailments {
  return {
    cutUntilMs: 0,
    cut: "both",
    lossUntilMs: 0,
    loss: "reply",
    share: 0,
    slowUntilMs: 0,
    delayMs: 0,
    holdUntilMs: 0,
    held: new Set(),
  };
}

export interface WayParts {
  readonly ailments: Ailments;
  readonly draw: Draw;
  now(): number;
  /** The server that the address leads to. */
  host(): Host | null;
  /** Told of each chunk before its fate; says whether it gets lost for a reason of its own. */
  onChunk(direction: Direction, chunk: Chunk): boolean;
}

/** One way is as quick as this. Milliseconds. */
const DELAY_MIN_MS = 0.1;
const DELAY_SPAN_MS = 0.8;

export function rulesOf({ ailments, draw, now, host, onChunk }: WayParts): LineRules {
  const isCut = (direction: "request" | "reply") =>
    now() < ailments.cutUntilMs && (ailments.cut === "both" || ailments.cut === direction);
  const delayMs = () => {
    const more = now() < ailments.slowUntilMs ? ailments.delayMs * (0.5 + draw.unit()) : 0;
    return DELAY_MIN_MS + draw.unit() * DELAY_SPAN_MS + more;
  };

  function fate(direction: Direction, chunk: Chunk, connection: LineHandle): Fate {
    const way = direction === "request" ? "request" : "reply";
    if (onChunk(direction, chunk) || isCut(way)) return "lose";
    if (now() < ailments.holdUntilMs) {
      ailments.held.add(connection);
      return "hold";
    }
    const isLossy = now() < ailments.lossUntilMs && ailments.loss === way;
    if (isLossy && draw.chance(ailments.share)) return draw.chance(0.5) ? "close" : "lose";
    return { delayMs: delayMs() };
  }

  return {
    host,
    connectMs: () => isCut("request") || isCut("reply") ? null : delayMs() * 2,
    fate,
  };
}

/** What was held is on its way: perhaps to a server that somebody else leads by now. */
export function letGo(ailments: Ailments): void {
  ailments.holdUntilMs = 0;
  for (const connection of ailments.held) connection.resume();
  ailments.held.clear();
}
