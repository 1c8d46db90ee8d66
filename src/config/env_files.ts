/** The variables that hold: the env files of the profile, later ones over earlier, the process over all. */

import { readFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";

import type { Problem } from "../errors.ts";
import type { Settings } from "../settings.ts";
import { nearest } from "./nearest.ts";
import { parseDotenv } from "./dotenv.ts";

/** A variable's value, and where it was set: `file:line`, or `null` for the process's environment. */
export interface Variable {
  readonly value: string;
  readonly from: string | null;
}

export interface Environment {
  readonly profile: Settings["profile"];
  /** Only what is set; an empty value is not. */
  readonly variables: ReadonlyMap<string, Variable>;
  /** The env files that were read, in order. */
  readonly files: readonly string[];
  /** Those that say something. */
  readonly written: readonly string[];
}

const PROFILES = ["dev", "test", "prod"] as const;

/**
 * Reads the env files. What is wrong is added to `problems`, without quoting what a file says.
 *
 * @param options.env the process's environment
 * @param options.directory what relative paths start from
 * @param options.before see `LoadOptions`
 */
export async function readEnvironment(
  { env, directory, before = [] }: {
    env: Readonly<Record<string, string | undefined>>;
    directory: string;
    before?: readonly string[];
  },
  problems: Problem[],
): Promise<Environment> {
  const variables = new Map<string, Variable>();
  const profile = profileOf(env, problems);
  const files: string[] = [];
  const written: string[] = [];
  for (const { path, isExplicit, by } of candidates(env, { profile, problems })) {
    const file = inDirectory(path, directory);
    const text = await readText(file);
    if (isBlank(text) && before.includes(file)) problems.push(lostProblem(file));
    else if (text.kind === "read") {
      files.push(file);
      if (!isBlank(text)) written.push(file);
      takeFile(file, text.text, { env, variables, problems });
    } else if (isExplicit || text.kind === "refused") {
      problems.push({
        where: by,
        message: `expected the env file \`${file}\` to be readable, got ${text.message}`,
      });
    }
  }
  for (const [name, value] of Object.entries(env)) {
    // Tools such as Docker Compose hand on every variable, also those that nobody has set.
    if (value !== undefined && value.trim() !== "") variables.set(name, { value, from: null });
  }
  for (const [name, { value }] of variables) if (value.trim() === "") variables.delete(name);
  return { profile: profile ?? "dev", variables, files, written };
}

/** `path` from where relative paths start. */
export function inDirectory(path: string, directory: string): string {
  return isAbsolute(path) ? path : join(directory, path);
}

export type FileText =
  | { readonly kind: "read"; readonly text: string }
  | { readonly kind: "absent" | "refused"; readonly message: string };

/** Whether a file says nothing: it is absent, or empty. */
export function isBlank(text: FileText): boolean {
  return text.kind === "absent" || (text.kind === "read" && text.text.trim() === "");
}

/** A file that said something says nothing now: it is being written, or its disk is full. */
export function lostProblem(file: string): Problem {
  const message =
    "expected the file that was read before, got none or an empty one: put it back, " +
    "or start Beat anew to run without it";
  return { where: file, message };
}

/** A file's text, or why there is none: `absent`, or `refused` (no right, a directory, not UTF-8 …). */
export async function readText(file: string): Promise<FileText> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === "ENOENT" || code === "ENOTDIR") return { kind: "absent", message: "no such file" };
    return { kind: "refused", message: error instanceof Error ? error.message : String(error) };
  }
  try {
    return { kind: "read", text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    // Read all the same, a name or a password would have other letters than it was written with.
    return { kind: "refused", message: "text that is not UTF-8: save it as UTF-8" };
  }
}

/** `null`, and a problem, when the profile is none of the three. */
function profileOf(
  env: Readonly<Record<string, string | undefined>>,
  problems: Problem[],
): Settings["profile"] | null {
  const wanted = (env["MINSY_ENV_PROFILE"] ?? "").trim().toLowerCase() || "dev";
  const profile = PROFILES.find((each) => each === wanted);
  if (profile !== undefined) return profile;
  problems.push({
    where: "MINSY_ENV_PROFILE",
    message:
      `expected \`MINSY_ENV_PROFILE\` to be dev, test or prod, got ${JSON.stringify(wanted)}` +
      nearest(wanted, PROFILES),
  });
  return null;
}

interface Candidate {
  readonly path: string;
  /** Named by the user: it must exist. */
  readonly isExplicit: boolean;
  /** The variable that names it. */
  readonly by: string;
}

function candidates(
  env: Readonly<Record<string, string | undefined>>,
  { profile, problems }: { profile: Settings["profile"] | null; problems: Problem[] },
): Candidate[] {
  for (const by of ["MINSY_ENV_FILES", "MINSY_ENV_FILE"]) {
    const text = (env[by] ?? "").trim();
    const paths = by === "MINSY_ENV_FILES" ? text.split(",") : [text];
    const named = paths.map((path) => path.trim()).filter((path) => path !== "");
    if (named.length > 0) return named.map((path) => ({ path, isExplicit: true, by }));
  }
  const names = [".env.secrets", ".env.common"];
  if (profile !== null) {
    names.push(`.env.${profile}`);
    const service = (env["MINSY_SERVICE"] ?? "").trim().toLowerCase().replaceAll("-", "_") ||
      "beat";
    if (/^\w+$/.test(service)) names.push(`.env.${profile}.${service}`);
    else {
      problems.push({
        where: "MINSY_SERVICE",
        message: `expected \`MINSY_SERVICE\` to be a service's name such as beat, got ${
          JSON.stringify(service)
        }`,
      });
    }
  }
  return names.map((name) => ({ path: `env/${name}`, isExplicit: false, by: "MINSY_ENV_PROFILE" }));
}

function takeFile(
  file: string,
  text: string,
  { env, variables, problems }: {
    env: Readonly<Record<string, string | undefined>>;
    variables: Map<string, Variable>;
    problems: Problem[];
  },
): void {
  const { assignments, unreadable } = parseDotenv(
    text,
    (name) => env[name] || variables.get(name)?.value,
  );
  for (const { name, value, line } of assignments) {
    variables.set(name, { value, from: `${file}:${line}` });
  }
  for (const { line, message } of unreadable) {
    problems.push({ where: `${file}:${line}`, message });
  }
}
