/** Everything that a term works with, in memory, on a clock that a test moves. */

import { openOf } from "../../src/follow/open_fires.ts";
import { serverClock } from "../../src/clock.ts";
import { simClock } from "./sim_clock.ts";
import { newHistory, watchHistory } from "../../src/lead/history.ts";
import { committer } from "../../src/core/commit.ts";
import type { Term } from "../../src/core/chain.ts";
import type { Roster } from "../../src/core/roster.ts";
import { declare, openTerm } from "../../src/lead/term.ts";
import type { Tick } from "../../src/core/tick.ts";
import { tick } from "../../src/core/tick.ts";
import type { World } from "../../src/core/world.ts";
import { worldOf } from "../../src/core/world.ts";
import { encodeOpen, openKey } from "../../src/open_fire.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import type { Stage, Step } from "../../src/ports.ts";
import { aWorld, T0 } from "./build.ts";
import { flakyJournal } from "./flaky_journal.ts";

/** The fence of the term in office. */
export const FENCE = 3;
export const TERM = { namespace: "beat", fence: FENCE };

/**
 * @param options.serverAheadMs the server's clock minus the machine's
 * @param options.stepsMin from how many steps on a crowd is staged; absent: never
 */
export function aDesk(
  options: { readonly serverAheadMs?: number; readonly stepsMin?: number } = {},
) {
  const clock = simClock(T0);
  const server = serverClock(clock);
  const desk = { serverAheadMs: options.serverAheadMs ?? 0 };
  const serverMs = () => Math.floor(clock.wallMs() + desk.serverAheadMs);
  const memory = memoryJournal({ serverMs, fence: FENCE });
  const journal = flakyJournal(memory);
  server.observe(clock.monotonicMs(), serverMs());
  /** What was staged, and what became of it. */
  const stages: { readonly batches: readonly (readonly Step[])[]; end: string }[] = [];
  const stage = (stepsMin: number): Stage => ({
    stepsMin,
    stage(batches, fence) {
      const staged = { batches, end: "" };
      stages.push(staged);
      return {
        commit() {
          staged.end = "committed";
          return batches.map((steps) => journal.commit(steps, fence));
        },
        discard: () => staged.end = "discarded",
      };
    },
  });
  const { stepsMin } = options;
  const history = newHistory();
  const parts = {
    ...{ journal: watchHistory(journal, history), clock, server, history },
    ...(stepsMin === undefined ? {} : { stage: stage(stepsMin) }),
  };

  /** Begins a term on a schedule. */
  async function open(roster: Roster, term: Term = TERM): Promise<Tick> {
    const opening = {
      ...{ owner: "me", epoch: "e", build: "test", lostAfter: null },
      history,
    };
    const opened = await openTerm(parts, roster, term, opening);
    if (opened === null) throw new Error("fenced");
    return opened;
  }

  return {
    ...parts,
    journal,
    parts,
    stages,
    store: memory.store,
    /** Steps the server's clock. */
    stepServer(byMs: number): void {
      desk.serverAheadMs += byMs;
    },
    /** The world as a new leader finds it. */
    async load(): Promise<World> {
      const loaded = await journal.load();
      return worldOf(loaded, await openOf(loaded, () => Promise.resolve()));
    },
    committer: (world: World = aWorld()) => committer(parts, world),
    open,
    /**
     * The term after the present one, as the supervisor begins it: from the lease on.
     * @throws {JournalUnavailableError} this term could not begin; the next may
     */
    async nextTerm(roster: Roster): Promise<{ now: Tick; term: Term }> {
      const fence = (memory.store.fence ?? 0) + 1;
      memory.store.fence = fence;
      const term = { ...TERM, fence };
      return { now: await open(roster, term), term };
    },
    /** Takes up a schedule anew, as a tick does after a reload. */
    async redeclare(now: Tick, roster: Roster): Promise<Tick> {
      const declared = await declare(parts, { ...now, roster }, TERM);
      if (declared === null) throw new Error("fenced");
      return declared;
    },
    tick: (now: Tick, term: Term = TERM) => tick(now, term, new AbortController().signal),
  };
}

export type Desk = ReturnType<typeof aDesk>;

/** The due times of a task's published fires, in the order of the journal. */
export function publishedOf({ store }: Desk, task: string): number[] {
  return store.entries.map(({ fields }) => fieldsOf(fields))
    .filter(({ t, k }) => t === "p" && k === task)
    .map(({ d }) => Number(d));
}

/** What Redis holds and what the leader believes, in the same words. */
export function bothSides({ store }: Desk, world: World) {
  return {
    redis: { cursors: sorted(store.cursors), open: sorted(store.open) },
    leader: {
      cursors: sorted(
        [...world.cursors].map(([task, { dueMs, revision }]) =>
          [task, `${dueMs} ${revision}`] as const
        ),
      ),
      open: sorted([...world.open.values()].map((open) => [openKey(open), encodeOpen(open)])),
    },
  };
}

/** How many messages stand in all lists together. */
export function messageCount({ store }: Desk): number {
  return [...store.lists.values()].reduce((sum, messages) => sum + messages.length, 0);
}

function fieldsOf(fields: readonly string[]): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (let at = 0; at < fields.length; at += 2) pairs[fields[at]!] = fields[at + 1]!;
  return pairs;
}

function sorted(pairs: Iterable<readonly [string, string]>): (readonly [string, string])[] {
  return [...pairs].sort(([one], [other]) => one < other ? -1 : 1);
}
