/** I9: somebody leads soon after the one who led is gone. */

import { isCalm, SETTLED_MS } from "./calm.ts";
import type { Kind } from "./plan.ts";
import type { World } from "./world.ts";

/** Who led has ended. */
export interface Departure {
  /** Time of the world. Milliseconds since the start. */
  readonly atMs: number;
  /** It gave its lease back. */
  readonly isOrderly: boolean;
  readonly owner: string;
}

/** From when the lease is free until the next term has begun. Milliseconds. */
const TAKEN_WITHIN_MS = 2_500;

const CAUSES: ReadonlySet<Kind> = new Set<Kind>(["kill", "stop"]);

/** Who has led, and was not followed in time, with nothing else wrong. */
export function unfollowed({ plan, account, departures, ends }: World): string[] {
  if (plan.replicas.length < 2) return [];
  return departures.flatMap(({ atMs, isOrderly, owner }) => {
    const untilMs = atMs + (isOrderly ? 0 : plan.leaseMs) + TAKEN_WITHIN_MS;
    const around = { fromMs: atMs - SETTLED_MS, untilMs };
    const cause = plan.faults.findLast((fault) => CAUSES.has(fault.kind) && fault.atMs <= atMs);
    const isOnlyEnd = ends.filter((each) => each > around.fromMs && each < untilMs).length === 1;
    const isAlone = isOnlyEnd && untilMs < plan.durationMs &&
      isCalm(plan, around, (fault) => fault === cause);
    const isFollowed = account.rows.some((row) =>
      row.type === "term.started" && row.atMs > atMs && row.atMs <= untilMs
    );
    return !isAlone || isFollowed
      ? []
      : [`${owner} ended at ${atMs}, and nobody led by ${untilMs}`];
  });
}
