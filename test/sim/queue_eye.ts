/** How long queues are, as the world sees it: what the leader says of them is held against that. */

import type { QueueMarks } from "../../src/level.ts";
import type { Account } from "./account.ts";
import type { Spell } from "./calm.ts";
import type { LedgerRow } from "./ledger.ts";
import type { Standing } from "./level_rule.ts";
import { levelKey, MARKS } from "./level_rule.ts";
import type { Store } from "./watcher.ts";

export interface QueueEye {
  /** Redis was asked for something at this moment. @param lengths of `lists` */
  note(atMs: number, lengths: readonly number[]): void;
  /** Why the row of a level must not say what it says of its queue; `null` where it may. */
  whyNotMeasured(row: LedgerRow): string | null;
  /** Looks itself, every few seconds. */
  look(atMs: number, store: Store): void;
  /** Levels that should have followed their queues in a calm spell until now. */
  unmoved(levels: Account["books"]["levels"], spell: Spell, serverMs: number): string[];
}

/** A leader has looked so short a time before its row, unless the row was held up. Milliseconds. */
const LOOKED_WITHIN_MS = 20_000;
const UNDER_WAY_MS = 5_000;
/** Messages of each list that are gone through. */
const SEEN_MAX = 20;
/** A queue is raised and let go within this: looks come every 5 s, and a level lasts for as long. */
const RAISED_WITHIN_MS = 25_000;
const FALLEN_WITHIN_MS = 45_000;

interface Lengths {
  readonly atMs: number;
  readonly byQueue: ReadonlyMap<string, number>;
}

export function queueEye(queues: readonly string[], lists: readonly string[]): QueueEye {
  let noted: Lengths[] = [];
  /** Since when each queue is seen to be long, and to be empty. */
  const longMs = new Map<string, number>();
  const emptyMs = new Map<string, number>();
  const wasEmpty = new Set<string>();
  const isOf = (queue: string, list: string) => list === queue || list.startsWith(`${queue}\x06`);

  function keep(since: Map<string, number>, queue: string, atMs: number, isSo: boolean): void {
    if (!isSo) since.delete(queue);
    else if (!since.has(queue)) since.set(queue, atMs);
  }

  return {
    note(atMs, lengths) {
      const sum = (queue: string) =>
        lists.reduce((all, list, at) => isOf(queue, list) ? all + lengths[at]! : all, 0);
      const byQueue = new Map(queues.map((queue) => [queue, sum(queue)]));
      if (noted.length > 2_000) {
        noted = noted.filter((each) => each.atMs > atMs - LOOKED_WITHIN_MS);
      }
      noted.push({ atMs, byQueue });
    },
    whyNotMeasured({ atMs, serverMs, decidedMs, detail }) {
      const facts = detail.facts as Figures;
      const right = levelAfter(String(detail.from), facts);
      if (detail.to !== right) return `${JSON.stringify(facts)} makes it ${right}`;
      if (Math.abs(serverMs - decidedMs) > UNDER_WAY_MS) return null;
      const queue = String(detail.key).slice(levelKey("").length);
      const lengths = noted.filter((each) => each.atMs > atMs - LOOKED_WITHIN_MS)
        .map(({ byQueue }) => byQueue.get(queue));
      const said = facts.depth + facts.expired;
      return lengths.includes(said) ? null : `it had ${said} at none of the last looks`;
    },
    look(atMs, { keys, nowMs }) {
      for (const queue of queues) {
        let [all, living] = [0, 0];
        for (const list of lists) {
          const value = isOf(queue, list) ? keys.get(list) : undefined;
          if (value?.type !== "list") continue;
          const texts = value.list.slice(0, value.list.length - 1);
          all += texts.length;
          living += texts.slice(-SEEN_MAX).filter((text) => isLiving(text, nowMs)).length;
        }
        keep(longMs, queue, atMs, living >= MARKS.depth.pause);
        // Messages come and go: one that is just seen is no queue.
        keep(emptyMs, queue, atMs, all === 0 || wasEmpty.has(queue));
        if (all === 0) wasEmpty.add(queue);
        else wasEmpty.delete(queue);
      }
    },
    unmoved(levels, { fromMs, untilMs }, serverMs) {
      return queues.flatMap((queue) => {
        const { level, sinceMs } = levels.get(levelKey(queue)) ?? UNMOVED;
        const [long, empty] = [longMs, emptyMs].map((since) =>
          Math.min(untilMs - Math.max(fromMs, since.get(queue) ?? Infinity), serverMs - sinceMs)
        ) as [number, number];
        if (level === "normal" && long > RAISED_WITHIN_MS) {
          return [`${queue} is long for ${long} ms, and its level is normal`];
        }
        return level !== "normal" && empty > FALLEN_WITHIN_MS
          ? [`${queue} is empty for ${empty} ms, and its level is ${level}`]
          : [];
      });
    },
  };
}

const UNMOVED: Standing = { level: "normal", sinceMs: -Infinity };

interface Figures {
  readonly depth: number;
  readonly expired: number;
  readonly ageMs: number | null;
  readonly waitMs: number | null;
}

function isLiving(text: string, nowMs: number): boolean {
  const { headers } = JSON.parse(text);
  return headers !== undefined && (headers.expires === null || Date.parse(headers.expires) > nowMs);
}

function levelAfter(from: string, { depth, ageMs, waitMs }: Figures): string {
  const places = [
    placeOf(depth, MARKS.depth),
    placeOf(Math.max(ageMs ?? 0, waitMs ?? 0), MARKS.waitMs!),
  ];
  const place = Math.max(...places);
  if (from === "paused") return place <= 1 ? "slowed" : from;
  if (place === 3) return "paused";
  if (from === "slowed") return place === 0 ? "normal" : from;
  return place === 2 ? "slowed" : from;
}

/** 0 up to the low mark, 1 between, 2 from the high mark on, 3 from that of a pause on. */
function placeOf(value: number, { low, high, pause }: QueueMarks["depth"]): number {
  return value >= pause ? 3 : value >= high ? 2 : value > low ? 1 : 0;
}
