/** The verbs that run a Beat, as the command line has them. */

import type { Command } from "commander";
import type { Choose } from "./work.ts";

/** What `beat` alone stands for. */
export const BARE_VERB = "dev";

export function addRunning(program: Command, choose: Choose): void {
  const verbs = [
    [BARE_VERB, "run, with a Redis of its own where none is configured", true],
    ["run", "publish what is due, or stand by for the one that does", false],
  ] as const;
  for (const [verb, description, isEmbeddingAllowed] of verbs) {
    program.command(verb)
      .description(description)
      .option("--wait", "wait for Redis at start (default)")
      .option("--no-wait", "end with code 69 when Redis cannot be reached at start")
      .action((options: { wait?: boolean }) =>
        choose(async (shell) => {
          const { run } = await import("../commands/run.ts");
          return run({ isEmbeddingAllowed, isWaiting: options.wait ?? true }, shell);
        })
      );
  }
}
