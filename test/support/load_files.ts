/** Loads a configuration from files that exist for the length of a call. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { loadConfig } from "../../src/config/load.ts";
import { ConfigError } from "../../src/errors.ts";
import type { Config } from "../../src/settings.ts";

export interface Loaded {
  /** `null` where it was refused. */
  readonly config: Config | null;
  /** `where: message`, with paths as if the working directory held the files. */
  readonly problems: string[];
  /** The whole error, or an empty text. */
  readonly text: string;
}

/** A directory with these files while `use` runs. */
export async function withFiles<T>(
  files: Readonly<Record<string, string | Uint8Array>>,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "beat-config-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), text);
    }
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

export async function loadFiles(
  files: Readonly<Record<string, string | Uint8Array>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Loaded> {
  return await withFiles(files, async (directory) => {
    try {
      return { config: await loadConfig(env, { directory }), problems: [], text: "" };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const near = (text: string) => text.replaceAll(`${directory}/`, "");
      return {
        config: null,
        problems: error.problems.map(({ where, message }) => near(`${where}: ${message}`)),
        text: near(error.message),
      };
    }
  });
}

/** As {@link loadFiles}, where it must be fine. */
export async function loadFine(
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Config> {
  const { config, text } = await loadFiles(files, env);
  if (config === null) throw new Error(`expected a configuration, got: ${text}`);
  return config;
}

/** A `beat.yaml` with these lines under `tasks:`. */
export function yamlTasks(...lines: readonly string[]): Record<string, string> {
  return {
    "env/beat.yaml": ["version: 1", "tasks:", ...lines.map((line) => `  ${line}`)].join("\n"),
  };
}
