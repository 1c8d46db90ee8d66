/** Whether what a row says of a fire's end is so: by Redis, and by what the workers know. */

import type { FireBook } from "./books.ts";
import type { LedgerRow } from "./ledger.ts";
import type { Store } from "./watcher.ts";
import type { Crew } from "./workers.ts";

type Known = Pick<Crew, "revoked" | "ran" | "inHand">;

/** `null` where it may say so. */
export function whyNotClosed(
  { push }: FireBook,
  { type, detail }: LedgerRow,
  store: Store,
  crew: Known,
): string | null {
  const name = `${push.row.task}@${push.row.dueMs}`;
  if (type === "fire.expired" && detail.by === "beat" && detail.reason === "ttl") {
    const isOver = push.expiresMs !== null && push.expiresMs <= store.nowMs;
    return isOver ? null : `${name} expired before its end at ${push.expiresMs}`;
  }
  if (type !== "fire.acked") return null;
  if (detail.by === "broker") {
    const where = whereIs(push, store, crew);
    return where === null ? null : `${name} is acked by the broker, and still ${where}`;
  }
  const isDropped = crew.revoked.has(push.taskId) && !crew.ran.has(push.taskId);
  return isDropped ? `${name} is acked, and its worker dropped it as expired` : null;
}

function whereIs({ tag, list }: FireBook["push"], { keys }: Store, crew: Known): string | null {
  const unacked = keys.get("unacked");
  if (unacked?.type === "hash" && unacked.fields.has(tag)) return "reserved";
  const queue = keys.get(list);
  if (queue?.type === "list") {
    const texts = queue.list.slice(0, queue.list.length - 1);
    if (texts.some((text) => text.includes(tag))) return "in its list";
  }
  return crew.inHand.has(tag) ? "in a worker's hand" : null;
}
