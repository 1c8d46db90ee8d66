/**
 * An audit from outside: messages that carry Beat's headers, as they wait in the queues, against the rows.
 * A message and its row are written in one step, so each has one.
 */

import { celeryTaskId } from "../celery/ids.ts";
import { membersOf, parseJson } from "../celery/json.ts";
import { millisecondsOf } from "../event.ts";
import { entryOf, parseOpenId } from "../fire.ts";
import type { QueuedMessage, QueueSample } from "../sensors.ts";
import type { Ledger, Sight } from "./ledger.ts";

/** The most messages of each list that are read. */
export const QUEUE_MAX = 10_000;

/** A message of Beat's own in a queue. */
interface Own {
  readonly list: string;
  readonly openId: string;
  readonly taskId: string;
  /** Neither given back by a worker nor sent again by one. */
  readonly isFirst: boolean;
}

export interface Sighting {
  /** For the audit to fill in. */
  readonly sights: ReadonlyMap<string, Sight>;
  /** The server's time before the queues were read. Unix milliseconds. */
  readonly sampledMs: number;
  readonly lists: readonly {
    readonly list: string;
    readonly depth: number;
    readonly looked: number;
  }[];
  readonly messages: readonly Own[];
  /** The same element more than once. */
  readonly doubled: readonly Own[];
}

/** @param samples of `lists`, taken before the journal is read: the row is then in it */
export function sightingOf(
  lists: readonly string[],
  samples: readonly QueueSample[],
  sampledMs: number,
): Sighting {
  const messages: Own[] = [];
  const doubled: Own[] = [];
  lists.forEach((list, index) => {
    const once = new Set<string>();
    for (const message of samples[index]!.oldest) {
      const own = ownOf(list, message);
      if (own === null) continue;
      if (once.has(message.bytes)) doubled.push(own);
      else messages.push(own);
      once.add(message.bytes);
    }
  });
  return {
    messages,
    doubled,
    sampledMs,
    sights: new Map(messages.map(({ openId }) => [openId, { hasRow: false, ackedMs: null }])),
    lists: lists.map((list, index) => {
      const { depth, oldest } = samples[index]!;
      return { list, depth, looked: oldest.length };
    }),
  };
}

/** Notes what has no row, as findings. Call it when all rows have been taken. */
export function noteOutside(ledger: Ledger, sighting: Sighting, namespace: string): void {
  const note = (kind: "orphan" | "duplicate", { list, openId, taskId }: Own, what: string) => {
    const fire = parseOpenId(openId);
    const isOther = ledger.tasks !== null && !ledger.tasks.has(entryOf(fire?.task ?? ""));
    if (isOther || isTooOld(ledger, fire?.dueMs ?? null)) return;
    const dueMs = fire?.dueMs ?? null;
    const text = `message ${taskId} of ${openId} in queue ${list} ${what}`;
    const times = dueMs === null ? [] : [dueMs];
    ledger.findings.add({
      ...{ kind, task: fire?.task ?? "", fromMs: dueMs, toMs: dueMs, count: 1, times },
      ...{ rowId: null, text },
    });
    if (fire !== null) {
      const account = ledger.accounts.get(entryOf(fire.task));
      if (account !== undefined) account.tally[kind]++;
    }
  };
  for (const own of sighting.messages) {
    const isForged = own.taskId !== celeryTaskId(namespace, own.openId);
    const { hasRow, ackedMs } = sighting.sights.get(own.openId)!;
    if (!hasRow) note("orphan", own, "has no row");
    else if (isForged) note("orphan", own, "does not carry the id of its fire");
    else if (own.isFirst && ackedMs !== null && ackedMs < sighting.sampledMs) {
      note("duplicate", own, "waits, and its fire had been acked");
    }
  }
  for (const own of sighting.doubled) note("duplicate", own, "is there twice");
}

/** Its row may have been before the first that is left, or read: what was given up waits on. */
function isTooOld({ terms, isSeeded, firstId }: Ledger, dueMs: number | null): boolean {
  return (isSeeded || !terms.isWhole) && firstId !== null && dueMs !== null &&
    dueMs < millisecondsOf(firstId);
}

/** `null` for other people's messages. */
function ownOf(list: string, { bytes, taskId, isRedelivered }: QueuedMessage): Own | null {
  const { headers } = membersOf(parseJson(bytes));
  const { "x-beat-fire-id": openId, retries } = membersOf(headers);
  if (typeof openId !== "string") return null;
  return { list, openId, taskId, isFirst: !isRedelivered && retries === 0 };
}
