/** A configuration from variables, env files and `beat.yaml`: whole and checked, or every problem at once. */

import type { Problem } from "../errors.ts";
import { ConfigError } from "../errors.ts";
import type { Config, Settings, Transport } from "../settings.ts";
import type { Task } from "../task.ts";
import { calendarsOf, revisionOf } from "../task.ts";
import type { CalendarBook } from "./calendars.ts";
import { NO_CALENDARS, readCalendars } from "./calendars.ts";
import { declare } from "./declare.ts";
import { endpointsOf } from "./endpoints.ts";
import type { Environment } from "./env_files.ts";
import { inDirectory, isBlank, lostProblem, readEnvironment, readText } from "./env_files.ts";
import { slipHints } from "./hints.ts";
import { problemsOf } from "./issues.ts";
import { ARCHIVE_DEFAULT } from "./journal.ts";
import { objectivesOf } from "./objectives.ts";
import { queuesOf } from "./queues.ts";
import type { Values } from "./variables.ts";
import { SECRET_VARIABLES, VARIABLES } from "./variables.ts";
import type { YamlFile } from "./yaml_file.ts";
import { absentYaml, readYaml } from "./yaml_file.ts";

export interface LoadOptions {
  /** What relative paths start from. @default the working directory */
  readonly directory?: string;
  /** Goes before BEAT_CONFIG. */
  readonly file?: string;
  /**
   * Files that said something when the configuration that runs was read. Where one of these is gone or
   * empty, that is a problem: half of a change must not retire every task. @default none
   */
  readonly before?: readonly string[];
}

/**
 * Reads and checks everything; connects to nothing.
 *
 * @param env the process's environment
 * @throws {ConfigError} with every problem
 */
export async function loadConfig(
  env: Readonly<Record<string, string | undefined>>,
  { directory = ".", file, before = [] }: LoadOptions = {},
): Promise<Config> {
  const problems: Problem[] = [];
  const hints: string[] = [];
  const environment = await readEnvironment({ env, directory, before }, problems);
  const whereOf = (name: string) => environment.variables.get(name)?.from ?? name;
  const values = valuesOf(environment, { whereOf, problems });
  const yaml = await beatYaml(
    {
      path: inDirectory(file ?? values.BEAT_CONFIG, directory),
      isExplicit: file !== undefined || environment.variables.has("BEAT_CONFIG"),
      ...(file === undefined
        ? { by: whereOf("BEAT_CONFIG"), name: "BEAT_CONFIG" }
        : { by: "the command line", name: "FILE" }),
      before,
    },
    problems,
  );
  const { broker } = yaml.data;
  const endpoints = endpointsOf(values, {
    masterName: broker.master_name ?? null,
    sentinelPassword: values.BEAT_SENTINEL_PASSWORD ?? broker.sentinel_password ?? null,
    hasRedisUrl: environment.variables.has("REDIS_URL"),
    ...{ problems, hints, whereOf },
  });
  const calendars = await calendarsFor(
    yaml,
    { values, directory, by: whereOf("BEAT_CALENDARS"), before },
    problems,
  );
  const isSet = (name: string) => environment.variables.has(name);
  const { tasks, off } = declare({
    ...{ values, yaml, problems, hints, calendars },
    switchText(name) {
      const { value, from } = environment.variables.get(name) ?? { value: "false", from: null };
      return `${name}=${value.trim()} (${from ?? "environment"})`;
    },
    isSet,
  });
  /** Variables that the file names. */
  const read = new Set<string>();
  const variable = (name: string) => {
    read.add(name);
    return environment.variables.get(name)?.value;
  };
  const levels = {
    everyMs: yaml.data.beat.readings,
    queues: queuesOf(tasks, { values, yaml, problems, hints, isSet }),
    objectives: objectivesOf(yaml, { variable, problems }),
  };
  const on = new Set(tasks.map(({ name }) => name));
  hints.push(...yaml.doubts.filter(({ name }) => on.has(name)).map(({ text }) => text));
  hints.push(...slipHints([...environment.variables.keys()].filter((name) => !read.has(name))));
  if (problems.length > 0) throw new ConfigError(inOrder(problems, yaml.path));
  const settings: Settings = {
    profile: environment.profile,
    ...endpoints,
    ...behaviourOf(values, yaml),
    transport: transportOf(yaml),
    timezone: values.CELERY_TIMEZONE,
  };
  const followed = calendarFiles(tasks, calendars);
  const files = [...environment.files, ...(yaml.isRead ? [yaml.path] : []), ...followed];
  const written = [...environment.written, ...(yaml.isWritten ? [yaml.path] : []), ...followed];
  return frozen({ settings, tasks, levels, off, hints, files, written });
}

/**
 * What a new configuration changes in the schedule: entry names, compared by revision. What
 * {@link Settings} say is not compared here.
 */
