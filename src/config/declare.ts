/** The entries of the built-in schedule and of `beat.yaml` as tasks. */

import { checkTask } from "../celery/check_task.ts";
import type { Problem } from "../errors.ts";
import { TriggerError } from "../errors.ts";
import type { Config } from "../settings.ts";
import type { Task, TriggerSpec } from "../task.ts";
import type { Trigger } from "../triggers/mod.ts";
import { triggerOf } from "../triggers/mod.ts";
import type { BuiltIn } from "./built_in.ts";
import { builtIns } from "./built_in.ts";
import type { CalendarBook } from "./calendars.ts";
import { formatDuration } from "./duration.ts";
import { triggerHint } from "./hints.ts";
import { nameOf } from "./issues.ts";
import { withPlaces } from "./jitter.ts";
import { nearest } from "./nearest.ts";
import type { Telling } from "./policies.ts";
import { policiesOf } from "./policies.ts";
import { periodOf } from "./rhythm.ts";
import type { TaskYaml } from "./schema.ts";
import { BUILT_IN_KEYS } from "./schema.ts";
import type { Timing } from "./timing.ts";
import { builtInTiming, timingOf } from "./timing.ts";
import { phaseOf, triggerSpecOf } from "./trigger_spec.ts";
import type { Values } from "./variables.ts";
import type { YamlFile } from "./yaml_file.ts";

const DAY_MS = 86_400_000;

/** What declaring reads, and where it leaves what it has to say. */
export interface Sources {
  readonly values: Values;
  readonly yaml: YamlFile;
  readonly problems: Problem[];
  readonly hints: string[];
  readonly calendars: CalendarBook;
  /** `PAPER_TRADING_ENABLED=false (env/.env.dev.beat:3)`. */
  switchText(name: keyof Values): string;
  isSet(name: keyof Values): boolean;
}

/** Built-in entries first, then those of the file in its order. */
export function declare(sources: Sources): Pick<Config, "tasks" | "off"> {
  const builtIn = new Map(builtIns(sources.values).map((each) => [each.name, each]));
  const tasks: Task[] = [];
  const off: { name: string; by: string }[] = [];
  for (const each of builtIn.values()) {
    const entry = sources.yaml.data.tasks[each.name] ?? {};
    checkKeys(each, entry, sources);
    const by = sources.values[each.switchedBy]
      ? offByFile(each.name, entry, sources)
      : sources.switchText(each.switchedBy);
    if (by !== null) off.push({ name: each.name, by });
    const task = builtInTask(each, entry, { ...sources, isOn: by === null });
    if (task !== null && by === null) tasks.push(task);
  }
  for (const [name, entry] of Object.entries(sources.yaml.data.tasks)) {
    if (builtIn.has(name) || sources.yaml.damaged.has(name)) continue;
    const by = offByFile(name, entry, sources);
    if (by !== null) off.push({ name, by });
    // A task that is off is checked all the same: switching it on must not be the surprise.
    const task = yamlTask(name, entry, { sources: { ...sources, isOn: by === null }, builtIn });
    if (task !== null && by === null) tasks.push(task);
  }
  return { tasks: withPlaces(tasks), off };
}

function offByFile(name: string, entry: TaskYaml, { yaml }: Sources): string | null {
  if (entry.enabled !== false) return null;
  return `enabled: false (${yaml.whereOf(["tasks", name, "enabled"])})`;
}

/** The built-in entries take policies only: what workers see of them is fixed by variables. */
function checkKeys(builtIn: BuiltIn, entry: TaskYaml, { yaml, problems }: Sources): void {
  for (const key of Object.keys(entry)) {
    const isPhaseOfCrontab = key === "phase" && builtIn.trigger.kind !== "every";
    if (BUILT_IN_KEYS.includes(key) && !isPhaseOfCrontab) continue;
    const isTiming = TIMING.has(key) || isPhaseOfCrontab ||
      (key === "expires" && builtIn.expiresMs !== null);
    const advice = isTiming
      ? `it is set by ${builtIn.timedBy.join(" and ")}`
      : "it is what the workers expect; declare a task under another name instead";
    problems.push({
      where: yaml.whereOf(["tasks", builtIn.name, key]),
      message: `expected \`tasks.${builtIn.name}\`, which is built in, to have policies only, ` +
        `got \`${key}\`: ${advice}`,
    });
  }
}

const TIMING = new Set(["every", "cron", "crontab", "at", "session", "tz"]);

/** Of a task that is off, problems are told, but no hints. */
type EntrySources = Sources & { readonly isOn: boolean };

function builtInTask(builtIn: BuiltIn, entry: TaskYaml, sources: EntrySources): Task | null {
  const { importance } = builtIn;
  const trigger = phased(builtIn, entry, sources);
  if (trigger === null) return null;
  return assembled({
    draft: { ...builtIn, trigger, args: [], kwargs: {} },
    entry,
    triggerKey: null,
    timing: builtInTiming(builtIn, entry, sources),
    importance,
    hasPhase: entry.phase !== undefined,
  }, sources);
}

function phased(
  { name, trigger }: BuiltIn,
  { phase }: TaskYaml,
  { yaml, problems }: Sources,
): TriggerSpec | null {
  if (trigger.kind !== "every" || phase === undefined) return trigger;
  const phaseMs = phaseOf(phase, { name, everyMs: trigger.everyMs });
  if (phaseMs !== null) return { ...trigger, phaseMs };
  problems.push({
    where: yaml.whereOf(["tasks", name, "phase"]),
    message: `expected \`tasks.${name}\` to have a \`phase\` below its interval, ` +
      formatDuration(trigger.everyMs),
  });
  return null;
}

