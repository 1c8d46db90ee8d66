/**
 * The oracle: holds what survived, what was ever written and what the workers ran against what was due
 * by plain arithmetic. Shares no code with Beat, so that a mistake there cannot hide itself here.
 */

import type { Redis } from "ioredis";
import type { Run } from "../support/celery_worker.ts";
import type { Ledger, Wrong } from "./ledger.ts";
import { JOURNAL, messageOf, rowOf } from "./ledger.ts";
import type { ChaosEntry } from "./load.ts";

/** A `fire.published` row that is there in the end. */
export interface SurvivingFire {
  readonly fire: string;
  readonly rowId: string;
  readonly fence: number;
}

/** A message that no worker has taken for good. */
export interface Waiting {
  readonly fire: string;
  readonly isReturned: boolean;
}

/** All that is there in the end. */
export interface Remains {
  /** In the order of the stream. */
  readonly fires: readonly SurvivingFire[];
  readonly queued: readonly Waiting[];
  readonly unacked: readonly Waiting[];
  /** By `term.started` rows: who had which fence. */
  readonly terms: readonly { readonly fence: number; readonly owner: string }[];
  /** Rows that no run of this kind may hold: due times that were let go. */
  readonly dropped: readonly string[];
  readonly runs: readonly Run[];
}

export interface Verdict {
  readonly wrong: readonly Wrong[];
  /** Fires that were due and had to be decided. */
  readonly owed: number;
  /** Published more than once, each time but the last taken back by a rollback. */
  readonly explained: number;
  /** Runs that were a second one of their fire by Celery's own doing. */
  readonly runAgain: number;
  /** Rows that the tap did not hear: written in the last moment of a server. */
  readonly unheard: number;
  /** Published, and neither run nor waiting: lost between a queue and a worker. */
  readonly goneInHands: number;
}

export interface Case {
  readonly entries: readonly ChaosEntry[];
  readonly ledger: Pick<Ledger, "published" | "rollbacks" | "returned" | "known" | "wrong">;
  readonly remains: Remains;
  /** Due times after it need not have been decided. Unix milliseconds. */
  readonly endMs: number;
}

export function judge({ entries, ledger, remains, endMs }: Case): Verdict {
  const wrong = [...ledger.wrong];
  const find = (measure: Wrong["measure"], what: string) => void wrong.push({ measure, what });
  const survivors = new Map<string, SurvivingFire>();
  let fence = 0;
  for (const each of remains.fires) {
    if (survivors.has(each.fire)) find("doubled", `${each.fire}: two rows, ${each.rowId}`);
    if (each.fence < fence) find("old fence", `row ${each.rowId} of ${each.fence} after ${fence}`);
    fence = Math.max(fence, each.fence);
    survivors.set(each.fire, each);
  }
  for (const what of remains.dropped) find("lost", what);
  for (const [of, terms] of Map.groupBy(remains.terms, (term) => term.fence)) {
    const owners = new Set(terms.map(({ owner }) => owner));
    if (owners.size > 1) find("old fence", `${of} is that of ${[...owners].join(" and ")}`);
  }

  let owed = 0;
  for (const { name, dueTimes } of entries) {
    const knownMs = ledger.known.get(name);
    if (knownMs === undefined) find("lost", `${name} was never known`);
    else {
      for (const dueMs of dueTimes(knownMs, endMs)) {
        owed++;
        if (!survivors.has(`${name}@${dueMs}`)) find("lost", `${name}@${dueMs}`);
      }
    }
  }
  const isListed = listed(entries, ledger.known);
  for (const fire of new Set([...survivors.keys(), ...ledger.published.keys()])) {
    if (!isListed(fire)) find("not on the list", fire);
  }
  const explained = judgeCopies(ledger, survivors, find);
  const { runAgain, goneInHands } = judgeMessages({ ledger, remains, endMs }, survivors, find);
  const unheard = [...survivors.keys()].filter((fire) => !ledger.published.has(fire)).length;
  return { wrong, owed, explained, runAgain, unheard, goneInHands };
}

/** Between two beacons. Milliseconds. */
const BEACON_SLACK_MS = 200;

type Find = (measure: Wrong["measure"], what: string) => void;

function listed(entries: readonly ChaosEntry[], known: ReadonlyMap<string, number>) {
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  return (fire: string): boolean => {
    const [name = "", due = ""] = fire.split("@");
    const dueMs = Number(due);
    const isAfterStart = dueMs > (known.get(name) ?? Infinity);
    return isAfterStart && byName.get(name)?.dueTimes(dueMs - 1, dueMs).length === 1;
  };
}