export function difference(
  before: Config,
  after: Config,
): { added: string[]; changed: string[]; retired: string[] } {
  const old = new Map(before.tasks.map((task) => [task.name, revisionOf(task)]));
  const names = new Set(after.tasks.map(({ name }) => name));
  return {
    added: after.tasks.filter(({ name }) => !old.has(name)).map(({ name }) => name),
    changed: after.tasks.filter((task) =>
      (old.get(task.name) ?? revisionOf(task)) !== revisionOf(task)
    )
      .map(({ name }) => name),
    retired: [...old.keys()].filter((name) => !names.has(name)),
  };
}

/** Those of `beat.yaml` last, from its top to its end. */
function inOrder(problems: readonly Problem[], file: string): Problem[] {
  const lineOf = ({ where }: Problem) =>
    where.startsWith(`${file}:`) ? Number(where.slice(file.length + 1)) : 0;
  return problems.toSorted((a, b) => lineOf(a) - lineOf(b));
}

/** Where some are wrong, the others are read all the same, so that their problems are told too. */
function valuesOf(
  { variables }: Environment,
  { whereOf, problems }: { whereOf(name: string): string; problems: Problem[] },
): Values {
  const raw = Object.fromEntries([...variables].map(([name, { value }]) => [name, value]));
  const result = VARIABLES.safeParse(raw);
  if (result.success) return result.data;
  problems.push(...problemsOf(result.error, {
    schema: VARIABLES,
    value: raw,
    whereOf: ([name]) => whereOf(String(name)),
    isSecret: ([name]) => SECRET_VARIABLES.has(String(name)),
    adviceOn: () => null,
  }));
  for (const { path: [name] } of result.error.issues) delete raw[String(name)];
  return VARIABLES.parse(raw);
}

async function beatYaml(
  { path, isExplicit, by, name, before }: {
    path: string;
    isExplicit: boolean;
    by: string;
    /** As who reads the problem knows it. */
    name: string;
    before: readonly string[];
  },
  problems: Problem[],
): Promise<YamlFile & { path: string; isRead: boolean; isWritten: boolean }> {
  const text = await readText(path);
  const isWritten = !isBlank(text);
  if (!isWritten && before.includes(path)) problems.push(lostProblem(path));
  else if (text.kind === "read") {
    return { ...readYaml(path, text.text, problems), path, isRead: true, isWritten };
  } else if (isExplicit || text.kind === "refused") {
    const message = `expected \`${name}\` to be a file that can be read, got ${path}: `;
    problems.push({ where: by, message: message + text.message });
  }
  return { ...absentYaml(path), path, isRead: false, isWritten };
}

/** Nothing is read for a configuration that names no calendar: start-up counts. */
async function calendarsFor(
  { data }: YamlFile,
  { values, directory, by, before }: {
    values: Values;
    directory: string;
    by: string;
    before: readonly string[];
  },
  problems: Problem[],
): Promise<CalendarBook> {
  const isNamed = [data.defaults, ...Object.values(data.tasks)].some((entry) =>
    entry.calendar !== undefined || ("session" in entry && entry.session !== undefined)
  );
  const own = values.BEAT_CALENDARS;
  if (!isNamed) return NO_CALENDARS;
  return await readCalendars(
    own === undefined ? null : { directory: inDirectory(own, directory), by },
    problems,
    before,
  );
}

/** The files of the calendars that some task follows. */
function calendarFiles(tasks: readonly Task[], calendars: CalendarBook): string[] {
  const used = new Set(tasks.flatMap(calendarsOf));
  return calendars.all.filter(({ spec }) => used.has(spec)).map(({ file }) => file);
}

function behaviourOf(
  values: Values,
  { data: { beat, journal } }: YamlFile,
): Pick<Settings, "namespace" | "leaseMs" | "logLevel" | "logFormat" | "journal"> {
  const leaseS = values.BEAT_LEASE_SECONDS;
  return {
    namespace: values.BEAT_NAMESPACE ?? beat.namespace,
    leaseMs: leaseS === undefined ? beat.lease : Math.round(leaseS * 1000),
    logLevel: values.BEAT_LOG_LEVEL ?? beat.log_level,
    logFormat: values.BEAT_LOG_FORMAT ?? beat.log_format,
    journal: {
      keepMs: journal.keep,
      maxBytes: journal.max_bytes,
      archive: values.BEAT_ARCHIVE ?? journal.archive ?? ARCHIVE_DEFAULT,
    },
  };
}

function transportOf({ data: { broker, result_backend } }: YamlFile): Transport {
  const prefix = result_backend.global_keyprefix;
  return {
    globalKeyPrefix: broker.global_keyprefix,
    sep: broker.sep,
    prioritySteps: broker.priority_steps,
    visibilityTimeoutMs: broker.visibility_timeout,
    unackedKey: broker.unacked_key,
    unackedIndexKey: broker.unacked_index_key,
    // Celery puts an underscore behind a prefix of results that does not end in a separator.
    resultKeyPrefix: prefix === "" || /[:_.-]$/.test(prefix) ? prefix : `${prefix}_`,
  };
}

function frozen<T>(value: T): T {
  if (value !== null && typeof value === "object" && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) frozen(inner);
  }
  return value;
}
