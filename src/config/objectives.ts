/** The objectives of `beat.yaml`: where each is measured, when it burns, and which one a task names. */

import { z } from "zod";

import type { BurnRule, Objective, SourceHeaders, SourceSpec } from "../level.ts";
import type { Importance, SloSpec } from "../task.ts";
import { formatDuration } from "./duration.ts";
import { nameOf } from "./issues.ts";
import { nearest } from "./nearest.ts";
import type { Subject, Telling } from "./policies.ts";
import { SLOW_TO, SLOW_TO_DEFAULT } from "./queues.ts";
import { duration, line, map, wholeNumber, words } from "./shapes.ts";
import { HEADERS, headersOf } from "./source_headers.ts";

const NONE = "none";
const mode = words(["observe", "enforce"]);

/** What a task says of the objective that it gives way to. */
export const SLO = z.union([
  line,
  z.strictObject({ objective: line, mode: mode.optional(), slow_to: SLOW_TO.optional() }, map),
], { error: "none, the name of one of `objectives`, or a map of objective, mode and slow_to" });

const A_TARGET = "a share of good events such as 99.9% or 0.999, from 50% to 99.9999%";
const [TARGET_MIN, TARGET_MAX] = [0.5, 0.999999];

const target = z.union([z.number(), z.string()], { error: A_TARGET })
  .transform((written, context) => {
    const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(String(written));
    const share = match === null ? Number(written) : Number(match[1]) / 100;
    if (share >= TARGET_MIN && share <= TARGET_MAX) return Number(share.toPrecision(12));
    context.addIssue({ code: "custom", message: A_TARGET });
    return z.NEVER;
  });

const AN_URL = "an http:// or https:// URL without a password, which belongs into `headers`";
const url = z.string({ error: AN_URL }).refine((text) => {
  const read = URL.parse(text);
  return read !== null && /^https?:$/.test(read.protocol) && read.password === "" &&
    read.username === "";
}, { error: AN_URL });

const A_QUERY = "a query that answers with the share of bad events, from 0 to 1";
const query = z.string({ error: A_QUERY }).min(1, { error: A_QUERY }).max(4_000, {
  error: "a query of at most 4,000 characters",
});

const source = z.strictObject({
  workers: z.strictObject({ tasks: z.array(line, { error: "a list" }).optional() }, map).optional(),
  prometheus: z.strictObject({ url, headers: HEADERS, query }, map).optional(),
  http: z.strictObject({ url, headers: HEADERS, path: line, at: line.optional() }, map).optional(),
  redis: z.strictObject({ key: line }, map).optional(),
}, map).refine((kinds) => Object.values(kinds).filter((kind) => kind !== undefined).length === 1, {
  error: "a map with one of workers: {tasks}, prometheus: {url, headers, query}, " +
    "http: {url, headers, path, at}, redis: {key}",
});

const rule = z.strictObject({
  level: words(["slowed", "paused"]),
  burn: z.number({ error: "a number above 0" }).positive({ error: "a number above 0" }),
  long: duration({ minMs: 1_000 }),
  short: duration({ minMs: 1_000 }),
}, map).refine(({ long, short }) => short < long, {
  path: ["short"],
  error: "shorter than `long`",
});

/** Those of the Workbook page people; schedules give way within minutes, and recover by themselves. */
const RULES: readonly BurnRule[] = [
  { level: "paused", burn: 14.4, longMs: 300_000, shortMs: 60_000 },
  { level: "slowed", burn: 6, longMs: 300_000, shortMs: 60_000 },
];

/** The objectives, by name. */
export const OBJECTIVES = z.record(
  z.string().regex(/^[A-Za-z0-9_.:-]{1,64}$/, {
    error: "at most 64 letters, digits, `_`, `.`, `:` and `-`",
  }).refine((name) => name !== NONE, { error: "another word: none stands for no objective" }),
  z.strictObject({
    target,
    source,
    every: duration({ minMs: 1_000, maxMs: 3_600_000 }).default(30_000),
    timeout: duration({ minMs: 100, maxMs: 60_000 }).default(5_000),
    stale: duration({ minMs: 1_000 }).optional(),
    hold: duration({ minMs: 1_000 }).default(120_000),
    min_events: wholeNumber({ min: 1, max: 1_000_000 }).optional(),
    rules: z.array(rule, { error: "a list of rules" }).min(1, { error: "a list that is not empty" })
      .optional(),
  }, map),
  map,
).nullable().optional().transform((value) => value ?? {});

