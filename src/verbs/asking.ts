/** The verbs by which people ask the leader for something, as the command line has them. */

import type { Command } from "commander";
import type { Choose } from "./work.ts";
import { given } from "./work.ts";

export function addAsking(program: Command, choose: Choose): void {
  addTrigger(program, choose);
  addBackfill(program, choose);
  addOrders(program, choose);
}

function addTrigger(program: Command, choose: Choose): void {
  asking(program.command("trigger <task>"))
    .description("publish one fire of a task now, through the leader")
    .option("--args <json>", "other arguments, as a JSON array: '[\"2026-03-01\"]'")
    .option("--kwargs <json>", "other keyword arguments, as a JSON object: '{\"full\": true}'")
    .option("--obey", "refuse where a policy of the task would hold it back")
    .action((task, options) =>
      choose(async (shell) => {
        const { trigger } = await import("../commands/trigger.ts");
        return trigger({ ...options, task }, shell);
      })
    );
}

function addBackfill(program: Command, choose: Choose): void {
  asking(program.command("backfill <task>"))
    .description("publish the due times of a range that did not run, in order, through the leader")
    .option("--from <time>", "first due time; RFC 3339 or a duration back, as 24h; needed")
    .option("--to <time>", "last due time; as --from; needed")
    .option("--max <number>", "refuse where there are more (1000)")
    .option("--rate <number>", "fires a second (10)")
    .option("--force", "also what ran, and what is older than the journal")
    .option("--dry-run", "print what would be published")
    .action((task, options) =>
      choose(async (shell) => {
        const { backfill } = await import("../commands/backfill.ts");
        return backfill({ ...options, task }, shell);
      })
    );
}

function addOrders(program: Command, choose: Choose): void {
  const verbs = [
    ["pause", "fire a task no more, until it is resumed"],
    ["resume", "fire a paused task again, from now on"],
  ] as const;
  for (const [kind, description] of verbs) {
    asking(
      program.command(`${kind} [task]`),
      "why; has to be given, and is recorded with who asked",
    )
      .description(description)
      .option("--all", "all tasks, instead of one")
      .action((task, options) =>
        choose(async (shell) => {
          const { pauseOrResume } = await import("../commands/pause.ts");
          return pauseOrResume({ ...options, ...given("task", task), kind }, shell);
        })
      );
  }
}

/** What all of them have. */
function asking(command: Command, note = "why; it is recorded with who asked"): Command {
  return command
    .option("--note <text>", note)
    .option("--id <name>", "a name for the request: asked again under it, nothing is done twice")
    .option("--timeout <duration>", "how long to wait for a sign of the leader (10s)")
    .option("--no-wait", "do not wait for the leader's answer")
    .option("--json", "as JSON");
}
