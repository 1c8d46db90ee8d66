/** The levels that are other than normal, for those who look. */

import type { Cursor } from "../cursor.ts";
import { levelCursor } from "../cursor.ts";
import { queueKey, sloKey } from "../level.ts";
import type { Task } from "../task.ts";
import type { Check } from "./doctor_server.ts";
import { warning } from "./doctor_server.ts";
import { harmless } from "./row_words.ts";
import { instantText, spanText } from "./time_text.ts";

interface Raised {
  readonly key: string;
  readonly level: string;
  /** Unix milliseconds. */
  readonly sinceMs: number;
}

/** Those of levels among others. Of a cursor its time and revision count here. */
type Cursors = ReadonlyMap<string, Pick<Cursor, "dueMs" | "revision">>;

const PREFIX = levelCursor("");

/** In the order of their keys. */
export function raisedLevels(cursors: Cursors): Raised[] {
  return [...cursors].flatMap(([name, { dueMs, revision }]) =>
    name.startsWith(PREFIX) && revision !== "normal"
      ? [{ key: name.slice(PREFIX.length), level: revision, sinceMs: dueMs }]
      : []
  ).sort((one, other) => one.key < other.key ? -1 : 1);
}

/** One for each level that is raised. */
export function levelLines(cursors: Cursors): string[] {
  return raisedLevels(cursors).map(({ key, level, sinceMs }) =>
    harmless(`${key} is ${level} since ${instantText(sinceMs)}`)
  );
}

/** One a line; `null` for none. */
export function levelsText(cursors: Cursors): string | null {
  const lines = levelLines(cursors);
  if (lines.length === 0) return null;
  return `${lines.join("\n")}\n\`beat journal --type level.changed\` tells why`;
}

/** What holds a task back now, by what is measured: `queue:maintenance slowed`; only what it enforces. */
export function throttlesOf({ queue, policies: { pressure, slo } }: Task, cursors: Cursors) {
  const keys = [
    ...(slo?.mode === "enforce" ? [sloKey(slo.objective)] : []),
    ...(pressure?.mode === "enforce" ? [queueKey(queue)] : []),
  ];
  return keys.flatMap((key) => {
    const level = cursors.get(levelCursor(key))?.revision ?? "normal";
    return level === "normal" ? [] : [{ key, level }];
  });
}

/** @param nowMs the server's time. Unix milliseconds. */
export function levelChecks(cursors: Cursors, nowMs: number): Check[] {
  return raisedLevels(cursors).map(({ key, level, sinceMs }) => {
    const since = spanText(Math.max(0, nowMs - sinceMs));
    const advice = key.startsWith(queueKey(""))
      ? "start more workers for it, or look for what takes so long"
      : "look at what it measures; it recovers by itself";
    return warning(
      `level ${harmless(key)}`,
      `${level} for ${since}: what is not critical is held back`,
      `${advice}; \`beat journal --type level.changed\` tells why`,
    );
  });
}