/** Copies of one fire: one survives at most, the others were taken back, and all have one id. */
function judgeCopies(
  { published }: Case["ledger"],
  survivors: ReadonlyMap<string, SurvivingFire>,
  find: Find,
): number {
  let explained = 0;
  for (const [fire, copies] of published) {
    const staying = copies.filter(({ lostBy }) => lostBy === null);
    if (staying.length > 1) {
      find("doubled", `${fire}: rows ${staying.map(({ rowId }) => rowId).join(", ")}`);
    } else if (copies.length > 1) explained++;
    if (new Set(copies.map(({ celeryId }) => celeryId)).size > 1) {
      find("unexplained", `${fire}: ids ${copies.map(({ celeryId }) => celeryId).join(", ")}`);
    }
    for (const { rowId } of staying) {
      if (survivors.get(fire)?.rowId !== rowId) find("vanished", `${fire}, row ${rowId}`);
    }
  }
  return explained;
}

/** Messages in queues, in the workers' hands, and run. */
function judgeMessages(
  { ledger, remains, endMs }: Omit<Case, "entries">,
  survivors: ReadonlyMap<string, SurvivingFire>,
  find: Find,
): Pick<Verdict, "runAgain" | "goneInHands"> {
  const waiting = new Set([...remains.queued, ...remains.unacked].map(({ fire }) => fire));
  for (const [fire, count] of tally(remains.queued.filter((each) => !each.isReturned))) {
    if (!survivors.has(fire)) find("message without record", `${fire} is queued`);
    if (count > 1) find("doubled", `${fire} is queued ${count} times`);
  }
  const runs = Map.groupBy(remains.runs, ({ fire_id }) => String(fire_id));
  let runAgain = 0;
  for (const [fire, all] of runs) {
    const copies = ledger.published.get(fire) ?? [];
    const dueMs = Number(fire.split("@")[1]);
    if (copies.length === 0 && !survivors.has(fire)) find("message without record", `${fire} ran`);
    if (all.some(({ received }) => received * 1_000 < dueMs)) find("early", `${fire} ran`);
    for (const { id } of all) {
      if (copies.length > 0 && !copies.some(({ celeryId }) => celeryId === id)) {
        find("unexplained", `${fire} ran as ${id}`);
      }
    }
    // Celery runs a message at least once: one that a worker gave back, and had begun to run, runs again.
    const again = all.length - Math.max(1, copies.length);
    if (again <= 0) continue;
    const flagged = all.filter(({ redelivered }) => redelivered).length;
    const byCelery = Math.max(flagged, ledger.returned.get(fire) ?? 0);
    if (again <= byCelery || isTakenBack(ledger.rollbacks, all)) runAgain += again;
    else find("doubled", `${fire} ran ${all.length} times, published ${copies.length} times`);
  }
  const gone = [...survivors.keys()].filter((fire) =>
    Number(fire.split("@")[1]) <= endMs && !runs.has(fire) && !waiting.has(fire)
  );
  return { runAgain, goneInHands: gone.length };
}

/** A queue that went back in time holds what was taken from it since. */
function isTakenBack(rollbacks: Case["ledger"]["rollbacks"], runs: readonly Run[]): boolean {
  const fromMs = runs[0]!.received * 1_000;
  const toMs = runs.at(-1)!.received * 1_000;
  return rollbacks.some(({ atMs, keptMs }) =>
    keptMs - BEACON_SLACK_MS <= fromMs && atMs >= fromMs && atMs <= toMs
  );
}

function tally(all: readonly Waiting[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { fire } of all) counts.set(fire, (counts.get(fire) ?? 0) + 1);
  return counts;
}

const PAGE = 5_000;
/** Types of row that let a due time go. */
const DROPPING = ["task.dropped", "fire.skipped", "x", "task.retired", "term.history_lost"];

/** Reads what is there in the end. */
export async function readRemains(
  admin: Redis,
  queues: readonly string[],
  runs: readonly Run[],
): Promise<Remains> {
  const fires: SurvivingFire[] = [];
  const dropped: string[] = [];
  const terms: { fence: number; owner: string }[] = [];
  for (let from = "-";;) {
    const page = await admin.xrange(JOURNAL, from, "+", "COUNT", PAGE);
    for (const [id, fields] of page) {
      const { type, task, dueMs, fence, detail } = rowOf(id, fields);
      if (type === "p") fires.push({ fire: `${task}@${dueMs}`, rowId: id, fence });
      else if (type === "term.started") terms.push({ fence, owner: JSON.parse(detail).owner });
      else if (DROPPING.includes(type)) {
        dropped.push(`${task} ${type} ${dueMs} ${detail}, row ${id}`);
      }
    }
    if (page.length < PAGE) break;
    from = `(${page.at(-1)![0]}`;
  }
  const waitingOf = (element: string): Waiting[] => {
    const { fire, isReturned } = messageOf(element);
    return fire === undefined ? [] : [{ fire, isReturned }];
  };
  const lists = await Promise.all(queues.map((queue) => admin.lrange(queue, 0, -1)));
  const unacked = (await admin.hvals("unacked")).map((value) =>
    JSON.stringify(JSON.parse(value)[0])
  );
  return {
    ...{ fires, terms, dropped, runs },
    queued: lists.flat().flatMap(waitingOf),
    unacked: unacked.flatMap(waitingOf),
  };
}
