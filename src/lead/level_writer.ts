/**
 * Writes changes of levels: a row, and the cursor that ticks read the level from, in one step. One
 * piece of work at a time with the ticks, and the only one who moves these cursors. Where a reply is
 * lost, the term ends: the row may stand, or arrive yet, and what is decided next depends on it.
 */

import type { ServerClock } from "../clock.ts";
import { freshUntil } from "../core/chain.ts";
import { isRefusal } from "../core/commit.ts";
import type { Tick } from "../core/tick.ts";
import { cursorText } from "../core/world.ts";
import { encodeCursor, levelCursor } from "../cursor.ts";
import type { Level, Row } from "../event.ts";
import type { Standing } from "../levels/move.ts";
import type { Log } from "../log.ts";

export interface LevelWriterParts {
  readonly server: ServerClock;
  readonly log: Log;
  readonly fence: number;
  /** What the term ticks with now; `null` once it has ended. */
  now(): Tick | null;
  /** Does a piece of work while no tick is under way. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** Ends the term before another tick: a level may stand that its world does not know. */
  unsure(): void;
}

/** Why a level changes. */
export interface Change {
  readonly to: Level;
  readonly reason: string;
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;
}

export interface LevelWriter {
  standing(key: string): Standing;
  /** Does nothing where the level is that. @throws {JournalUnavailableError} */
  change(key: string, change: Change): Promise<void>;
  /** Keys below `prefix` whose level is another than normal. */
  raised(prefix: string): string[];
  /** Somebody newer leads. */
  readonly isFenced: boolean;
}

export function levelWriter(parts: LevelWriterParts): LevelWriter {
  const { server, log, fence } = parts;
  let isFenced = false;

  async function write(now: Tick, key: string, { to, reason, facts }: Change): Promise<void> {
    const cursor = levelCursor(key);
    const from = standingIn(now, key).level;
    if (from === to) return;
    const decidedMs = server.nowMs();
    const detail = { key, from, to, reason, facts };
    const row: Row = { type: "level.changed", task: "", dueMs: null, decidedMs, detail };
    const next = encodeCursor({ dueMs: decidedMs, revision: to });
    const expect = cursorText(now.world, cursor);
    const notAfterMs = freshUntil(row);
    const step = { task: cursor, expect, next, notBeforeMs: 0, notAfterMs, row, publish: null };
    const tally = await now.committer.commitAll([[step]], fence).catch((error) => {
      if (!isRefusal(error)) parts.unsure();
      throw error;
    });
    isFenced ||= tally.isFenced;
    if (tally.committed === 0) return;
    log[to === "normal" ? "info" : "warn"]("level changed", { key, from, to, reason });
  }

  return {
    standing(key) {
      const now = parts.now();
      return now === null ? NORMAL : standingIn(now, key);
    },
    change(key, change) {
      return parts.alone(async () => {
        const now = parts.now();
        if (now !== null && !isFenced) await write(now, key, change);
      });
    },
    raised(prefix) {
      const cursors = parts.now()?.world.cursors;
      const start = levelCursor(prefix);
      const raised: string[] = [];
      // Asked at each look, of as many cursors as there are tasks.
      for (const name of cursors?.keys() ?? []) {
        if (!name.startsWith(start) || cursors!.get(name)!.revision === "normal") continue;
        raised.push(name.slice(levelCursor("").length));
      }
      return raised;
    },
    get isFenced() {
      return isFenced;
    },
  };
}

const NORMAL: Standing = { level: "normal", sinceMs: null };

function standingIn({ world }: Tick, key: string): Standing {
  const cursor = world.cursors.get(levelCursor(key));
  return cursor === undefined ? NORMAL : { level: cursor.revision as Level, sinceMs: cursor.dueMs };
}
