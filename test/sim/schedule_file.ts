/** The configuration that all replicas read: operators change it, and each replica loads it anew. */

import type { ReadyTask, Roster } from "../../src/core/roster.ts";
import { rosterOf } from "../../src/core/roster.ts";
import { ConfigError } from "../../src/errors.ts";
import type { Config, Settings } from "../../src/settings.ts";
import type { LevelSettings } from "../../src/level.ts";
import type { Task, TriggerSpec } from "../../src/task.ts";
import type { PlannedTask } from "./schedule.ts";
import { declared } from "./schedule.ts";

export interface ScheduleFile {
  /** As it stands now. */
  readonly tasks: ReadonlyMap<string, PlannedTask>;
  put(planned: PlannedTask): void;
  remove(name: string): void;
  /** Puts something into it that cannot be read, or takes it out. */
  poison(kind: "unreadable" | "bad_trigger" | null): void;
  readonly isPoisoned: boolean;
  /** @throws {ConfigError} */
  load(): Config;
  /** Without what cannot be read. */
  loadGood(): Config;
  /** @throws {TriggerError} */
  rosterOf(config: Config): Roster;
}

/** Refused when it is made into a trigger: a date that never comes. */
const BAD_TRIGGER: TriggerSpec = { kind: "cron", expression: "0 0 31 2 *", tz: "UTC" };

export function scheduleFile(
  planned: readonly PlannedTask[],
  transport: Settings["transport"],
  levels: LevelSettings,
): ScheduleFile {
  const tasks = new Map(planned.map((each) => [each.name, each]));
  const made = new Map<PlannedTask, Task>();
  /** Making a task ready costs much, and all replicas make the same of it. */
  const ready = new Map<Task, ReadyTask>();
  let poisoned: "unreadable" | "bad_trigger" | null = null;
  let text = 0;

  const taskOf = (each: PlannedTask) => {
    let task = made.get(each);
    if (task === undefined) made.set(each, task = declared(each));
    return task;
  };
  const configOf = (all: readonly Task[]): Config => ({
    settings: { transport } as Settings,
    ...{ tasks: all, levels, off: [], hints: [], files: [], written: [] },
  });
  return {
    tasks,
    get isPoisoned() {
      return poisoned !== null;
    },
    put(each) {
      tasks.set(each.name, each);
      text++;
    },
    remove(name) {
      tasks.delete(name);
      text++;
    },
    poison(kind) {
      poisoned = kind;
    },
    load() {
      if (poisoned === "unreadable") {
        throw new ConfigError([{ where: `beat.yaml:${text}`, message: "expected a mapping" }]);
      }
      const all = [...tasks.values()].map(taskOf);
      if (poisoned === "bad_trigger") all.push({ ...all[0]!, name: "bad", trigger: BAD_TRIGGER });
      return configOf(all);
    },
    loadGood: () => configOf([...tasks.values()].map(taskOf)),
    rosterOf(config) {
      const roster = new Map<string, ReadyTask>();
      for (const task of config.tasks) {
        let each = ready.get(task);
        if (each === undefined) {
          each = rosterOf([task], transport, "beat@sim").get(task.name)!;
          ready.set(task, each);
        }
        roster.set(task.name, each);
      }
      return roster;
    },
  };
}
