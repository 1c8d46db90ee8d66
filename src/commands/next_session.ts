/** The sessions that `beat next` can print: loaded only when one is asked for. */

import { loadCalendars } from "../config/calendars.ts";
import { sessionTriggerOf } from "../config/session.ts";
import { TriggerError } from "../errors.ts";
import type { TriggerSpec } from "../task.ts";
import type { Shell } from "./shell.ts";

/**
 * Reads a calendar and a time of its session, as in `XNYS close-15m`.
 * @throws {TriggerError} no such calendar, or no such time
 */
export type SessionReader = (expression: string) => TriggerSpec;

/** @throws {ConfigError} a calendar that cannot be read */
export async function sessionReader({ env }: Pick<Shell, "env">): Promise<SessionReader> {
  const calendars = await loadCalendars(env);
  return (expression) => {
    const [calendar = "", ...at] = expression.trim().split(/\s+/);
    const read = sessionTriggerOf({ calendar, at: at.join(" ") || "open" }, calendars);
    if ("spec" in read) return read.spec;
    throw new TriggerError(`expected "${expression}" ${read.message}`, expression);
  };
}
