/**
 * Follows published fires to their end: one sample of queues, reservations and results a second, at a
 * bounded cost. What is heard over pub/sub only makes it sooner.
 *
 * A sample looks at the old end of each list with open fires, picks the fires that may have moved,
 * reads the evidence on them, judges each (`verdict.ts`), and settles what is new. Then messages that
 * expired in their lists are taken out, deeper with each round.
 */

import { openKey } from "../open_fire.ts";
import type { Journal, Settlement } from "../ports.ts";
import type { Hint } from "../sensors.ts";
import { BATCH_MAX } from "../ports.ts";
import type { LateAcks } from "./late.ts";
import { lateAcks } from "./late.ts";
import type { Looker, LookerParts } from "./look.ts";
import { looker } from "./look.ts";
import type { Tracked } from "./open_fires.ts";
import { deeperLists, pickMoved, pickSampled } from "./pick.ts";
import type { Views } from "./position.ts";
import type { Watch } from "./watch.ts";
import { watchOver } from "./watch.ts";
import type { World } from "../core/world.ts";

/** Messages of each list that a sample reads, and that the rounds after it read. */
const SAMPLE_MAX = 100;
const DEEP_SAMPLE_MAX = 1_000;

/** Rounds of a sample: a worker that is away leaves no avalanche of dead messages. */
const ROUNDS_MAX = 10;

/** Fires looked at in one sample. */
const LOOKS_MAX = 2_000;

export interface FollowerParts extends LookerParts {
  readonly journal: Pick<Journal, "settle" | "commit" | "reload">;
  readonly world: World;
  /** The first part of Beat's keys; part of every task id. */
  readonly namespace: string;
  /** The term that settles; a new term gets a new follower. */
  readonly fence: number;
  /** Told of each settlement that is recorded, as soon as that is known: the call may fail after it. */
  onSettled(settlement: Settlement): void;
}

/** What a sample or a glance came to. */
export interface Followed {
  /** Somebody newer leads: nothing more can be recorded. */
  isFenced: boolean;
  /** There was more to look at than one call may: call again at once. */
  hasMore: boolean;
}

export interface Follower {
  /** Takes in what was heard; it counts from the next `sample` or `glance`. */
  hint(hint: Hint): void;
  /** Whether a `glance` would have something to do. */
  readonly hasHints: boolean;
  /**
   * Looks at everything that may have moved. One call of `sample` or `glance` at a time.
   * @throws {JournalUnavailableError} nothing is forgotten; call again
   */
  sample(): Promise<Followed>;
  /** As `sample`, for hinted fires only, and without the queues. */
  glance(): Promise<Followed>;
}

export function follower(parts: FollowerParts): Follower {
  const late = lateAcks(parts.world);
  const watch = watchOver(parts.world.open, parts.namespace, late);
  const look = looker(parts, watch);
  const { settleAll, clearDoubts } = settler(parts, watch);

  async function begin(): Promise<Followed> {
    await clearDoubts();
    return { isFenced: false, hasMore: false };
  }

  /** Whatever fails, the fires that were picked are looked at again. */
  async function keeping<T>(fires: readonly Tracked[], work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      watch.putBack(fires, parts.server.nowMs());
      throw error;
    }
  }

  async function lookAndSettle(fires: readonly Tracked[], views: Views | null, to: Followed) {
    if (to.isFenced) return;
    await keeping(fires, async () => settleAll(await look.lookAt(fires, views), to));
  }

  /** Settles what workers told; the fires that must be looked at. */
  async function useHints(to: Followed): Promise<Tracked[]> {
    const { told, asked } = watch.takeHints(LOOKS_MAX);
    await keeping([...told, ...asked], () => settleAll(look.listenTo(told), to));
    return asked.filter(({ isClosed }) => !isClosed);
  }

  /** Takes expired messages out, round by round. */
  async function sweep(views: Views, to: Followed): Promise<void> {
    for (let round = 1; round < ROUNDS_MAX && !to.isFenced; round++) {
      const lists = deeperLists(watch, views, parts.server.nowMs());
      if (lists.length === 0) return;
      views = await look.takeViews(lists, DEEP_SAMPLE_MAX);
      const expired = pickSampled(watch, views, parts.server.nowMs());
      if (expired.length === 0) return;
      await lookAndSettle(expired, views, to);
    }
  }

  return {
    hint: (hint) => watch.hint(hint, parts.server.nowMs()),
    get hasHints() {
      return watch.hasHints;
    },
    async sample() {
      const to = await begin();
      watch.names.nameNew();
      const hinted = await useHints(to);
      const lists = parts.world.open.tracked.lists();
      const views = await keeping(hinted, () => look.takeViews(lists, SAMPLE_MAX));
      const nowMs = parts.server.nowMs();
      const picked = pickMoved(watch, hinted, { views, nowMs, limit: LOOKS_MAX });
      await lookAndSettle(picked, views, to);
      await sweep(views, to);
      if (!to.isFenced) await recordLate(parts, { late, look }, to);
      to.hasMore = picked.length >= LOOKS_MAX || watch.hasHints;
      return to;
    },
    async glance() {
      const to = await begin();
      await lookAndSettle(await useHints(to), null, to);
      to.hasMore = watch.hasHints;
      return to;
    },
  };
}

