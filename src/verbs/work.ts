/** What a verb of the command line comes to, and what several verbs say alike. */

import type { Shell } from "../commands/shell.ts";

/** A command with its options, waiting for a shell. Loads its modules itself: start-up counts. */
export type Work = (shell: Shell) => Promise<number>;

/** Takes the work of the one verb that the arguments name. */
export type Choose = (work: Work) => void;

/** Collects the values of an option that may be repeated. */
export function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

/** An argument that may be left out, as options have it. */
export function given(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}
