/**
 * Asks the sources of objectives, each once a period, and moves their levels. Sources are asked beside
 * everything else: one that hangs is given up after its time and holds up nobody, no tick and no other
 * source. What does not answer is unknown, and an unknown objective stays where it is.
 */

import type { ServerClock } from "../clock.ts";
import { waitFor } from "../clock.ts";
import { sloKey } from "../level.ts";
import { BeatError, JournalUnavailableError, SourceError } from "../errors.ts";
import type { Sample } from "../levels/burn.ts";
import { burning, keepSamples } from "../levels/burn.ts";
import { sloAfter } from "../levels/move.ts";
import type { Count, Outcomes } from "../levels/outcomes.ts";
import type { Log } from "../log.ts";
import type { Clock } from "../ports.ts";
import type { Gauges, Objective } from "../level.ts";
import type { LevelWriter } from "./level_writer.ts";

export interface ObjectiveWatchParts {
  readonly gauges: Pick<Gauges, "share">;
  readonly outcomes: Pick<Outcomes, "total">;
  readonly server: ServerClock;
  readonly clock: Clock;
  readonly log: Log;
  readonly writer: LevelWriter;
}

/** What is known of an objective. */
interface Book {
  samples: readonly Sample[];
  /** What the workers had done when they were counted last. */
  counted: Count;
  /** When it is asked next. Monotonic milliseconds. */
  nextMs: number;
  /** A question is under way. */
  isAsking: boolean;
  /** What was said of its source last, so that it is not said again. */
  told: string;
}

/** @param objectivesOf as they are now */
export function objectiveWatch(
  parts: ObjectiveWatchParts,
  objectivesOf: () => readonly Objective[],
  signal: AbortSignal,
) {
  const { clock, server, writer, log } = parts;
  const books = new Map<string, { readonly objective: string; readonly book: Book }>();

  /** A changed objective is measured from the start: its samples may mean another thing. */
  function bookOf(objective: Objective): Book {
    const text = JSON.stringify(objective);
    const known = books.get(objective.name);
    if (known?.objective === text) return known.book;
    const book = newBook(parts, objective);
    books.set(objective.name, { objective: text, book });
    return book;
  }

  async function evaluate(objective: Objective, book: Book): Promise<void> {
    const sample = await sampleOf(parts, objective, book, signal);
    if (sample === null) return;
    book.samples = keepSamples(book.samples, sample, objective.rules);
    const key = sloKey(objective.name);
    const nowMs = server.nowMs();
    const standing = writer.standing(key);
    const found = burning(book.samples, objective, standing.level, nowMs);
    if (signal.aborted) return;
    const to = sloAfter(standing, found.type, { nowMs, leastMs: objective.holdMs });
    if (to === standing.level) return;
    const { longBurn, shortBurn, reason } = found;
    await writer.change(key, {
      to,
      reason,
      facts: { longBurn, shortBurn, target: objective.target },
    });
  }

  async function ask(objective: Objective, book: Book): Promise<void> {
    try {
      await evaluate(objective, book);
    } catch (error) {
      if (!(error instanceof JournalUnavailableError)) throw error;
      log.warn("a level cannot be written for now", { objective: objective.name, err: error });
    } finally {
      book.isAsking = false;
    }
  }

  return {
    /** Begins to ask those whose time has come; does not wait for their answers. */
    async look(): Promise<void> {
      const objectives = objectivesOf();
      await forgetOthers(books, writer, objectives);
      const nowMs = clock.monotonicMs();
      for (const objective of objectives) {
        const book = bookOf(objective);
        if (book.isAsking || nowMs < book.nextMs) continue;
        book.nextMs = nowMs + objective.everyMs;
        book.isAsking = true;
        // What Beat cannot explain is said: left alone, it would end the process.
        ask(objective, book).catch((error) =>
          log.error("an objective cannot be measured", { objective: objective.name, err: error })
        );
      }
    },
  };
}

function newBook(
  { outcomes, clock }: Pick<ObjectiveWatchParts, "outcomes" | "clock">,
  { source, everyMs }: Objective,
): Book {
  const isOfWorkers = source.kind === "workers";
  return {
    samples: [],
    counted: isOfWorkers ? outcomes.total(source.tasks) : { events: 0, bad: 0 },
    // Of the workers' fires nothing is counted yet, and that does not say that nothing is bad.
    nextMs: isOfWorkers ? clock.monotonicMs() + everyMs : -Infinity,
    isAsking: false,
    told: "",
  };
}

/** Nobody measures it any more, so it must not hold anything back. */
async function forgetOthers(
  books: Map<string, unknown>,
  writer: LevelWriter,
  objectives: readonly Objective[],
): Promise<void> {
  const names = new Set(objectives.map(({ name }) => name));
  for (const name of books.keys()) if (!names.has(name)) books.delete(name);
  const prefix = sloKey("");
  for (const key of writer.raised(prefix)) {
    if (names.has(key.slice(prefix.length))) continue;
    await writer.change(key, { to: "normal", reason: "it is not measured any more", facts: {} });
  }
}

/** `null` where the source does not tell. */
async function sampleOf(
  parts: ObjectiveWatchParts,
  objective: Objective,
  book: Book,
  signal: AbortSignal,
): Promise<Sample | null> {
  const { source } = objective;
  if (source.kind === "workers") {
    const total = parts.outcomes.total(source.tasks);
    const events = total.events - book.counted.events;
    const bad = total.bad - book.counted.bad;
    book.counted = total;
    return { atMs: parts.server.nowMs(), events, bad };
  }
  try {
    const { share, atMs } = await inTime(
      parts,
      objective,
      signal,
      (ending) => parts.gauges.share(source, ending),
    );
    if (atMs !== null) checkAge(parts.server.nowMs() - atMs, objective);
    if (book.told !== "") parts.log.info("a source answers again", { objective: objective.name });
    book.told = "";
    return { atMs: parts.server.nowMs(), events: share === null ? 0 : 1, bad: share ?? 0 };
  } catch (error) {
    if (!(error instanceof BeatError)) throw error;
    if (book.told !== error.message && !signal.aborted) {
      parts.log.warn("a source does not tell how its objective stands: its level stays", {
        objective: objective.name,
        err: error,
      });
    }
    book.told = error.message;
    return null;
  }
}

function checkAge(ageMs: number, { staleMs }: Pick<Objective, "staleMs">): void {
  if (ageMs > staleMs) throw new SourceError("what it tells is too old");
  // Such as a time in microseconds, which would never be too old.
  if (-ageMs > staleMs) throw new SourceError("what it tells is of the future");
}

/** Gives up after the objective's time, whether or not what was asked heeds the end. */
async function inTime<T>(
  { clock }: Pick<ObjectiveWatchParts, "clock">,
  { timeoutMs }: Pick<Objective, "timeoutMs">,
  signal: AbortSignal,
  work: (ending: AbortSignal) => Promise<T>,
): Promise<T> {
  const ended = new AbortController();
  const end = () => ended.abort();
  signal.addEventListener("abort", end, { once: true });
  const late = async () => {
    await waitFor(clock, timeoutMs, ended.signal);
    throw new SourceError(`no answer within ${timeoutMs} ms`);
  };
  const working = work(ended.signal);
  // It may fail long after it was given up.
  working.catch(() => {});
  try {
    return await Promise.race([working, late()]);
  } finally {
    signal.removeEventListener("abort", end);
    ended.abort();
  }
}
