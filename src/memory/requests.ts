/** The stream of requests in memory, for tests and simulations. */

import { compareIds, NO_ID } from "../event.ts";
import type { RequestEntry, Requests } from "../request.ts";
import { splitId } from "./store.ts";

export interface MemoryRequests extends Requests {
  readonly entries: RequestEntry[];
}

/** @param serverMs the server's time; Unix milliseconds, whole */
export function memoryRequests(serverMs: () => number): MemoryRequests {
  const entries: RequestEntry[] = [];
  let lastId = NO_ID;
  return {
    entries,
    after: (id, limit) =>
      Promise.resolve(entries.filter((each) => compareIds(each.id, id) > 0).slice(0, limit)),
    at: (id) => Promise.resolve(entries.find((each) => each.id === id) ?? null),
    append(text, keepFromId) {
      const [lastMs, lastCount] = splitId(lastId);
      const nowMs = serverMs();
      lastId = nowMs > lastMs ? `${nowMs}-0` : `${lastMs}-${lastCount + 1}`;
      entries.push({ id: lastId, text });
      const first = entries.findIndex(({ id }) => compareIds(id, keepFromId) >= 0);
      entries.splice(0, first);
      return Promise.resolve(lastId);
    },
  };
}
