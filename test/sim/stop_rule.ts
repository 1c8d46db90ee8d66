/** I9: who was asked to end does so, and leaves the lease to the next at once. */

import { isCalm, mayBeAside } from "./calm.ts";
import { instantsOf } from "./instants.ts";
import { NAMESPACE } from "./replica.ts";
import type { Post, World } from "./world.ts";

/** Who waits for Redis longer than this ends without it. Milliseconds. */
const DRAIN_MS = 1_500;
/** With nothing wrong for so long, a leader has come to what was due so long ago. Milliseconds. */
const SURE_MS = 10_000;
const SKIPPED_WITHIN_MS = 1_500;

const RUNS: ReadonlySet<string> = new Set(["fire.skipped", "task.dropped"]);

/** Why a process must not end in order as it did; `null` where it may. */
export function wrongStop(world: World, { beat, isCutOff }: Post): string | null {
  const { redis, timeline, plan, account } = world;
  if (beat === null) return null;
  const { owner, stoppingMs } = beat;
  if (stoppingMs === null) return "nobody had asked it to";
  if (isCutOff || timeline.now() >= stoppingMs + DRAIN_MS) return null;
  if (mayBeAside(plan, timeline.now())) return null;
  const lease = redis.store.keys.get(`${NAMESPACE}:lease`);
  const isHeld = lease?.type === "string" && lease.text.startsWith(`${owner} `);
  if (isHeld) return "it keeps the lease";
  const calm = { fromMs: stoppingMs - SURE_MS, untilMs: timeline.now() };
  if (!isCalm(plan, calm, ({ kind }) => kind === "stop")) return null;
  const fence = redis.store.keys.get(`${NAMESPACE}:fence`);
  if (fence?.type !== "string") return null;
  return wrongLastWord(account, owner, fence.text) ?? unwritten(world, stoppingMs);
}

/** What it had skipped in memory alone when it was asked to end. */
function unwritten(
  { account, file, redis, timeline }: World,
  stoppingMs: number,
): string | null {
  const last = account.rows.at(-1);
  if (last?.type !== "term.ended") return null;
  const untilMs = redis.nowMs() - (timeline.now() - stoppingMs) - SKIPPED_WITHIN_MS;
  const wrong = [...file.tasks.values()].find(({ name, rhythm }) => {
    const row = account.books.last.get(name);
    const isRun = row?.fence === last.fence && RUNS.has(row.type) && row.detail.by !== "catchup";
    const lastMs = isRun ? instantsOf(rhythm).last(untilMs) : null;
    // Without a cursor it is not known, and nothing of it is decided.
    return lastMs !== null && lastMs > (account.cursors.get(name)?.dueMs ?? Infinity);
  });
  return wrong === undefined ? null : `the skips of ${wrong.name} are not written`;
}

/** Who led says so with the last row of its term. */
function wrongLastWord({ rows }: World["account"], owner: string, fence: string): string | null {
  const last = rows.at(-1);
  const started = rows.findLast(({ type }) => type === "term.started");
  const isOwn = started?.detail.owner === owner &&
    [started, last].every((row) => String(row?.fence) === fence);
  return !isOwn || last?.type === "term.ended" ? null : `its last word is ${last?.type}`;
}
