/** What an entry's policies are, from what it says, `defaults`, and the rules for what nobody said. */

import type { Problem } from "../errors.ts";
import type { Importance, Task } from "../task.ts";
import { NO_POLICIES } from "../task.ts";
import type { Trigger } from "../triggers/mod.ts";
import type { CalendarBook } from "./calendars.ts";
import { jitterOf } from "./jitter.ts";
import { sloOf } from "./objectives.ts";
import { pressureOf } from "./queues.ts";
import type { TaskYaml } from "./schema.ts";
import { sessionOf } from "./session.ts";
import type { Timing } from "./timing.ts";
import { windowOf } from "./window.ts";
import type { YamlFile } from "./yaml_file.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const GIVE_UP_MS = 7 * DAY_MS;
const CAP = 100;

export type Policies = Pick<
  Task,
  | "catchUp"
  | "policies"
  | "takeByMs"
  | "giveUpMs"
  | "importance"
  | "priority"
  | "timeLimitS"
  | "softTimeLimitS"
  | "ignoreResult"
>;

/** An entry, as far as its policies ask about it. */
export interface Subject {
  readonly name: string;
  readonly entry: TaskYaml;
  readonly trigger: Trigger;
  /** What names the times at which it is due; `null` where it is due at every so often. */
  readonly timing: Timing | null;
}

/** What policies are read from beside the entry, and where they leave what they have to say. */
export interface Telling {
  readonly yaml: YamlFile;
  readonly calendars: CalendarBook;
  readonly timezone: string;
  readonly namespace: string;
  /** Once, however many entries meet the same problem. */
  tell(problem: Problem): void;
  hint(text: string): void;
}

/**
 * What the entry says goes before `defaults`.
 *
 * @param options.periodMs from `rhythm.ts: periodOf`
 * @param options.importance the built-in one, or `null` for an entry of `beat.yaml`
 */
export function policiesOf(
  subject: Subject,
  telling: Telling,
  { periodMs, importance: builtIn }: { periodMs: number; importance: Importance | null },
): Policies {
  const { entry } = subject;
  const { defaults } = telling.yaml.data;
  const said = { ...defaults, ...entry };
  const importance = entry.importance ?? builtIn ?? defaults.importance ?? "critical";
  const catchUp: { policy?: "skip" | "latest" | "all"; window?: number; cap?: number } = {
    ...withoutUndefined(defaults.catchup),
    ...withoutUndefined(entry.catchup),
  };
  const atLeastMs = Math.ceil(Math.max(periodMs, MINUTE_MS));
  const window = windowOf(subject, telling);
  return {
    catchUp: {
      policy: catchUp.policy ?? "latest",
      windowMs: catchUp.window ?? atLeastMs,
      cap: catchUp.cap ?? CAP,
    },
    policies: {
      ...NO_POLICIES,
      session: sessionOf(subject, telling, window),
      window,
      jitter: jitterOf(subject, telling),
      overlap: said.overlap ?? NO_POLICIES.overlap,
      pressure: pressureOf(entry.pressure, defaults.pressure, importance),
      slo: sloOf(subject, telling, importance),
      maxHoldMs: said.max_hold ?? (importance === "deferrable" ? DAY_MS : atLeastMs),
    },
    takeByMs: said.take_by ?? atLeastMs,
    giveUpMs: said.give_up ?? GIVE_UP_MS,
    importance,
    priority: said.priority ?? null,
    timeLimitS: said.time_limit === undefined ? null : said.time_limit / 1000,
    softTimeLimitS: said.soft_time_limit === undefined ? null : said.soft_time_limit / 1000,
    ignoreResult: said.ignore_result ?? false,
  };
}

function withoutUndefined(value: object | undefined): object {
  return Object.fromEntries(
    Object.entries(value ?? {}).filter(([, each]) => each !== undefined),
  );
}
