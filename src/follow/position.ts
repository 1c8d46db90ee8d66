/**
 * Where messages are, from bounded looks at the old ends of their lists.
 *
 * Workers take from the old end; publishers and retries push at the new end; what a worker gives back
 * is put at the old end, in front of everything that was never taken. So a message of ours that was
 * never given back is a mark: what was published before it and is not in front of it has left the
 * list, what was published after it is behind it. Only a rejected message is put at the new end.
 */

import type { OpenFire } from "../open_fire.ts";
import { isWaiting } from "../open_fire.ts";
import type { QueuedMessage, QueueSample } from "../sensors.ts";
import { CLOCK_MARGIN_MS } from "./evidence.ts";
import type { Position } from "./evidence.ts";

/** One list, as a sample shows it. */
export interface ListView {
  readonly list: string;
  /** How many messages were seen. */
  readonly reach: number;
  /** All of the list was seen. */
  readonly isWhole: boolean;
  /** Everything that workers gave back was seen: the sample reaches a message that nobody had taken. */
  readonly hasAllReturned: boolean;
  /** Publish time of our oldest message that was never taken; `null` when none was seen. */
  readonly oldestOwnMs: number | null;
  /** By task id; more than one where a retry or a copy waits beside the message itself. */
  readonly messages: ReadonlyMap<string, readonly QueuedMessage[]>;
}

/** The views of one sample. */
export interface Views {
  /** The server's time before the lists were read. Unix milliseconds. */
  readonly sampledMs: number;
  /** Stands between a queue and its priority step. */
  readonly sep: string;
  readonly byList: ReadonlyMap<string, ListView>;
}

export function viewOf(list: string, { depth, oldest }: QueueSample): ListView {
  const messages = new Map<string, QueuedMessage[]>();
  let oldestOwnMs: number | null = null;
  let hasAllReturned = false;
  for (const message of oldest) {
    if (!message.isRedelivered) {
      hasAllReturned = true;
      oldestOwnMs ??= message.publishedMs;
    }
    if (message.taskId === "") continue;
    const same = messages.get(message.taskId);
    if (same === undefined) messages.set(message.taskId, [message]);
    else same.push(message);
  }
  const isWhole = oldest.length >= depth;
  return {
    list,
    reach: oldest.length,
    isWhole,
    hasAllReturned: hasAllReturned || isWhole,
    oldestOwnMs,
    messages,
  };
}

/**
 * The list that Kombu before 5.4 gives a message back to, whatever its priority: the queue itself.
 * `list` where it has no priority step.
 */
export function plainListOf(list: string, sep: string): string {
  const at = list.lastIndexOf(sep);
  return at > 0 && /^\d+$/.test(list.slice(at + sep.length)) ? list.slice(0, at) : list;
}

/** What is published before this time, and not in the sample, has left the list; `null` for nothing. */
export function leftBeforeMs(view: ListView): number | null {
  if (view.isWhole) return Infinity;
  return view.oldestOwnMs === null ? null : view.oldestOwnMs - CLOCK_MARGIN_MS;
}

/** @param ids the fire's task id and the tag of this publish */
export function positionOf(
  open: OpenFire,
  ids: { taskId: string; tag: string },
  views: Views | null,
  isRejected: boolean,
): Position {
  const view = views?.byList.get(open.list);
  if (views === null || view === undefined) return { kind: "unknown" };
  const plain = views.byList.get(plainListOf(open.list, views.sep)) ?? view;
  let hasCopy = false;
  for (const { list, reach, messages } of plain === view ? [view] : [view, plain]) {
    for (const message of messages.get(ids.taskId) ?? []) {
      if (message.deliveryTag === ids.tag) return { kind: "queued", list, reach, message };
      hasCopy = true;
    }
  }
  if (hasCopy) return { kind: "copy" };
  // A sample that is older than the message cannot tell that it is gone.
  if (open.publishedMs >= views.sampledMs) return { kind: "unknown" };
  if (hasLeft(open, view) && plain.hasAllReturned && (!isRejected || view.isWhole)) {
    return { kind: "left" };
  }
  return isBehind(open, view) ? { kind: "behind" } : { kind: "unknown" };
}

function hasLeft(open: OpenFire, view: ListView): boolean {
  // Once taken, it could only come back to the old end.
  if (open.state !== "queued" || open.redeliveries > 0) return view.hasAllReturned;
  return open.publishedMs < (leftBeforeMs(view) ?? -Infinity);
}

function isBehind(open: OpenFire, view: ListView): boolean {
  return isWaiting(open) && !view.isWhole &&
    view.oldestOwnMs !== null && open.publishedMs > view.oldestOwnMs + CLOCK_MARGIN_MS;
}
