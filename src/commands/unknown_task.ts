/** A word on a name that the configuration does not have: mostly a slip, and no error, as others may have it. */

import { nearest } from "../config/nearest.ts";
import { entryOf } from "../fire.ts";
import type { Config } from "../settings.ts";

type Names = Pick<Config, "tasks" | "off">;

/** `null` where the configuration has it. */
export function unknownTask(task: string, { tasks, off }: Names): string | null {
  const names = [...tasks, ...off].map(({ name }) => name);
  if (names.includes(entryOf(task))) return null;
  return `this configuration has no task ${task}${nearest(task, names)}`;
}
