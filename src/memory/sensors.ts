/** Celery's side of Redis in plain maps: dry runs, replays and tests. */

import { decodeMessage } from "../celery/message.ts";
import type { Hint, Reservation, Sensors, TaskResult } from "../sensors.ts";
import type { MemoryStore } from "./store.ts";

export interface MemorySensors extends Sensors {
  /** What workers hold, by delivery tag. */
  readonly unacked: Map<string, Exclude<Reservation, "none">>;
  /** By task id. */
  readonly documents: Map<string, TaskResult>;
  /** Tells everybody who listens. */
  tell(hint: Hint): void;
}

/** @param store the lists that the journal in memory pushes to */
export function memorySensors(
  { lists }: Pick<MemoryStore, "lists">,
  { sep = "\x06\x16", hasResults = true }: { sep?: string; hasResults?: boolean } = {},
): MemorySensors {
  const unacked: MemorySensors["unacked"] = new Map();
  const documents: MemorySensors["documents"] = new Map();
  const listeners = new Set<(hint: Hint) => void>();
  return {
    sep,
    hasResults,
    unacked,
    documents,
    tell(hint) {
      for (const listener of listeners) listener(hint);
    },
    sampleQueues(names, limit) {
      return Promise.resolve(names.map((name) => {
        const elements = lists.get(name) ?? [];
        const oldest = elements.slice(-limit).reverse().map(decodeMessage);
        return { depth: elements.length, oldest };
      }));
    },
    reservations(tags) {
      return Promise.resolve(tags.map((tag) => unacked.get(tag) ?? "none"));
    },
    results(taskIds) {
      return Promise.resolve(taskIds.map((taskId) => documents.get(taskId) ?? null));
    },
    listen(onHint, signal) {
      if (signal.aborted) return;
      listeners.add(onHint);
      signal.addEventListener("abort", () => listeners.delete(onHint), { once: true });
    },
  };
}
