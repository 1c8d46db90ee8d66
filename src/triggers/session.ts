/** Once a trading session, by its open or its close. Beyond the data of the calendar: never. */

import { TriggerError } from "../errors.ts";
import type { CalendarSpec } from "../task.ts";
import { calendarOf } from "./calendar.ts";
import type { Trigger } from "./mod.ts";

/** So far from the open or close at most; further would be another session's time. Milliseconds. */
export const SESSION_OFFSET_MAX_MS = 12 * 3_600_000;

/**
 * Due `offsetMs` after the open or the close of each session: of the session, not of its breaks.
 * @throws {TriggerError} a calendar without sessions or zone, or an offset out of range
 */
export function session(
  { calendar: spec, anchor, offsetMs }: {
    readonly calendar: CalendarSpec;
    readonly anchor: "open" | "close";
    readonly offsetMs: number;
  },
): Trigger {
  if (!Number.isSafeInteger(offsetMs) || Math.abs(offsetMs) > SESSION_OFFSET_MAX_MS) {
    throw new TriggerError(
      `expected \`at\` to be within 12h of the ${anchor}, got ${offsetMs} ms`,
      String(offsetMs),
    );
  }
  const calendar = calendarOf(spec);
  if (calendar.count === 0) {
    throw new TriggerError(`expected ${spec.mic} to have a session, got none`, spec.mic);
  }
  const due = (index: number) => {
    const { openMs, closeMs } = calendar.at(index);
    return (anchor === "open" ? openMs : closeMs) + offsetMs;
  };

  /** How many due times there are at or before `atMs`. */
  function upTo(atMs: number): number {
    let [low, high] = [0, calendar.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (due(middle) <= atMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    next(afterMs) {
      const index = upTo(afterMs);
      return index < calendar.count ? due(index) : null;
    },
    last(atMs) {
      const count = upTo(atMs);
      return count > 0 ? due(count - 1) : null;
    },
    count: (afterMs, untilMs) => Math.max(0, upTo(untilMs) - upTo(afterMs)),
  };
}