function yamlTask(
  name: string,
  entry: TaskYaml,
  { sources, builtIn }: { sources: EntrySources; builtIn: ReadonlyMap<string, BuiltIn> },
): Task | null {
  const { yaml, problems, values, calendars } = sources;
  const refuse = (key: string | null, message: string) => {
    const where = yaml.whereOf(["tasks", name, ...(key === null ? [] : [key])]);
    problems.push({ where, message: `expected \`tasks.${name}\` ${message}` });
  };
  const { task, queue } = entry;
  if (task === undefined && queue === undefined) {
    const slip = nearest(name, [...builtIn.keys()]);
    refuse(null, `to have \`task\` and \`queue\`, got neither${slip}`);
  } else {
    if (task === undefined) refuse(null, "to have `task`, the name under which workers know it");
    if (queue === undefined) refuse(null, "to have `queue`, one that a worker consumes");
  }
  const read = triggerSpecOf(entry, { name, timezone: values.CELERY_TIMEZONE, calendars });
  if (read.kind === "refused") refuse(read.key, read.message);
  if (task === undefined || queue === undefined || read.kind === "refused") return null;
  return assembled({
    draft: {
      name,
      celeryTask: task,
      queue,
      trigger: read.spec,
      args: entry.args ?? [],
      kwargs: entry.kwargs ?? {},
      expiresMs: entry.expires ?? null,
    },
    entry,
    triggerKey: read.key,
    timing: timingOf(read.key, { name, entry }, sources),
    importance: null,
    hasPhase: entry.phase !== undefined,
  }, sources);
}

interface Parts {
  readonly draft: Pick<
    Task,
    "name" | "celeryTask" | "queue" | "trigger" | "args" | "kwargs" | "expiresMs"
  >;
  readonly entry: TaskYaml;
  /** Where the entry says when it is due; `null` where a variable does. */
  readonly triggerKey: string | null;
  readonly timing: Timing | null;
  readonly importance: Task["importance"] | null;
  readonly hasPhase: boolean;
}

/** A checked task; `null`, and problems, when its trigger or its message cannot be. */
function assembled(parts: Parts, sources: EntrySources): Task | null {
  const { draft, entry, timing, importance, hasPhase } = parts;
  const { hints } = sources;
  const trigger = checkedTrigger(parts, sources);
  if (trigger === null) return null;
  const { name, celeryTask, queue, args, kwargs, expiresMs } = draft;
  // From Friday to Monday is no period to catch up within.
  const periodMs = draft.trigger.kind === "session" ? DAY_MS : periodOf(trigger);
  const subject = { name, entry, trigger, timing };
  const task: Task = {
    ...{ name, celeryTask, queue, trigger: draft.trigger, args, kwargs, expiresMs },
    headers: entry.headers ?? {},
    ...policiesOf(subject, tellingOf(sources), { periodMs, importance }),
  };
  if (!isFit(task, sources)) return null;
  const hint = triggerHint(name, task.trigger, { hasPhase });
  if (hint !== null && sources.isOn) hints.push(hint);
  return task;
}

function tellingOf({ yaml, values, calendars, problems, hints, isOn }: EntrySources): Telling {
  return {
    yaml,
    calendars,
    timezone: values.CELERY_TIMEZONE,
    namespace: values.BEAT_NAMESPACE ?? yaml.data.beat.namespace,
    tell(problem) {
      const isTold = problems.some(({ where, message }) =>
        where === problem.where && message === problem.message
      );
      if (!isTold) problems.push(problem);
    },
    hint(text) {
      if (isOn) hints.push(text);
    },
  };
}

function checkedTrigger(
  { draft, triggerKey }: Parts,
  { yaml, problems }: Sources,
): Trigger | null {
  try {
    return triggerOf(draft.trigger);
  } catch (error) {
    if (!(error instanceof TriggerError)) throw error;
    const path = ["tasks", draft.name, ...(triggerKey === null ? [] : [triggerKey])];
    problems.push({ where: yaml.whereOf(path), message: `\`${nameOf(path)}\`: ${error.message}` });
    return null;
  }
}

/** The names of `Task`'s fields in `beat.yaml`, where they differ. */
const YAML_KEY: Readonly<Record<string, string>> = {
  celeryTask: "task",
  timeLimitS: "time_limit",
  softTimeLimitS: "soft_time_limit",
};

function isFit(task: Task, { yaml, problems }: Sources): boolean {
  const found = checkTask(task).map((message) => {
    const field = /`(\w+)/.exec(message)?.[1] ?? "";
    const key = YAML_KEY[field] ?? field;
    const where = yaml.whereOf(["tasks", task.name, key]);
    return { where, message: `\`tasks.${task.name}\`: ${message.replace(field, key)}` };
  });
  const { timeLimitS, softTimeLimitS } = task;
  if (timeLimitS !== null && softTimeLimitS !== null && softTimeLimitS >= timeLimitS) {
    found.push({
      where: yaml.whereOf(["tasks", task.name, "soft_time_limit"]),
      message: `expected \`soft_time_limit\` of \`tasks.${task.name}\` to be below its ` +
        `\`time_limit\`, ${timeLimitS} s, got ${softTimeLimitS} s`,
    });
  }
  problems.push(...found);
  return found.length === 0;
}