/** Sends settlements in batches and keeps the watch in step with what became of them. */
function settler({ journal, log, fence, onSettled }: FollowerParts, watch: Watch) {
  /** Sent, and nobody knows whether they were recorded: their reply was lost. */
  const inDoubt = new Map<string, Settlement>();

  async function settleAll(settlements: readonly Settlement[], to: Followed): Promise<void> {
    for (let start = 0; start < settlements.length && !to.isFenced; start += BATCH_MAX) {
      await settle(settlements.slice(start, start + BATCH_MAX), to);
    }
  }

  async function settle(settlements: readonly Settlement[], to: Followed): Promise<void> {
    const reply = await journal.settle(settlements, fence).catch((error) => {
      for (const each of settlements) inDoubt.set(openKey(each.open), each);
      throw error;
    });
    if (reply.kind === "fenced") {
      to.isFenced = true;
      return;
    }
    for (const [index, outcome] of reply.outcomes.entries()) {
      const settlement = settlements[index]!;
      const key = openKey(settlement.open);
      switch (outcome) {
        case "settled":
          watch.settled(key, settlement, reply.serverMs);
          onSettled(settlement);
          break;
        case "duplicate":
          inDoubt.set(key, settlement);
          break;
        case "raced": // A worker was quicker: see where it went.
          watch.ask(key);
          break;
        case "wrongtype":
          log.warn("a list is of another type, so its messages cannot be removed", {
            queue: settlement.remove?.list ?? settlement.open.list,
          });
      }
    }
    await clearDoubts();
  }

  /** Reads what stands: a look at what is over could go on for ever. */
  async function clearDoubts(): Promise<void> {
    if (inDoubt.size === 0) return;
    const loaded = await journal.reload([], [...inDoubt.keys()]);
    const stands = new Map(loaded.open.map((open) => [openKey(open), open]));
    for (const [key, settlement] of inDoubt) {
      const open = stands.get(key) ?? null;
      watch.reread(key, settlement, open, loaded.serverMs);
      // What is gone was ended by us, and the reply was lost.
      if (open === null && settlement.next === null) onSettled(settlement);
    }
    inDoubt.clear();
  }

  return { settleAll, clearDoubts };
}

async function recordLate(
  { journal, server, fence }: FollowerParts,
  { late, look }: { late: LateAcks; look: Looker },
  to: Followed,
): Promise<void> {
  const wanted = late.wanted();
  const results = wanted.length === 0 ? [] : await look.readResults(wanted) ?? [];
  results.forEach((result, index) => late.take(wanted[index]!, result, server.nowMs()));
  to.isFenced = !await late.record(journal, fence);
}
