/** What may hold a task back, in words. */

import { formatDuration } from "../config/duration.ts";
import { windowText } from "../policies/window.ts";
import type { JitterSpec, SessionSpec, Task } from "../task.ts";

/** A line for each policy of a task, in the order in which they are asked; none where it has none. */
export function policyTexts({ policies }: Pick<Task, "policies">): string[] {
  const { session, window, jitter, overlap, slo, pressure } = policies;
  return [
    ...(session === null ? [] : [`session ${sessionText(session)}`]),
    ...(window === null ? [] : [`window ${windowText(window)}`]),
    ...(jitter === null ? [] : [`jitter ${jitterText(jitter)}`]),
    ...(overlap === "allow" ? [] : [`overlap ${overlap}`]),
    ...(slo?.mode === "enforce" ? [`slo ${slo.objective}`] : []),
    ...(pressure?.mode === "enforce" ? ["pressure"] : []),
  ];
}

function sessionText({ calendars, match, leadMs, lagMs }: SessionSpec): string {
  const names = calendars.map(({ mic }) => mic).join(match === "any" ? " or " : " and ");
  const lead = leadMs === 0 ? "" : `, from ${formatDuration(leadMs)} before the open`;
  const lag = lagMs === 0 ? "" : `, until ${formatDuration(lagMs)} after the close`;
  return `${names}${lead}${lag}`;
}

function jitterText({ kind, maxMs, place }: JitterSpec): string {
  const most = `up to ${formatDuration(maxMs)}`;
  switch (kind) {
    case "fixed":
      return `${most}, the same for each fire`;
    case "per-fire":
      return `${most}, another for each fire`;
    case "even": {
      const { index, count, group } = place ?? { index: 0, count: 1, group: "none" };
      return `${most}, place ${index + 1} of ${count} in ${group}`;
    }
  }
}
