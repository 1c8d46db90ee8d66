/** `beat.yaml` as checked data, every problem with its file and line. */

import type { Document, Node } from "yaml";
import {
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
} from "yaml";
import type { z } from "zod";

import type { Problem } from "../errors.ts";
import type { Doubt } from "./doubts.ts";
import { doubtsIn } from "./doubts.ts";
import type { Path } from "./issues.ts";
import { nameOf, problemsOf } from "./issues.ts";
import type { BeatYaml } from "./schema.ts";
import { BEAT_YAML } from "./schema.ts";

/** Data that passed, and the entries of which something did not. */
interface Checked {
  readonly data: BeatYaml;
  readonly damaged: ReadonlySet<string>;
  /** Sections of which something did not pass: all of what they said is missing. */
  readonly lost: ReadonlySet<string>;
}

export interface YamlFile extends Checked {
  readonly doubts: readonly Doubt[];
  /** `file:line` of what stands at `path`, or of the nearest thing around it. */
  whereOf(path: Path): string;
}

/** The meaning of no file at all. */
export function absentYaml(file: string): YamlFile {
  return {
    data: BEAT_YAML.parse({ version: 1 }),
    damaged: new Set(),
    lost: new Set(),
    doubts: [],
    whereOf: () => file,
  };
}

/** Reads the text of `file`. What is wrong is added to `problems`; then defaults stand for the rest. */
export function readYaml(file: string, text: string, problems: Problem[]): YamlFile {
  const lines = new LineCounter();
  // Whole numbers arrive as bigint: as numbers, those beyond 2^53 would lose digits in silence.
  // Plain messages: the pretty ones quote the line, which may hold a password.
  const document = parseDocument(text, {
    intAsBigInt: true,
    lineCounter: lines,
    // `<<` merges, as in every other YAML that its writers know; as a key of its own it would travel.
    merge: true,
    prettyErrors: false,
    // A name such as 1.10 or 007 is what is written there, and no number.
    stringKeys: true,
    // Compares every key with every other; `syntaxIsFine` looks by itself.
    uniqueKeys: false,
    version: "1.2",
  });
  const whereOf = (path: Path) => `${file}:${lines.linePos(offsetOf(document, path)).line}`;
  const isReadable = syntaxIsFine(document, { file, lines, problems });
  const raw = isReadable ? plain(document, { whereOf, problems }) : null;
  if (raw === null) return { ...absentYaml(file), whereOf };
  return { ...checked(raw, { whereOf, problems }), doubts: doubtsIn(document, whereOf), whereOf };
}

/** A repeated key leaves the rest readable, so the rest is checked as well. */
function syntaxIsFine(
  document: Document.Parsed,
  { file, lines, problems }: { file: string; lines: LineCounter; problems: Problem[] },
): boolean {
  const faults: { code: string; message: string; offset: number }[] = [
    ...document.errors,
    ...document.warnings,
  ].map(({ code, message, pos }) => ({ code, message, offset: pos[0] }));
  const fault = (code: string, node: unknown) =>
    faults.push({ code, message: "", offset: (node as Node).range?.[0] ?? 0 });
  const anchors = new Set<string>();
  everyNode(document.contents, (node) => {
    if (isAlias(node) && !anchors.has(node.source)) fault("BAD_ALIAS", node);
    if (isNode(node) && !isAlias(node) && node.anchor !== undefined) anchors.add(node.anchor);
    if (!isMap(node)) return;
    const seen = new Set<string>();
    for (const { key } of node.items) {
      const name = isScalar(key) ? String(key.value) : null;
      if (name === null) continue;
      if (seen.has(name)) fault("DUPLICATE_KEY", key);
      seen.add(name);
    }
  });
  const told = new Map<string, Problem>();
  for (const { code, message, offset } of faults) {
    const where = `${file}:${lines.linePos(offset).line}`;
    const text = RETOLD[code] ?? `expected valid YAML: ${message.split("\n")[0]}`;
    told.set(`${where} ${text}`, { where, message: text });
  }
  problems.push(...told.values());
  return faults.every(({ code }) => code === "DUPLICATE_KEY");
}

/** `visit` of the package makes a list of the nodes around each node, which thousands of tasks feel. */
function everyNode(node: unknown, look: (node: unknown) => void): void {
  if (isPair(node)) {
    everyNode(node.key, look);
    everyNode(node.value, look);
    return;
  }
  look(node);
  if (isCollection(node)) { for (const item of node.items) everyNode(item, look); }
}

/** Errors whose own sentence says little, or quotes a text that may be secret. */
const RETOLD: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "expected each key once, got it a second time",
  UNEXPECTED_TOKEN: "expected valid YAML, got something out of place; check indentation and quotes",
  BAD_DQ_ESCAPE: 'expected valid YAML, got an unknown escape in "…"; use single quotes',
  TAG_RESOLVE_FAILED: "expected plain YAML, got a tag that Beat does not know; remove it",
  BAD_ALIAS: "expected an alias of something above it, got one that names nothing; a text that " +
    "begins with * needs quotes",
  NON_STRING_KEY: "expected a key that is text, got a list, a map, a tag or an alias",
};

interface Telling {
  whereOf(path: Path): string;
  readonly problems: Problem[];
}

/** Of one anchor, those inside what others stand for counted as often as that is. */
const ALIASES_MAX = 10_000;

