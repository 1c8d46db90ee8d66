/** The lease in memory, over the same store as the journal that it fences. */

import { tooOldToLead } from "../errors.ts";
import { ROW_VERSION } from "../event.ts";
import type { Lease } from "../ports.ts";
import { LEASE_MAX_MS } from "../settings.ts";
import type { MemoryJournal } from "./journal.ts";
import type { MemoryStore } from "./store.ts";

/** @param journal the journal whose fence this lease hands out */
export function memoryLease({ store }: Pick<MemoryJournal, "store">): Lease {
  return {
    take(request) {
      const nowMs = store.serverMs();
      const [, id = store.epoch, asked = 0] = /^(.*) v(\d+)$/s.exec(store.epoch ?? "") ?? [];
      if (Number(asked) > ROW_VERSION) {
        return Promise.reject(tooOldToLead(ROW_VERSION, Number(asked)));
      }
      const held = current(store, nowMs);
      const isOurs = held?.owner === request.owner;
      if (held !== null && !isOurs) {
        const { owner, fence } = held;
        let leftMs = held.endsMs - nowMs;
        // The clock was set back: nobody would lead until it gets there.
        if (leftMs > LEASE_MAX_MS) {
          leftMs = request.ttlMs;
          store.lease = { owner, fence, endsMs: nowMs + leftMs };
        }
        return Promise.resolve({ kind: "held", owner, fence, leftMs });
      }
      // Our own lease above every fence that we have seen: the reply that granted it was lost.
      const isRepeated = isOurs && held.fence > request.minFence &&
        held.fence >= (store.fence ?? 0);
      // Not below the time: one that was given in a history that is lost since is not given again.
      const leastMs = Math.max(store.fence ?? 0, request.minFence, nowMs - 1);
      const fence = isRepeated ? held.fence : leastMs + 1;
      const isNewEpoch = id === null || (isRepeated && id === request.epoch);
      store.fence = fence;
      store.epoch ??= request.epoch;
      store.lease = { owner: request.owner, fence, endsMs: nowMs + request.ttlMs };
      const epoch = id ?? request.epoch;
      return Promise.resolve({ kind: "taken", fence, epoch, isNewEpoch, serverMs: nowMs });
    },
    renew({ owner, fence, ttlMs }) {
      const nowMs = store.serverMs();
      const held = current(store, nowMs);
      if (held === null || held.owner !== owner || held.fence !== fence) {
        return Promise.resolve(null);
      }
      store.lease = { owner, fence, endsMs: nowMs + ttlMs };
      return Promise.resolve(nowMs);
    },
    release(owner) {
      if (current(store, store.serverMs())?.owner === owner) store.lease = null;
      return Promise.resolve();
    },
    look() {
      const serverMs = store.serverMs();
      const held = current(store, serverMs);
      const leader = held === null
        ? null
        : { owner: held.owner, fence: held.fence, leftMs: held.endsMs - serverMs };
      return Promise.resolve({ serverMs, leader, replicas: null });
    },
  };
}

function current(store: MemoryStore, nowMs: number): MemoryStore["lease"] {
  const { lease } = store;
  return lease !== null && lease.endsMs > nowMs ? lease : null;
}
