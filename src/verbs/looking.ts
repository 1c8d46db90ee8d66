/** The verbs that show how things stand and what was recorded. */

import type { Command } from "commander";
import type { Choose } from "./work.ts";
import { collect, given } from "./work.ts";

export function addLooking(program: Command, choose: Choose): void {
  program.command("tasks")
    .description("list the tasks: on or off, last and next fire")
    .option("--json", "as JSON")
    .action((options) =>
      choose(async (shell) => (await import("../commands/tasks.ts")).tasks(options, shell))
    );
  program.command("audit")
    .description(
      "check that what was due was published, once and in time; ends with 3 on a finding",
    )
    .option("--since <time>", "due from here on; RFC 3339 or a duration back (24h)")
    .option("--until <time>", "due before this; as --since (now)")
    .option("--task <name>", "this task alone; may be repeated", collect)
    .option("--tolerance <duration>", "how late still counts as on time (1s)")
    .option("--verify", "also compare the whole journal with the cursors and open fires")
    .option("--figures", "also queue peaks, time-outs, fires saved, and how critical tasks fared")
    .option("--json", "as JSON")
    .action((options) =>
      choose(async (shell) => (await import("../commands/audit.ts")).audit(options, shell))
    );
  program.command("why <task> [time]")
    .description("tell what became of one fire, and why")
    .addHelpText(
      "after",
      "\nTASK may be a fire id (task@dueMs) or a Celery task id. TIME: RFC 3339, or a duration back; " +
        "the last due time when left out.",
    )
    .option("--deep", "read the journal on to its end where the story is not found near")
    .option("--json", "as JSON")
    .action((subject, time, options) =>
      choose(async (shell) => {
        const { why } = await import("../commands/why.ts");
        return why({ ...options, subject, ...given("time", time) }, shell);
      })
    );
  program.command("doctor")
    .description("check all that can keep tasks from running; ends with 3 on a failure")
    .option("--json", "as JSON")
    .action((options) =>
      choose(async (shell) => (await import("../commands/doctor.ts")).doctor(options, shell))
    );
  program.command("leader")
    .description("print who leads, since when, and who stands by; ends with 4 where nobody does")
    .option("--json", "as JSON")
    .action((options) =>
      choose(async (shell) => (await import("../commands/leader.ts")).leader(options, shell))
    );
  program.command("journal")
    .description("print what was recorded, newest last")
    .option("--task <name>", "rows of this task; may be repeated", collect)
    .option("--type <prefix>", "rows of this type, as fire or fire.acked; may be repeated", collect)
    .option("--since <time>", "from here on; RFC 3339 or a duration back, as 24h or 7d")
    .option("--until <time>", "up to here; as --since")
    .option("-n, --count <number>", "the newest so many (100 where there is no --since)")
    .option("-f, --follow", "go on with new rows until interrupted")
    .option("--json", "one JSON object a line")
    .action((options) =>
      choose(async (shell) => (await import("../commands/journal.ts")).journal(options, shell))
    );
}
