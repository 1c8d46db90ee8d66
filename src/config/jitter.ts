/** The jitter of `beat.yaml`: how it is written, for a task, a group or all, and which one a task has. */

import { z } from "zod";

import { TASK_NAME } from "../fire.ts";
import type { JitterSpec, Task } from "../task.ts";
import { formatDuration } from "./duration.ts";
import { nameOf } from "./issues.ts";
import { nearest } from "./nearest.ts";
import type { Subject, Telling } from "./policies.ts";
import { longestGap } from "./rhythm.ts";
import { duration, line, map, words } from "./shapes.ts";

const NONE = "none";
const span = duration({ minMs: 1 });

/** What a task, a group or `defaults` says of jitter. */
export const JITTER = z.union([
  z.literal(NONE),
  span.transform((max) => ({ kind: "per-fire" as const, max, seed: undefined })),
  z.strictObject({
    kind: words(["fixed", "per-fire", "even"]).default("per-fire"),
    max: span,
    seed: line.optional(),
  }, map),
], { error: "none, a duration such as 60s, or a map of kind, max and seed" });

type JitterYaml = z.output<typeof JITTER>;

/** Entries of one kind, and what they have in common. */
export const GROUPS = z.record(
  z.string().regex(TASK_NAME, { error: "letters, digits, `_`, `.`, `:` and `-` only" })
    .max(64, { error: "at most 64 characters" }),
  z.strictObject({ jitter: JITTER.optional() }, map),
  map,
).nullable().optional().transform((value) => value ?? {});

/** The jitter of a task, or `null`. Places in a group are given later, by {@link withPlaces}. */
export function jitterOf(subject: Subject, telling: Telling): JitterSpec | null {
  const { name, entry } = subject;
  const { data } = telling.yaml;
  const group = groupOf(subject, telling);
  const said: readonly [JitterYaml | undefined, string[]][] = [
    [entry.jitter, ["tasks", name, "jitter"]],
    [group?.jitter, ["groups", entry.group ?? "", "jitter"]],
    [data.defaults.jitter, ["defaults", "jitter"]],
  ];
  const [written, path] = said.find(([each]) => each !== undefined) ?? [];
  if (written === undefined || written === NONE || path === undefined) return null;
  if (!isFit(written, path, { subject, telling })) return null;
  const { kind, max, seed } = written;
  const place = kind === "even" ? { group: entry.group ?? "", index: 0, count: 1 } : null;
  return { kind, maxMs: max, seed: seed ?? telling.namespace, place };
}

/** The group that a task names, or `null` for none. */
function groupOf({ name, entry }: Subject, { yaml, tell }: Telling) {
  if (entry.group === undefined) return null;
  const { groups } = yaml.data;
  if (Object.hasOwn(groups, entry.group)) return groups[entry.group] ?? null;
  // Where the section is damaged, nobody knows which names it has.
  if (yaml.lost.has("groups")) return null;
  const path = ["tasks", name, "group"];
  const known = Object.keys(groups);
  const slip = nearest(entry.group, known);
  const list = known.length === 0 ? "; none is declared" : `; known: ${known.join(", ")}`;
  tell({
    where: yaml.whereOf(path),
    message: `expected \`${nameOf(path)}\` to be the name of one of \`groups\`, got ` +
      `${JSON.stringify(entry.group)}${slip === "" ? list : slip}`,
  });
  return null;
}

function isFit(
  { kind, max }: Exclude<JitterYaml, typeof NONE>,
  path: readonly string[],
  { subject, telling: { yaml, tell } }: { subject: Subject; telling: Telling },
): boolean {
  const isDefault = path[0] === "defaults";
  const refuse = (message: string) => {
    tell({ where: yaml.whereOf(path), message: `expected \`${nameOf(path)}\` ${message}` });
    return false;
  };
  if (kind === "even" && (isDefault || subject.entry.group === undefined)) {
    const advice = isDefault ? "write it in one of `groups`" : "add a `group`";
    return refuse(`of kind even to be that of a group, whose members have places; ${advice}`);
  }
  // What is said for all tasks is said without looking at each: there the gap caps it in silence.
  const longestMs = isDefault ? Infinity : longestGap(subject.trigger, max);
  if (max <= longestMs) return true;
  return refuse(
    `to be at most the period of \`tasks.${subject.name}\`, ${formatDuration(longestMs)}, got ` +
      `${formatDuration(max)}: the next fire would be due before this one goes out`,
  );
}

/** The tasks, those that are staggered each at its own place among the sorted names of its group. */
export function withPlaces(tasks: readonly Task[]): readonly Task[] {
  const members = new Map<string, string[]>();
  for (const { name, policies } of tasks) {
    const place = policies.jitter?.place ?? null;
    if (place === null) continue;
    const names = members.get(place.group);
    if (names === undefined) members.set(place.group, [name]);
    else names.push(name);
  }
  const places = new Map(
    [...members].flatMap(([group, names]) =>
      names.sort().map((name, index) => [name, { group, index, count: names.length }] as const)
    ),
  );
  return tasks.map((task) => {
    const { jitter } = task.policies;
    const place = places.get(task.name);
    if (jitter === null || place === undefined) return task;
    return { ...task, policies: { ...task.policies, jitter: { ...jitter, place } } };
  });
}
