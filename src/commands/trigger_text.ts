/** When a task is due, in words. */

import { formatDuration } from "../config/duration.ts";
import type { TriggerSpec } from "../task.ts";
import { dueText } from "./time_text.ts";

/** `every 15s`, `cron 0 3 * * * UTC`, `crontab 0 3 * * * UTC`, `at 2026-01-31T08:00:00Z`, `session XNYS close-15m`. */
export function triggerText(spec: TriggerSpec): string {
  switch (spec.kind) {
    case "every": {
      const phase = spec.phaseMs === 0 ? "" : ` + ${formatDuration(spec.phaseMs)}`;
      return `every ${formatDuration(spec.everyMs)}${phase}`;
    }
    case "cron":
      return `cron ${spec.expression} ${spec.tz}`;
    case "crontab": {
      // In the order in which Celery prints it and people write it.
      const { minute, hour, dayOfMonth, monthOfYear, dayOfWeek, tz } = spec;
      return `crontab ${minute} ${hour} ${dayOfMonth} ${monthOfYear} ${dayOfWeek} ${tz}`;
    }
    case "at":
      return `at ${dueText(spec.atMs)}`;
    case "session": {
      const { calendar, anchor, offsetMs } = spec;
      const sign = offsetMs < 0 ? "-" : "+";
      const offset = offsetMs === 0 ? "" : `${sign}${formatDuration(Math.abs(offsetMs))}`;
      return `session ${calendar.mic} ${anchor}${offset}`;
    }
  }
}
