/** A journal between caller and journal that loses, delays and refuses commits when told to. */

import { JournalUnavailableError } from "../../src/errors.ts";
import type { RetryKind } from "../../src/errors.ts";
import type { Committed, Journal, Step } from "../../src/ports.ts";

/** What happens to one commit. */
export type Fault =
  /** Nothing. */
  | "none"
  /** It never arrives. */
  | "request"
  /** It is carried out, and the caller does not hear of it. */
  | "reply"
  /** It is under way for as long as the test wants ({@link FlakyJournal.arrive}); no reply comes. */
  | "late"
  /** Redis is out of memory: an error of kind `alarm`, and nothing is written. */
  | "refused"
  /** Carried out when the test says so ({@link FlakyJournal.letGo}). */
  | "held";

export interface FlakyJournal extends Journal {
  /** The faults of the commits to come, in order; `none` after the last. */
  readonly faults: Fault[];
  /** The kind of error that a lost request or reply throws. */
  retry: RetryKind;
  /** The steps of every commit that was asked for. */
  readonly asked: (readonly Step[])[];
  /** Commits asked for and not yet answered. */
  readonly inFlight: ReadonlySet<readonly Step[]>;
  /** The most that were in flight at once. */
  readonly inFlightMax: number;
  /** Tasks that stood in two commits in flight: never any. */
  readonly overlaps: readonly string[];
  readonly reloads: (readonly string[])[];
  /** Lets the longest held commit go on. */
  letGo(): void;
  /** Lets every late commit arrive at the journal; what it answered, and nobody hears. */
  arrive(): Promise<Committed[]>;
}

export function flakyJournal(inner: Journal): FlakyJournal {
  const held: (() => void)[] = [];
  const late: (() => Promise<Committed>)[] = [];
  const inFlight = new Set<readonly Step[]>();
  const overlaps: string[] = [];
  let inFlightMax = 0;

  async function carryOut(steps: readonly Step[], fence: number): Promise<Committed> {
    const fault = flaky.faults.shift() ?? "none";
    if (fault === "held") await new Promise<void>((resolve) => held.push(resolve));
    else await Promise.resolve();
    if (fault === "request") throw new JournalUnavailableError("request lost", flaky.retry);
    if (fault === "refused") throw new JournalUnavailableError("OOM", "alarm");
    if (fault === "late") {
      late.push(() => inner.commit(steps, fence));
      throw new JournalUnavailableError("no reply in time", flaky.retry);
    }
    const reply = await inner.commit(steps, fence);
    if (fault === "reply") throw new JournalUnavailableError("reply lost", flaky.retry);
    return reply;
  }

  const flaky: FlakyJournal = {
    faults: [],
    retry: "backoff",
    asked: [],
    reloads: [],
    inFlight,
    overlaps,
    get inFlightMax() {
      return inFlightMax;
    },
    letGo: () => held.shift()?.(),
    arrive: () => Promise.all(late.splice(0).map((send) => send())),
    async commit(steps, fence) {
      flaky.asked.push(steps);
      const tasks = new Set(steps.map(({ task }) => task));
      for (const other of inFlight) {
        overlaps.push(...new Set(other.map(({ task }) => task).filter((task) => tasks.has(task))));
      }
      inFlight.add(steps);
      inFlightMax = Math.max(inFlightMax, inFlight.size);
      try {
        return await carryOut(steps, fence);
      } finally {
        inFlight.delete(steps);
      }
    },
    settle: (settlements, fence) => inner.settle(settlements, fence),
    load: (how) => inner.load(how),
    reload(tasks, openIds) {
      flaky.reloads.push(tasks);
      return inner.reload(tasks, openIds);
    },
    read: (range, onForeign) => inner.read(range, onForeign),
    trace: (id) => inner.trace(id),
    extent: () => inner.extent(),
    trim: (request, fence) => inner.trim(request, fence),
    readBack: (range, onForeign) => inner.readBack(range, onForeign),
  };
  return flaky;
}
