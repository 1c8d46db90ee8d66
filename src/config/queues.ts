/** The queues of `beat.yaml`: from where on one is under pressure, and what a task says of that. */

import { z } from "zod";

import type { Problem } from "../errors.ts";
import type { Marks, QueueMarks } from "../level.ts";
import type { Importance, PressureSpec, Task } from "../task.ts";
import { formatDuration } from "./duration.ts";
import { nameOf } from "./issues.ts";
import { duration, line, map, wholeNumber, words } from "./shapes.ts";
import type { Values } from "./variables.ts";
import type { YamlFile } from "./yaml_file.ts";

const NONE = "none";
/** While slowed, one fire in so many goes out. */
export const SLOW_TO = wholeNumber({ min: 2, max: 1_000 });
/** A queue that is over its mark should shrink, not just stop growing. */
export const SLOW_TO_DEFAULT = 4;

const mode = words(["off", "observe", "enforce"]);

/** What a task says of backpressure. */
export const PRESSURE = z.union([
  mode.transform((mode) => ({ mode, slow_to: undefined })),
  z.strictObject({ mode: mode.optional(), slow_to: SLOW_TO.optional() }, map),
], { error: "off, observe, enforce, or a map of mode and slow_to" });

const messages = wholeNumber({ min: 0, max: 1_000_000_000 });
const wait = duration({ minMs: 0 });

/** The marks of queues, by name. */
export const QUEUES = z.record(
  line,
  z.strictObject({
    low: messages.optional(),
    high: messages.optional(),
    pause: messages.optional(),
    wait: z.union([
      z.literal(NONE),
      z.strictObject({ low: wait.optional(), high: wait.optional(), pause: wait.optional() }, map),
    ], { error: "none, or a map of low, high and pause" }).optional(),
    dwell: duration({ minMs: 1_000 }).optional(),
  }, map),
  map,
).nullable().optional().transform((value) => value ?? {});

type QueueYaml = z.output<typeof QUEUES>[string];

/** How often queues are looked at. */
export const READINGS = duration({ minMs: 1_000, maxMs: 3_600_000 }).default(5_000);

const DWELL_MS = 30_000;
const HIGH = 1_000;
const WAIT_MS: Marks = { low: 60_000, high: 300_000, pause: 1_800_000 };

/** How a task is held back by its queue; `null`: by nothing. */
export function pressureOf(
  said: z.output<typeof PRESSURE> | undefined,
  standard: z.output<typeof PRESSURE> | undefined,
  importance: Importance,
): PressureSpec | null {
  const mode = said?.mode ?? standard?.mode ?? "observe";
  if (importance === "critical" || mode === "off") return null;
  return { mode, slowTo: said?.slow_to ?? standard?.slow_to ?? SLOW_TO_DEFAULT };
}

/** What marks are read from, and where they leave what they have to say. */
export interface QueueSources {
  readonly values: Values;
  readonly yaml: YamlFile;
  readonly problems: Problem[];
  readonly hints: string[];
  isSet(name: keyof Values): boolean;
}

/** The marks of each queue that some of `tasks` may be held back by. All that are written are checked. */
export function queuesOf(
  tasks: readonly Task[],
  sources: QueueSources,
): Readonly<Record<string, QueueMarks>> {
  const { queues: written } = sources.yaml.data;
  const watched = new Set(
    tasks.filter(({ policies }) => policies.pressure !== null).map(({ queue }) => queue),
  );
  for (const name of Object.keys(written)) {
    if (watched.has(name) || sources.yaml.lost.has("tasks")) continue;
    sources.hints.push(
      `queues.${name} has marks, but no task that may be held back publishes to it ` +
        `(${sources.yaml.whereOf(["queues", name])})`,
    );
  }
  const names = [...new Set([...watched, ...Object.keys(written)])];
  const marks = names.map((name) =>
    [name, marksOf(name, Object.hasOwn(written, name) ? written[name]! : {}, sources)] as const
  );
  return Object.fromEntries(marks.filter(([name]) => watched.has(name)));
}

function marksOf(name: string, written: QueueYaml, sources: QueueSources): QueueMarks {
  const high = highOf(name, written, sources);
  const depth = {
    low: written.low ?? Math.floor(high / 5),
    high,
    pause: written.pause ?? 2 * high,
  };
  const path = ["queues", name];
  checkOrder(depth, String, path, sources);
  if (written.wait === NONE) return { depth, waitMs: null, dwellMs: written.dwell ?? DWELL_MS };
  const waitMs = waitOf(written.wait ?? {});
  checkOrder(waitMs, formatDuration, [...path, "wait"], sources);
  return { depth, waitMs, dwellMs: written.dwell ?? DWELL_MS };
}

/** The variable that the workers share goes before the file, where it is set. */
function highOf(name: string, { high }: QueueYaml, { values, isSet }: QueueSources): number {
  const variable = "PAPER_TRADING_QUEUE_BACKLOG_SOFT_LIMIT";
  if (name !== "paper_trading") return high ?? HIGH;
  return isSet(variable) ? values[variable] : high ?? values[variable];
}

/** One written mark moves the others along, at the proportions of the defaults. */
function waitOf(
  { low, high, pause }: { [mark in keyof Marks]?: number | undefined },
): Marks {
  const top = high ?? WAIT_MS.high;
  return {
    low: low ?? Math.floor(top * WAIT_MS.low / WAIT_MS.high),
    high: top,
    pause: pause ?? top * WAIT_MS.pause / WAIT_MS.high,
  };
}

function checkOrder(
  { low, high, pause }: Marks,
  text: (value: number) => string,
  path: readonly string[],
  { yaml, problems }: Pick<QueueSources, "yaml" | "problems">,
): void {
  if (low < high && high < pause) return;
  problems.push({
    where: yaml.whereOf(path),
    message: `expected the marks of \`${nameOf(path)}\` to grow from low over high to pause, got ` +
      `low ${text(low)}, high ${text(high)}, pause ${text(pause)} (those that are not written ` +
      "follow from `high`): correct their order",
  });
}
