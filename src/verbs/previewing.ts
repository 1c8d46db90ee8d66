/** The verbs that show decisions without making any: `replay` of the past, `plan` of what is to come. */

import type { Command } from "commander";
import type { Choose } from "./work.ts";
import { collect } from "./work.ts";

export function addPreviewing(program: Command, choose: Choose): void {
  program.command("plan")
    .description(
      "print what will be published, held and skipped, by running the core ahead of time",
    )
    .option("--hours <number>", "how many hours ahead (24)")
    .option("--from <time>", "from then on instead of now, each task anew; RFC 3339")
    .option("--task <name>", "this task alone; may be repeated", collect)
    .option("--queue <name>", "this queue alone; may be repeated", collect)
    .option("--format <name>", "table, json, csv or html", "table")
    .option("--explain", "with the reason of each decision")
    .option("--diff <file>", "what another beat.yaml would do otherwise; ends with 3 if anything")
    .option("--figures", "queue peaks with and without jitter, and fires saved")
    .option(
      "--assume <what=value>",
      "queue.QUEUE.depth=5000, queue.QUEUE.consumers=2, queue.QUEUE.run=2s, task.TASK.run=2s or " +
        "level.KEY=slowed; may be repeated",
      collect,
    )
    .option("--json", "as --format json")
    .action((options) =>
      choose(async (shell) => (await import("../commands/plan.ts")).plan(options, shell))
    );
  program.command("replay")
    .description(
      "decide again what was decided, and show what would differ; ends with 3 if any does",
    )
    .option("--from <time>", "decided from here on; RFC 3339 or a duration back (24h)")
    .option("--to <time>", "decided before this; as --from (now)")
    .option("--task <name>", "this task alone; may be repeated", collect)
    .addHelpText(
      "after",
      "\nWith --config: under that schedule instead of the recorded one, from one due time to the next.",
    )
    .option("--state-at <time>", "print how each task stood then, and nothing else; as --from")
    .option("--json", "as JSON")
    .action((_options, command) =>
      choose(async (shell) => {
        const { replay } = await import("../commands/replay.ts");
        return replay(command.optsWithGlobals(), shell);
      })
    );
}
