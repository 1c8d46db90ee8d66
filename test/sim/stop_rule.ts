/** I9: who was asked to end does so, and leaves the lease to the next at once. */

import { LINGER_MS } from "./redis_side.ts";
import { NAMESPACE } from "./replica.ts";
import type { Post, World } from "./world.ts";

/** Who waits for Redis longer than this ends without it. Milliseconds. */
const DRAIN_MS = 1_500;
/** After the end of the old connections, until there are new ones. Milliseconds. */
const RECONNECT_MS = 500;

/** Why a process must not end in order as it did; `null` where it may. */
export function wrongStop(
  { redis, timeline, plan, account }: World,
  { beat, isCutOff }: Post,
): string | null {
  if (beat === null) return null;
  const { owner, stoppingMs } = beat;
  if (stoppingMs === null) return "nobody had asked it to";
  if (isCutOff || timeline.now() >= stoppingMs + DRAIN_MS) return null;
  const isAside = plan.faults.some((fault) =>
    fault.kind === "failover" && fault.atMs <= timeline.now() &&
    timeline.now() < fault.atMs + fault.lagMs + LINGER_MS + RECONNECT_MS
  );
  if (isAside) return null;
  const lease = redis.store.keys.get(`${NAMESPACE}:lease`);
  const isHeld = lease?.type === "string" && lease.text.startsWith(`${owner} `);
  if (isHeld) return "it keeps the lease";
  const fence = redis.store.keys.get(`${NAMESPACE}:fence`);
  return fence?.type === "string" ? wrongLastWord(account, owner, fence.text) : null;
}

/** Who led says so with the last row of its term. */
function wrongLastWord({ rows }: World["account"], owner: string, fence: string): string | null {
  const last = rows.at(-1);
  const started = rows.findLast(({ type }) => type === "term.started");
  const isOwn = started?.detail.owner === owner &&
    [started, last].every((row) => String(row?.fence) === fence);
  return !isOwn || last?.type === "term.ended" ? null : `its last word is ${last?.type}`;
}
