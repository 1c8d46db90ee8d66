/** Which fires a sample looks at: those that may have moved since the last one. Pure but for the book. */

import { deliveryTag } from "../celery/ids.ts";
import type { OpenFire } from "../open_fire.ts";
import type { QueuedMessage } from "../sensors.ts";
import type { Tracked } from "./open_fires.ts";
import type { ListView, Views } from "./position.ts";
import { leftBeforeMs } from "./position.ts";
import { isExpired } from "./verdict.ts";
import type { Watch } from "./watch.ts";

/** Waiting fires of one list that are gone through in one sample. */
const SCANNED_MAX = 10_000;

/** As above, where nothing of ours marks what has left the list: other people's messages are before it. */
const SCANNED_BLIND_MAX = 200;

/** Hinted fires, and those that moved, are due or lost their worker; `limit` in all, as far as possible. */
export function pickMoved(
  watch: Watch,
  hinted: readonly Tracked[],
  { views, nowMs, limit }: { views: Views; nowMs: number; limit: number },
): Tracked[] {
  const picked = new Set(hinted);
  for (const tracked of watch.abandoned(nowMs)) picked.add(tracked);
  for (const tracked of pickSampled(watch, views, nowMs)) picked.add(tracked);
  for (const view of views.byList.values()) {
    for (const tracked of leavers(watch, view, views.sampledMs, nowMs)) {
      if (picked.size >= limit) break;
      picked.add(tracked);
    }
  }
  const room = Math.max(0, limit - picked.size);
  for (const tracked of watch.open.tracked.takeDue(nowMs, room)) picked.add(tracked);
  return [...picked];
}

/** Fires whose messages are in the sample, and should not be there any more or not like this. */
export function pickSampled(watch: Watch, { byList }: Views, nowMs: number): Tracked[] {
  const picked: Tracked[] = [];
  for (const { list, messages } of byList.values()) {
    watch.names.nameOldest(list, messages.size);
    for (const [taskId, same] of messages) {
      const tracked = watch.names.named(taskId);
      if (tracked === undefined) continue;
      const tag = deliveryTag(taskId, tracked.open.fence);
      const own = same.find((message) => message.deliveryTag === tag);
      if (own !== undefined && isNews(tracked.open, own, nowMs)) picked.push(tracked);
    }
  }
  return picked;
}

/** Lists in which more has expired than their samples showed. */
export function deeperLists(watch: Watch, { byList }: Views, nowMs: number): string[] {
  return [...byList.values()].filter((view) =>
    !view.isWhole && hasExpiredBehind(watch, view, nowMs)
  )
    .map(({ list }) => list);
}

function isNews(open: OpenFire, message: QueuedMessage, nowMs: number): boolean {
  if (open.state === "acked") return false;
  return open.state === "taken" || (message.isRedelivered && open.redeliveries === 0) ||
    isExpired(open, nowMs) || (!open.isOverdue && nowMs >= open.takeByMs) ||
    nowMs >= open.giveUpMs;
}

/** Waiting fires that are not where they would be if they still waited. */
function* leavers(
  watch: Watch,
  view: ListView,
  sampledMs: number,
  nowMs: number,
): Generator<Tracked> {
  const beforeMs = leftBeforeMs(view);
  const untilMs = Math.min(beforeMs ?? Infinity, sampledMs);
  let scanned = 0;
  for (const tracked of watch.open.tracked.waitingIn(view.list)) {
    if (tracked.open.publishedMs >= untilMs) return;
    if (++scanned > (beforeMs === null ? SCANNED_BLIND_MAX : SCANNED_MAX)) return;
    if (tracked.notes !== null && tracked.notes.lookMs > nowMs) continue;
    if (!view.messages.has(watch.names.taskIdOf(tracked))) yield tracked;
  }
}

function hasExpiredBehind(watch: Watch, view: ListView, nowMs: number): boolean {
  let scanned = 0;
  for (const tracked of watch.open.tracked.waitingIn(view.list)) {
    if (++scanned > SCANNED_MAX) return false;
    if (isExpired(tracked.open, nowMs) && !view.messages.has(watch.names.taskIdOf(tracked))) {
      return true;
    }
  }
  return false;
}
