/** The work of the leader on what it has published: it looks, hears, and settles what it learns. */

import type { TermInput } from "../../machines/supervisor.ts";
import { waitFor } from "../clock.ts";
import { JournalUnavailableError } from "../errors.ts";
import { follower } from "../follow/follow.ts";
import { LOOKS, untilSample } from "./looks.ts";
import type { Office } from "./office.ts";
import { sayRefused } from "./office.ts";

/** Follows open fires to their end until `signal` is aborted. */
export async function followOpen(
  office: Office,
  input: TermInput,
  signal: AbortSignal,
  onFenced: () => void,
): Promise<void> {
  const { parts, now } = office;
  if (now === null) return;
  const eye = follower({
    ...parts,
    world: now.world,
    fence: input.fence,
    task: (name) => office.now?.roster.get(name)?.task ?? null,
    onSettled: (settlement) => office.outcomes.note(settlement),
  });
  /** Ends the present pause: something was heard, or this is to end. */
  let wake = () => {};
  signal.addEventListener("abort", () => wake(), { once: true });
  parts.sensors.listen((hint) => {
    eye.hint(hint);
    wake();
  }, signal);
  const pause = (durationMs: number) => {
    const woken = new AbortController();
    // With a reason, no exception is made for each thing that is heard.
    wake = () => woken.abort("woken");
    return signal.aborted ? Promise.resolve() : waitFor(parts.clock, durationMs, woken.signal);
  };
  let isTold = false;
  const looks = parts.looks ?? LOOKS;
  let sampleMs = 0;
  while (!signal.aborted) {
    try {
      const isDue = parts.clock.monotonicMs() >= sampleMs;
      const { isFenced, hasMore } = await (isDue ? eye.sample() : eye.glance());
      if (isFenced) sayRefused(office, input);
      if (isFenced || office.history.cuts.length > 0) return onFenced();
      if (isDue && !hasMore) {
        sampleMs = parts.clock.monotonicMs() + untilSample(looks, parts.server.nowMs());
      }
      // A glance may have had nothing to ask.
      if (isDue && isTold) parts.log.info("open fires are followed again");
      if (isDue) isTold = false;
    } catch (error) {
      if (!(error instanceof JournalUnavailableError)) throw error;
      if (!isTold) parts.log.warn("open fires cannot be followed for now", { err: error });
      isTold = true;
      sampleMs = parts.clock.monotonicMs() + looks.sampleMs;
    }
    // What is heard is looked at soon, and not one by one.
    await waitFor(parts.clock, looks.glanceMs, signal);
    if (!eye.hasHints) await pause(sampleMs - parts.clock.monotonicMs());
  }
}