type ObjectiveYaml = z.output<typeof OBJECTIVES>[string];

/**
 * The objectives as they are measured.
 * @param variable the value of a variable; `undefined` where it is not set
 */
export function objectivesOf(
  { data, whereOf }: Telling["yaml"],
  { variable, problems }: {
    variable(name: string): string | undefined;
    readonly problems: { push(problem: { where: string; message: string }): void };
  },
): Objective[] {
  return Object.entries(data.objectives).map(([name, written]) => {
    const objective = objectiveOf(name, written, (kind, own) =>
      headersOf(own, {
        ...{ path: ["objectives", name, "source", kind, "headers"], variable },
        tell: (path, message) => problems.push({ where: whereOf(path), message }),
      }));
    const { everyMs, rules } = objective;
    const path = ["objectives", name, "rules"];
    rules.forEach(({ shortMs }, index) => {
      if (shortMs >= everyMs) return;
      problems.push({
        where: whereOf([...path, index, "short"]),
        message: `expected \`${nameOf([...path, index, "short"])}\` to be at least \`every\`, ` +
          `${formatDuration(everyMs)}, got ${formatDuration(shortMs)}: the window would be empty`,
      });
    });
    return objective;
  });
}

/** The headers of a source, and what is wrong with them told. */
type ReadHeaders = (
  kind: "prometheus" | "http",
  written: Parameters<typeof headersOf>[0],
) => SourceHeaders;

function objectiveOf(name: string, written: ObjectiveYaml, headers: ReadHeaders): Objective {
  const { target, every, timeout, stale, hold, min_events: minEvents, rules } = written;
  const source = sourceOf(written.source, headers);
  return {
    name,
    target,
    source,
    everyMs: every,
    timeoutMs: timeout,
    staleMs: stale ?? 3 * every + timeout,
    holdMs: hold,
    // A share alone counts as one event, so two say that it was no accident.
    minEvents: minEvents ?? (source.kind === "workers" ? 20 : 2),
    rules: rules?.map(({ level, burn, long, short }) => ({
      ...{ level, burn },
      longMs: long,
      shortMs: short,
    })) ?? RULES,
  };
}

function sourceOf(
  { workers, prometheus, http, redis }: ObjectiveYaml["source"],
  headers: ReadHeaders,
): SourceSpec {
  if (workers !== undefined) return { kind: "workers", tasks: workers.tasks ?? null };
  if (prometheus !== undefined) {
    const { url, query } = prometheus;
    return { kind: "prometheus", url, headers: headers("prometheus", prometheus.headers), query };
  }
  if (redis !== undefined) return { kind: "redis", ...redis };
  const { url, path, at } = http!;
  return {
    ...{ kind: "http", url, headers: headers("http", http!.headers) },
    ...{ path: path.split("."), at: at?.split(".") ?? null },
  };
}

/** The objective that a task gives way to, or `null`. One that is not declared is told. */
export function sloOf(
  { name, entry }: Subject,
  { yaml, tell }: Telling,
  importance: Importance,
): SloSpec | null {
  const written = entry.slo ?? yaml.data.defaults.slo;
  if (written === undefined || written === NONE) return null;
  const said = typeof written === "string"
    ? { objective: written, mode: undefined, slow_to: undefined }
    : written;
  const path = entry.slo === undefined ? ["defaults", "slo"] : ["tasks", name, "slo"];
  const known = Object.keys(yaml.data.objectives);
  if (!known.includes(said.objective)) {
    // Where the section is damaged, nobody knows which names it has.
    if (yaml.lost.has("objectives")) return null;
    const slip = nearest(said.objective, [...known, NONE]);
    const list = known.length === 0 ? "; none is declared" : `; known: ${known.join(", ")}`;
    tell({
      where: yaml.whereOf(path),
      message: `expected \`${nameOf(path)}\` to be none, or the name of one of \`objectives\`, ` +
        `got ${JSON.stringify(said.objective)}${slip === "" ? list : slip}`,
    });
    return null;
  }
  if (importance === "critical") return null;
  return {
    objective: said.objective,
    mode: said.mode ?? "enforce",
    slowTo: said.slow_to ?? SLOW_TO_DEFAULT,
  };
}
