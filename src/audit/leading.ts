/** Who led at an instant, as far as the rows around it tell. Pure. */

import type { JournalRow } from "../event.ts";
import { recordedMs } from "../event.ts";
import type { Leadership } from "../ports.ts";

export type Leading =
  /**
   * The term `fence` has rows before and after. Between those nearest, at `quietFromMs` and
   * `quietToMs` (`null`: none came since), it wrote nothing.
   */
  | {
    readonly kind: "led";
    readonly fence: number;
    readonly quietFromMs: number;
    readonly quietToMs: number | null;
  }
  /** The term `fence` gave its last sign at `fromMs`; the next began at `untilMs`, or none did. */
  | {
    readonly kind: "vacant";
    readonly fence: number;
    readonly fromMs: number;
    /** Why the term ended, where it ended in good order. */
    readonly reason: string | null;
    readonly untilMs: number | null;
    readonly nextFence: number | null;
  }
  /** Nobody had ever led; the first began at `untilMs`, or none did. */
  | { readonly kind: "never"; readonly untilMs: number | null }
  /** The journal does not reach back so far. */
  | { readonly kind: "unknown" };

/**
 * @param rows in order; those nearest to `atMs` on both sides and all `term.*` rows between are there
 * @param beginning whether the rows before the first are gone (`cut`), or there never were any
 * @param leader as it stands now
 */
export function leadingAt(
  rows: readonly JournalRow[],
  atMs: number,
  { beginning, leader }: {
    readonly beginning: "cut" | "first";
    readonly leader: Leadership["leader"];
  },
): Leading {
  const before = rows.findLast((row) => recordedMs(row) <= atMs);
  const after = rows.find((row) => recordedMs(row) > atMs);
  const untilMs = after === undefined ? null : recordedMs(after);
  if (before === undefined) {
    return beginning === "first" ? { kind: "never", untilMs } : { kind: "unknown" };
  }
  const { fence } = before;
  const isEnded = before.type === "term.ended";
  const nextFence = after?.fence ?? leader?.fence ?? null;
  if (!isEnded && nextFence === fence) {
    return { kind: "led", fence, quietFromMs: recordedMs(before), quietToMs: untilMs };
  }
  const { reason } = before.detail;
  return {
    kind: "vacant",
    fence,
    fromMs: recordedMs(before),
    reason: isEnded && typeof reason === "string" ? reason : null,
    untilMs,
    nextFence,
  };
}
