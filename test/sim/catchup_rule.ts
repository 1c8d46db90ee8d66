/** What the catch-up rule of the design allows, worked out from the list of due times. */

import type { CatchUp } from "../../src/task.ts";
import type { Instants } from "./instants.ts";

/** Under `skip`, a fire that is no later than this is on time. Milliseconds. */
const ON_TIME_MS = 1_000;

/** Why a fire must not be published as late as this; `null` where it may. */
export function wrongCatchUp(
  instants: Instants,
  { policy, windowMs, cap }: CatchUp,
  { dueMs, decidedMs }: { dueMs: number; decidedMs: number },
): string | null {
  const lateMs = decidedMs - dueMs;
  if (policy === "skip") {
    return lateMs > ON_TIME_MS ? `\`skip\` published a fire ${lateMs} ms late` : null;
  }
  if (lateMs > windowMs) return `a fire ${lateMs} ms late is outside of its window of ${windowMs}`;
  if (policy === "latest") {
    const lastMs = instants.last(decidedMs);
    return lastMs === dueMs ? null : `\`latest\` published ${dueMs} when ${lastMs} was due as well`;
  }
  const newer = instants.count(dueMs, decidedMs);
  return newer === null || newer < cap
    ? null
    : `\`all\` with a cap of ${cap} published a fire with ${newer} newer ones due`;
}

/** As what due times up to `toMs` are dropped. */
export function reasonOf(
  instants: Instants,
  { policy, windowMs, cap }: CatchUp,
  { toMs, decidedMs }: { readonly toMs: number; readonly decidedMs: number },
): string {
  if (policy === "skip") return "late";
  // Of several, `latest` takes the newest; what is too old is dropped where that is too old as well.
  const judgedMs = policy === "latest" ? instants.last(decidedMs)! : toMs;
  if (judgedMs < decidedMs - windowMs) return "older than the catch-up window";
  return policy === "latest" ? "superseded" : `more than ${cap} missed`;
}

/** The last due time that may and must be dropped at `decidedMs`; `null` for none. */
export function lastDropped(
  instants: Instants,
  { policy, windowMs, cap }: CatchUp,
  decidedMs: number,
): number | null {
  const lastMs = instants.last(decidedMs);
  if (lastMs === null) return null;
  const openMs = decidedMs - (policy === "skip" ? ON_TIME_MS : windowMs);
  if (lastMs < openMs) return lastMs;
  if (policy !== "all") return instants.last(lastMs - 1);
  let startMs = lastMs;
  for (let kept = 1; kept < cap; kept++) {
    const beforeMs = instants.last(startMs - 1);
    if (beforeMs === null || beforeMs < openMs) break;
    startMs = beforeMs;
  }
  return instants.last(startMs - 1);
}