/** The document as JSON values; `null` when there is none. An empty file says nothing, so is fine. */
function plain(document: Document.Parsed, telling: Telling): unknown {
  if (document.contents === null) return { version: 1 };
  try {
    const json = document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown;
    return jsonOf(json, [], telling);
  } catch (error) {
    // Aliases that unfold without end.
    const message = error instanceof Error ? error.message : String(error);
    telling.problems.push({
      where: telling.whereOf([]),
      message: `expected valid YAML: ${message}`,
    });
    return null;
  }
}

/** @param path added to on the way down and taken from on the way up: problems alone read it */
function jsonOf(value: unknown, path: PropertyKey[], telling: Telling): unknown {
  if (typeof value === "bigint") return numberOf(value, path, telling);
  if (value === null || typeof value !== "object") return value;
  const isPlain = Object.getPrototypeOf(value) === Object.prototype;
  if (Array.isArray(value) || (isPlain && !Object.hasOwn(value, "__proto__"))) {
    const members = value as Record<PropertyKey, unknown>;
    for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) {
      path.push(key);
      members[key] = jsonOf(members[key], path, telling);
      path.pop();
    }
    return value;
  }
  const message = `expected \`${
    nameOf(path)
  }\` to be plain JSON, got a YAML tag or a key __proto__`;
  telling.problems.push({ where: telling.whereOf(path), message });
  return isPlain ? {} : null;
}

function numberOf(value: bigint, path: Path, telling: Telling): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  const message = `expected \`${nameOf(path)}\` to be a whole number within 2^53, got ${value}, ` +
    `which would lose digits; write it as text`;
  telling.problems.push({ where: telling.whereOf(path), message });
  return 0;
}

function checked(raw: unknown, { whereOf, problems }: Telling): Checked {
  const result = BEAT_YAML.safeParse(raw);
  if (result.success) return { data: result.data, damaged: new Set(), lost: new Set() };
  problems.push(...problemsOf(result.error, {
    schema: BEAT_YAML,
    value: raw,
    whereOf,
    isSecret: (path) =>
      path.at(-1) === "sentinel_password" || path[0] === "objectives" && path.includes("headers"),
    adviceOn: (key, path) =>
      (path[0] === "tasks" && path.length === 2 ? ADVICE.get(key) : null) ?? null,
  }));
  return healthyPart(raw, result.error.issues);
}

/** The file without what was refused, so that the rest is checked in the same go. */
function healthyPart(raw: unknown, issues: readonly z.core.$ZodIssue[]): Checked {
  const healthy = new Map(Object.entries(structuredClone(membersOf(raw))));
  const damaged = new Set<string>();
  const lost = new Set<string>();
  for (const issue of issues) {
    const keys = issue.code === "unrecognized_keys" ? issue.keys : [];
    const [section, entry] = issue.path.map(String);
    if (section === undefined) { for (const key of keys) healthy.delete(key); }
    else if (section !== "tasks" || entry === undefined) {
      healthy.delete(section);
      lost.add(section);
    } else {
      damaged.add(entry);
      withoutKeys(membersOf(healthy.get("tasks")), issue.path.slice(1).map(String), keys);
    }
  }
  const result = BEAT_YAML.safeParse({ ...Object.fromEntries(healthy), version: 1 });
  return { data: result.success ? result.data : BEAT_YAML.parse({ version: 1 }), damaged, lost };
}

/** Takes out `keys` of an entry or, where none are given, the key that the path leads to or through. */
function withoutKeys(
  tasks: Record<string, unknown>,
  [entry = "", key]: readonly string[],
  keys: readonly string[],
): void {
  const members = membersOf(tasks[entry]);
  if (key !== undefined) delete members[key];
  else if (keys.length === 0) delete tasks[entry];
  for (const each of keys) delete members[each];
}

function membersOf(value: unknown): Record<string, unknown> {
  const isMap = value !== null && typeof value === "object" && !Array.isArray(value);
  return isMap ? value as Record<string, unknown> : {};
}

const CANVAS = "a task that starts others is written in Python: wrap them in a task of your own, " +
  "and name that task here";
const WHEN_DUE = "Beat publishes a task when it is due; use `at`, `every`, `cron` or `crontab`";
const QUEUE_ONLY =
  "Beat publishes to the list of a queue, which workers on Redis read; use `queue`";
const SENDS_AGAIN = "Beat itself sends again until Redis has it";

/** Keys that Celery's users may look for. */
const ADVICE: ReadonlyMap<string, string> = new Map(Object.entries({
  ...{ chain: CANVAS, chord: CANVAS, link: CANVAS, link_error: CANVAS },
  ...{ callbacks: CANVAS, errbacks: CANVAS, chunks: CANVAS, map: CANVAS, starmap: CANVAS },
  ...{ eta: WHEN_DUE, countdown: WHEN_DUE, solar: WHEN_DUE },
  schedule: "write `every: 15m`, `cron:`, `crontab:` or `at:`",
  options: "write queue, priority, expires, headers and what else stands in it beside `task`",
  ...{ exchange: QUEUE_ONLY, routing_key: QUEUE_ONLY },
  ...{
    serializer: "Beat writes JSON, which every worker reads",
    compression: "Beat does not compress",
  },
  ...{ retry: SENDS_AGAIN, retry_policy: SENDS_AGAIN },
}));

/** Where the last part of `path` is written: a key of a map, an item of a list. */
function offsetOf(document: Document.Parsed, path: Path): number {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    if (isMap(node)) {
      const pair = node.items.findLast(({ key }) => isScalar(key) && String(key.value) === step);
      if (pair === undefined) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      node = (node.items[Number(step)] ?? null) as Node | null;
      offset = node?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}
