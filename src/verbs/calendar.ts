/** The verb `calendar`, as the command line has it. */

import type { Command } from "commander";
import type { Choose } from "./work.ts";
import { given } from "./work.ts";

export function addCalendar(program: Command, choose: Choose): void {
  program.command("calendar [name]")
    .description("print whether a market is open, and its sessions; without NAME, all calendars")
    .option("--at <time>", "at another time than now; RFC 3339 or a duration back")
    .option("--days <number>", "list so many days (7, and none with --at)")
    .option("--stdin", "answer a JSON array of {mic, instant} on standard input")
    .option("--json", "as JSON")
    .action((name, options) =>
      choose(async (shell) => {
        const { calendar } = await import("../commands/calendar.ts");
        return calendar({ ...options, ...given("name", name) }, shell);
      })
    );
}
