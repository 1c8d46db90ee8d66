/** What names the times at which an entry is due: a default of a policy gives way to what was written. */

import type { BuiltIn } from "./built_in.ts";
import type { TaskYaml } from "./schema.ts";
import type { Values } from "./variables.ts";
import type { YamlFile } from "./yaml_file.ts";

export interface Timing {
  /** With its place, as in `cron (env/beat.yaml:12)`. */
  readonly text: string;
  /** Somebody wrote it; else it is a default of Beat's. */
  readonly isStated: boolean;
}

/** An entry of `beat.yaml`. An interval names times only where its phase is written. */
export function timingOf(
  triggerKey: string,
  { name, entry }: { name: string; entry: TaskYaml },
  { yaml }: { yaml: YamlFile },
): Timing | null {
  const key = triggerKey === "every" ? "phase" : triggerKey;
  if (key === "phase" && typeof entry.phase !== "number") return null;
  return {
    // Few ask for it, and to find the place among many entries takes its time.
    get text() {
      return `\`${key}\` (${yaml.whereOf(["tasks", name, key])})`;
    },
    isStated: true,
  };
}

/** A built-in entry: its variables, or a written phase. */
export function builtInTiming(
  { name, trigger, timedBy }: BuiltIn,
  entry: TaskYaml,
  sources: {
    yaml: YamlFile;
    isSet(name: keyof Values): boolean;
    switchText(name: keyof Values): string;
  },
): Timing | null {
  if (trigger.kind === "every") return timingOf("every", { name, entry }, sources);
  const set = timedBy.filter((variable) => sources.isSet(variable));
  if (set.length === 0) return { text: `the default of ${timedBy.join(" and ")}`, isStated: false };
  return {
    text: set.map((variable) => sources.switchText(variable)).join(" and "),
    isStated: true,
  };
}
