/** The verbs that check what is written, and need no Redis. */

import type { Command } from "commander";
import type { Choose } from "./work.ts";
import { given } from "./work.ts";

export function addChecking(program: Command, choose: Choose): void {
  program.command("validate [file]")
    .description("check the configuration and print what it amounts to")
    .option("--json", "as JSON")
    .action((file, options) =>
      choose(async (shell) => {
        const { validate } = await import("../commands/validate.ts");
        return validate({ ...options, ...given("file", file) }, shell);
      })
    );
  program.command("next [expression]")
    .description("print when a cron expression is due")
    .option("--tz <zone>", "IANA zone in which it is read (UTC); not for a session")
    .option("--from <time>", "first instant to look after; RFC 3339 or a duration back (now)")
    .option("-n, --count <number>", "how many (5)")
    .option("--dialect <name>", 'cron, celery or session, as in "XNYS close-15m" (cron)')
    .option("--stdin", "answer a JSON array of questions on standard input")
    .option("--json", "as JSON")
    // It says more about them than that there are too many.
    .allowExcessArguments()
    .action((expression, options, { args: [_, ...further] }) =>
      choose(async (shell) => {
        const { next } = await import("../commands/next.ts");
        return next({ ...options, ...given("expression", expression), further }, shell);
      })
    );
}
