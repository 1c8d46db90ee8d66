/** What `beat.yaml` may say, and its defaults. The messages say what was expected (see `issues.ts`). */

import { z } from "zod";

import { TASK_NAME } from "../fire.ts";
import { GROUPS, JITTER } from "./jitter.ts";
import { JOURNAL_YAML } from "./journal.ts";
import { OBJECTIVES, SLO } from "./objectives.ts";
import { PRESSURE, QUEUES, READINGS } from "./queues.ts";
import { sessionKeys, sessionTrigger } from "./session.ts";
import { A_DURATION, duration, flag, line, map, wholeNumber, words, zone } from "./shapes.ts";
import { LEASE_S, LOG_FORMATS, LOG_LEVELS, NAMESPACE } from "./variables.ts";
import { WINDOW, WINDOWS } from "./window.ts";

const json = z.unknown();

const catchUpPolicy = words(["skip", "latest", "all"]);

/** Fields that are not written come from `defaults`, then from the rules in `policies.ts`. */
const catchUp = z.union([
  catchUpPolicy.transform((policy) => ({ policy })),
  z.strictObject({
    policy: catchUpPolicy.optional(),
    window: duration({ minMs: 1_000 }).optional(),
    cap: wholeNumber({ min: 1, max: 100_000 }).optional(),
  }, map),
], { error: "skip, latest, all, or a map of policy, window and cap" });

/** What every entry may say, the built-in ones and `defaults` included. */
const policies = {
  catchup: catchUp.optional(),
  take_by: duration({ minMs: 1_000 }).optional(),
  give_up: duration({ minMs: 1_000 }).optional(),
  importance: words(["critical", "normal", "deferrable"]).optional(),
  priority: wholeNumber({ min: 0, max: 9 }).optional(),
  time_limit: duration({ minMs: 1 }).optional(),
  soft_time_limit: duration({ minMs: 1 }).optional(),
  ignore_result: flag.optional(),
  window: WINDOW.optional(),
  jitter: JITTER.optional(),
  overlap: words(["allow", "skip", "wait"]).optional(),
  max_hold: duration({ minMs: 1_000 }).optional(),
  pressure: PRESSURE.optional(),
  slo: SLO.optional(),
  ...sessionKeys,
};

/** What the entries of the built-in schedule may say too. */
const own = {
  enabled: flag.optional(),
  heavy: flag.optional(),
  group: line.optional(),
  headers: z.record(z.string(), json, map).optional(),
  phase: z.union([
    z.literal("auto"),
    duration({ minMs: 0 }),
  ], { error: `auto, or ${A_DURATION}` }).optional(),
};

const field = z.union([z.string(), z.int()], {
  error: 'a field of crontab: a number, or text such as "0,30", "9-17" or "*/15"',
}).transform(String).default("*");

const crontab = z.union([
  line,
  z.strictObject({
    minute: field,
    hour: field,
    day_of_week: field,
    day_of_month: field,
    month_of_year: field,
  }, map),
], { error: "a map of minute, hour, day_of_week, day_of_month, month_of_year, or five fields" });

const task = z.strictObject({
  task: line.optional(),
  queue: line.optional(),
  every: duration({ minMs: 10, isFractional: true }).optional(),
  cron: line.optional(),
  crontab: crontab.optional(),
  at: line.optional(),
  session: sessionTrigger.optional(),
  tz: zone.optional(),
  args: z.array(json, { error: "a list" }).optional(),
  kwargs: z.record(z.string(), json, map).optional(),
  expires: duration({ minMs: 1 }).optional(),
  ...own,
  ...policies,
}, map);

/** A part that may be left out, or left empty because all of it is commented out. */
function section<T extends z.ZodObject>(shape: T) {
  return shape.nullable().optional().transform((value) =>
    (value ?? shape.parse({})) as z.output<T>
  );
}

const SEPARATOR = "\u0006\u0016";
const prefix = z.string({ error: "text" }).max(255, { error: "text of at most 255 characters" });

const steps = z.array(wholeNumber({ min: 0, max: 255 }), { error: "a list of whole numbers" })
  .min(1, { error: "a list that is not empty" })
  .refine((list) => list[0] === 0 && list.every((step, at) => at === 0 || step > list[at - 1]!), {
    error: "steps that start at 0 and grow",
  });

export const BEAT_YAML = z.strictObject({
  version: z.literal(1, { error: "1" }),
  broker: section(z.strictObject({
    global_keyprefix: prefix.default(""),
    sep: line.default(SEPARATOR),
    priority_steps: steps.default([0, 3, 6, 9]),
    visibility_timeout: duration({ minMs: 1_000 }).default(3_600_000),
    unacked_key: line.default("unacked"),
    unacked_index_key: line.default("unacked_index"),
    master_name: line.optional(),
    sentinel_password: line.optional(),
  }, map)),
  result_backend: section(z.strictObject({ global_keyprefix: prefix.default("") }, map)),
  beat: section(z.strictObject({
    namespace: NAMESPACE.default("beat"),
    lease: duration({ minMs: LEASE_S.min * 1000, maxMs: LEASE_S.max * 1000 }).default(5_000),
    log_level: words(LOG_LEVELS).default("info"),
    log_format: words(LOG_FORMATS).default("auto"),
    readings: READINGS,
  }, map)),
  windows: WINDOWS,
  groups: GROUPS,
  queues: QUEUES,
  objectives: OBJECTIVES,
  journal: section(JOURNAL_YAML),
  defaults: section(z.strictObject(policies, map)),
  tasks: z.record(
    z.string().regex(TASK_NAME, { error: "letters, digits, `_`, `.`, `:` and `-` only" })
      .max(200, { error: "at most 200 characters" }),
    task,
    map,
  ).nullable().optional().transform((value) => value ?? {}),
}, { error: "a map with version: 1" });

/** A checked `beat.yaml`; durations in milliseconds. */
export type BeatYaml = z.output<typeof BEAT_YAML>;
export type TaskYaml = z.output<typeof task>;

/** The keys that an entry of the built-in schedule may have. */
export const BUILT_IN_KEYS: readonly string[] = [...Object.keys(own), ...Object.keys(policies)];
