/** Waits for what a test cannot be told of, and lets time pass where that is what is tested. */

const PAUSE_MS = 20;

/**
 * Asks until `isSo` answers true; an error counts as no.
 * @throws {Error} after `timeoutMs`, with the last error as its cause
 */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  timeoutMs = 15_000,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  let cause: unknown;
  while (performance.now() < endMs) {
    try {
      if (await isSo()) return;
    } catch (error) {
      cause = error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`expected ${isSo} within ${timeoutMs} ms`, { cause });
}

/** Lets real time pass, and never less: an outage lasts, a due time goes by. */
export async function passes(durationMs: number): Promise<void> {
  const endMs = performance.now() + durationMs;
  await until(() => performance.now() >= endMs, Math.max(0, durationMs) + 5_000);
}
