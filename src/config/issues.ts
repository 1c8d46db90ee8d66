/**
 * What zod found, as problems in Beat's words. By convention of this folder the message of a schema
 * says what was expected; the sentence, the place and the nearest known key are added here.
 */

import { z } from "zod";

import type { Problem } from "../errors.ts";
import { nearest } from "./nearest.ts";

export type Path = readonly PropertyKey[];

/** How problems of one source are told. */
export interface Source {
  readonly schema: z.ZodType;
  /** What was checked. */
  readonly value: unknown;
  whereOf(path: Path): string;
  isSecret(path: Path): boolean;
  /** A sentence for a key that is refused on purpose, or `null` for one that is just unknown. */
  adviceOn(key: string, path: Path): string | null;
}

export function problemsOf(error: z.ZodError, source: Source): Problem[] {
  return error.issues.flatMap((issue) => problemsOfIssue(issue, source));
}

function problemsOfIssue(issue: z.core.$ZodIssue, source: Source): Problem[] {
  const { path } = issue;
  if (issue.code === "invalid_union") {
    const close = closeOption(issue);
    if (close !== null) {
      return close.flatMap((each) =>
        problemsOfIssue({ ...each, path: [...path, ...each.path] }, source)
      );
    }
  }
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => unknownKey(key, path, source));
  }
  const isKey = issue.code === "invalid_key";
  const expected = isKey ? issue.issues[0]?.message ?? issue.message : issue.message;
  const name = path.length === 0 ? "the file" : `\`${nameOf(path)}\``;
  const subject = isKey ? `the name of ${name}` : name;
  const got = isKey ? JSON.stringify(path.at(-1)) : shown(valueAt(source.value, path));
  return [{
    where: source.whereOf(path),
    message: `expected ${subject} to be ${expected}, got ${source.isSecret(path) ? HIDDEN : got}`,
  }];
}

/** What one option of a union has against a value whose kind is right, if that is true of one alone. */
function closeOption(issue: z.core.$ZodIssueInvalidUnion): readonly z.core.$ZodIssue[] | null {
  const close = issue.errors.filter((errors) =>
    errors.every(({ code, path }) => path.length > 0 || code === "unrecognized_keys")
  );
  return close.length === 1 ? close[0]! : null;
}

/** In the place of a value that nobody is to see. */
export const HIDDEN = "something else (not shown)";

function unknownKey(key: string, path: Path, { schema, whereOf, adviceOn }: Source): Problem {
  const where = whereOf([...path, key]);
  const inside = path.length === 0 ? "the top level" : `\`${nameOf(path)}\``;
  const advice = adviceOn(key, path);
  if (advice !== null) {
    return { where, message: `expected ${inside} not to have \`${key}\`: ${advice}` };
  }
  const known = keysAt(schema, path);
  const meant = nearest(key, known);
  const list = meant === "" ? `; known: ${known.join(", ")}` : meant;
  return { where, message: `expected ${inside} to have known keys, got \`${key}\`${list}` };
}

/** `tasks.report.args[0]`. */
export function nameOf(path: Path): string {
  return path.reduce<string>((name, key) => {
    if (typeof key === "number") return `${name}[${key}]`;
    return name === "" ? String(key) : `${name}.${String(key)}`;
  }, "");
}

const SHOWN_MAX = 60;

/** A value in a message: short, and not what is inside a list or a map. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (value !== null && typeof value === "object") return "a map";
  // Where a URL stands, a password may be in it.
  if (typeof value === "string" && value.includes("://")) return "a URL (not shown)";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, key) => {
    if (inner === null || typeof inner !== "object") return undefined;
    return (inner as Record<PropertyKey, unknown>)[key];
  }, value);
}

/** The keys that the object at `path` may have. */
function keysAt(schema: z.core.$ZodType, path: Path): string[] {
  const objects = objectsOf(schema);
  if (path.length === 0) return objects.flatMap((object) => Object.keys(object.shape));
  const [key, ...rest] = path;
  const inner = objects.map((object) => object.shape[String(key)])
    .concat(recordsOf(schema).map((record) => record.valueType as z.core.$ZodType));
  return inner.flatMap((each) => each === undefined ? [] : keysAt(each, rest));
}

function objectsOf(schema: z.core.$ZodType): z.ZodObject[] {
  return unwrapped(schema).filter((each) => each instanceof z.ZodObject);
}

function recordsOf(schema: z.core.$ZodType): z.ZodRecord[] {
  return unwrapped(schema).filter((each) => each instanceof z.ZodRecord);
}

/** The schemas behind optional, default, nullable, transform and union. */
function unwrapped(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodPipe) return unwrapped(schema.in);
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(unwrapped);
  if (
    schema instanceof z.ZodOptional || schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault
  ) return unwrapped(schema.unwrap());
  return [schema];
}
