/** `beat validate`: what a configuration amounts to, without connecting to anything. */

import { systemClock } from "../clock.ts";
import { formatDuration } from "../config/duration.ts";
import { loadConfig } from "../config/load.ts";
import { EXIT } from "../errors.ts";
import type { Config, RedisEndpoint, Settings } from "../settings.ts";
import { describeEndpoint } from "../settings.ts";
import type { Task } from "../task.ts";
import { calendarHints } from "./calendar_ends.ts";
import { policyTexts } from "./policy_text.ts";
import type { Shell } from "./shell.ts";
import { layoutFor, tableLines } from "./table.ts";
import { triggerText } from "./trigger_text.ts";

export interface ValidateOptions {
  readonly json?: boolean;
  /** Instead of BEAT_CONFIG. */
  readonly file?: string;
}

/** @throws {ConfigError} with every problem */
export async function validate(options: ValidateOptions, shell: Shell): Promise<number> {
  const loaded = await loadConfig(
    shell.env,
    options.file === undefined ? {} : { file: options.file },
  );
  const endings = calendarHints(loaded.tasks, systemClock.wallMs());
  const config = { ...loaded, hints: [...loaded.hints, ...endings] };
  if (options.json) shell.out(`${JSON.stringify(shownConfig(config), null, 2)}\n`);
  else shell.out(`${report(config, shell).join("\n")}\n`);
  return EXIT.ok;
}

/** For programs. Endpoints as {@link describeEndpoint} has them: without names and passwords. */
function shownConfig({ settings, tasks, off, hints, files }: Config): unknown {
  const { broker, backend, ...rest } = settings;
  const shown = { ...rest, broker: endpointText(broker), backend: endpointText(backend) };
  return { settings: shown, tasks: tasks.map(shownTask), off, hints, files };
}

/** Calendars by their codes: nobody wants each holiday of eight years. */
function shownTask(task: Task): unknown {
  const { trigger, policies } = task;
  const { session } = policies;
  return {
    ...task,
    trigger: trigger.kind === "session" ? { ...trigger, calendar: trigger.calendar.mic } : trigger,
    policies: {
      ...policies,
      session: session &&
        { ...session, calendars: session.calendars.map(({ mic }) => mic) },
    },
  };
}

function endpointText(endpoint: RedisEndpoint | null): string | null {
  return endpoint === null ? null : describeEndpoint(endpoint);
}

function report({ settings, tasks, off, hints, files }: Config, shell: Shell): string[] {
  const layout = layoutFor(shell);
  const { paint } = layout;
  const list = (title: string, lines: readonly string[]) =>
    lines.length === 0
      ? []
      : ["", paint("bold", `${title} (${lines.length})`), ...lines.map((line) => `  ${line}`)];
  return [
    ...settingLines(settings),
    "",
    paint("bold", `on (${tasks.length})`),
    ...tableLines(HEADINGS, tasks.map(taskCells), layout, SPARE),
    ...list("held back by", aligned(tasks.flatMap(heldPair))),
    ...list("off", aligned(off.map(({ name, by }) => [name, `by ${by}`]))),
    ...list("hints", hints),
    ...list("files", files),
    "",
    paint("green", "the configuration is valid"),
  ];
}

function settingLines(settings: Settings): string[] {
  const { broker, backend } = settings;
  const none = settings.profile === "dev"
    ? "none configured: `beat` starts a private one, `beat run` refuses"
    : "none configured: set CELERY_BROKER_URL or REDIS_HOST";
  const pairs: [string, string][] = [
    ["profile", settings.profile],
    ["broker", endpointText(broker) ?? none],
    ["results", endpointText(backend) ?? (broker === null ? "as the broker" : "not in a Redis")],
    ["namespace", settings.namespace],
    ["timezone", settings.timezone],
    ["lease", formatDuration(settings.leaseMs)],
    ["journal", journalText(settings.journal)],
  ];
  return pairs.map(([name, value]) => `${name.padEnd(10)}${value}`);
}

function journalText({ keepMs, maxBytes, archive }: Settings["journal"]): string {
  const megabytes = Number((maxBytes / 1e6).toFixed(1));
  return `${formatDuration(keepMs)} or ${megabytes} MB in Redis, then to ${archive}`;
}

function heldPair(task: Task): [string, string][] {
  const texts = policyTexts(task);
  return texts.length === 0 ? [] : [[task.name, texts.join("; ")]];
}

/** Second parts in a column of their own. */
function aligned(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
}

const HEADINGS = ["name", "task", "queue", "trigger", "expires", "importance", "catch-up"];
const SPARE = ["importance", "task", "catch-up"];

function taskCells(task: Task): { text: string }[] {
  const { name, celeryTask, queue, trigger, expiresMs, importance, catchUp } = task;
  return [
    name,
    celeryTask === name ? "the same" : celeryTask,
    queue,
    triggerText(trigger),
    expiresMs === null ? "never" : formatDuration(expiresMs),
    importance,
    `${catchUp.policy} within ${formatDuration(catchUp.windowMs)}`,
  ].map((text) => ({ text }));
}
