/**
 * Notices that the machine slept: its monotonic clock stood still meanwhile, so what was known of the
 * server's time is wrong by the length of the sleep, and what is late would pass for on time.
 */

import type { ServerClock } from "../clock.ts";
import type { Clock, Journal } from "../ports.ts";

/** A wall clock that moves by more against the monotonic one slept, or was set. Milliseconds. */
const STEP_MIN_MS = 1_000;

/**
 * To be called before anything is planned: asks for the server's time where the machine may have slept.
 *
 * @throws {JournalUnavailableError}
 */
export type Awake = () => Promise<void>;

export function awake(
  { clock, server, journal }: { clock: Clock; server: ServerClock; journal: Journal },
): Awake {
  const baseNow = () => clock.wallMs() - clock.monotonicMs();
  let baseMs = baseNow();
  return async () => {
    const nowBaseMs = baseNow();
    if (Math.abs(nowBaseMs - baseMs) >= STEP_MIN_MS) {
      const sentMs = clock.monotonicMs();
      server.observe(sentMs, (await journal.reload([], [])).serverMs);
    }
    baseMs = nowBaseMs;
  };
}
