/** A leader that is asked for things, in memory, on a clock that a test moves. */

import type { Request } from "../../src/request.ts";
import { encodeRequest } from "../../src/request.ts";
import { rosterOf } from "../../src/core/roster.ts";
import type { Term } from "../../src/core/chain.ts";
import type { Tick } from "../../src/core/tick.ts";
import { heed } from "../../src/lead/heed.ts";
import { memoryRequests } from "../../src/memory/requests.ts";
import type { JournalRow } from "../../src/event.ts";
import type { Task } from "../../src/task.ts";
import { aLog, aTask, rowsOf, TRANSPORT } from "./build.ts";
import { audited } from "./audited.ts";
import { aDesk, TERM } from "./desk.ts";

const HEAD = { who: "ada@desk", note: "a test" };

type Own = Record<string, unknown> & { readonly id: string; readonly kind: Request["kind"] };

/** @param tasks each due every second where it says nothing else */
export async function anAskedDesk(...tasks: readonly Partial<Task>[]) {
  const desk = aDesk();
  const roster = rosterOf(tasks.map((own) => aTask(own)), TRANSPORT, "beat@test");
  const requests = memoryRequests(desk.store.serverMs);
  const log = aLog();
  let now: Tick = await desk.open(roster);
  let term: Term = TERM;
  let office = begin();
  let alone: Promise<unknown> = Promise.resolve();

  function begin() {
    const stopped = new AbortController();
    const state = { isFenced: false, isUnsure: false };
    const parts = {
      ...{ ...desk.parts, requests, log, term, origin: "beat@test" },
      now: () => stopped.signal.aborted ? null : now,
      alone: <T>(work: () => Promise<T>) => {
        const mine = alone.then(work);
        alone = mine.catch(() => {});
        return mine;
      },
      unsure() {
        state.isUnsure = true;
        stopped.abort();
      },
    };
    const ended = heed(parts, stopped.signal, () => state.isFenced = true);
    return { stopped, ended, state };
  }

  async function endTerm(): Promise<void> {
    office.stopped.abort();
    await desk.clock.advance(0);
    await office.ended;
  }

  return {
    ...desk,
    requests,
    log,
    roster,
    get now() {
      return now;
    },
    /** Appends a request; what is left out is filled in. */
    ask(own: Own): Promise<string> {
      return requests.append(encodeRequest({ ...HEAD, ...own } as Request), "0-0");
    },
    /** Time passes, and what comes due is decided each 100 ms. */
    async pass(durationMs: number): Promise<void> {
      for (let passedMs = 0; passedMs < durationMs; passedMs += 100) {
        await desk.clock.advance(Math.min(100, durationMs - passedMs));
        await desk.tick(now, term);
      }
    },
    /** The leader is gone at once; nobody leads until `takeOver`. */
    endTerm,
    /** The next leader begins. */
    async takeOver(): Promise<void> {
      await endTerm();
      ({ now, term } = await desk.nextTerm(roster));
      office = begin();
    },
    /** Somebody newer leads, and nobody told us. */
    overthrow: () => void (desk.store.fence = term.fence + 1),
    isFenced: () => office.state.isFenced,
    /** The term has ended by itself, as its world may be wrong. */
    isUnsure: () => office.state.isUnsure,
    rows: (type: string): Promise<JournalRow[]> =>
      rowsOf(desk.journal).then((rows) => rows.filter((row) => row.type.startsWith(type))),
    /** Fires of a name, in the order of the journal. */
    async fires(name: string): Promise<JournalRow[]> {
      const rows = await rowsOf(desk.journal);
      return rows.filter(({ type, task }) => type === "fire.published" && task === name);
    },
    /** What was answered, in order. */
    async answers(): Promise<string[]> {
      const rows = (await rowsOf(desk.journal)).filter(({ type }) => type === "control.answered");
      return rows.map(({ detail }) => `${detail.request} ${detail.result}`);
    },
    audit: () => audited(desk.store, desk.clock.wallMs()),
  };
}

export type AskedDesk = Awaited<ReturnType<typeof anAskedDesk>>;
