/** The verbs that show decisions without making any: `replay` of the past, `plan` of what is to come. */

import type { Command } from "commander";
import type { Shell } from "../commands/shell.ts";

type Choose = (work: (shell: Shell) => Promise<number>) => void;

export function addPreviewing(program: Command, choose: Choose): void {
  program.command("replay")
    .description(
      "decide again what was decided, and show what would differ; ends with 3 if any does",
    )
    .option("--from <time>", "decided from here on; RFC 3339 or a duration back (24h)")
    .option("--to <time>", "decided before this; as --from (now)")
    .option("--task <name>", "this task alone; may be repeated", collect)
    .option("--state-at <time>", "print how each task stood then, and nothing else")
    .option("--json", "as JSON")
    .action((_options, command) =>
      choose(async (shell) => {
        const { replay } = await import("../commands/replay.ts");
        return replay(command.optsWithGlobals(), shell);
      })
    );
}

function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}
