/** What is below `audit` and `journal`: questions in SQL, and rows in other formats. */

import type { Command } from "commander";
import type { Choose } from "./work.ts";

/** @param program has `audit` and `journal` */
export function addQuestions(program: Command, choose: Choose): void {
  below(program, "audit").command("sql <select>")
    .description("ask the journal in SQL: tables `journal` and `fires`")
    .option(
      "--since <time>",
      "rows recorded from here on; RFC 3339 or a duration back, as 24h (all)",
    )
    .option("--until <time>", "rows recorded up to here; as --since")
    .option("--json", "one JSON object a row, in an array")
    .action((select, _options, command) => {
      refuseStray(command);
      choose(async (shell) => {
        const { auditSql } = await import("../commands/audit_sql.ts");
        return auditSql({ ...command.optsWithGlobals(), select }, shell);
      });
    });
  below(program, "journal").command("export")
    .description("write rows of the archive and of Redis, oldest first")
    .option("--format <name>", "ndjson, csv or parquet", "ndjson")
    .option("-o, --output <file>", "instead of standard output")
    .option("--since <time>", "from here on; RFC 3339 or a duration back, as 24h (all)")
    .option("--until <time>", "up to here; as --since")
    .action((_options, command) => {
      refuseStray(command);
      choose(async (shell) => {
        const { journalExport } = await import("../commands/journal_export.ts");
        return journalExport(command.optsWithGlobals(), shell);
      });
    });
}

/** Options of the verb above are taken on the way, and would be passed over in silence. */
function refuseStray(command: Command): void {
  const own = new Set(command.options.map((option) => option.attributeName()));
  const above = command.parent!;
  const stray = above.options.find((option) => {
    const name = option.attributeName();
    return !own.has(name) && above.getOptionValue(name) !== undefined;
  });
  if (stray === undefined) return;
  const known = command.options.map(({ long }) => long).join(", ");
  const verb = `${above.name()} ${command.name()}`;
  command.error(`error: expected \`${verb}\` to have ${known}, got ${stray.long}`);
}

function below(program: Command, name: string): Command {
  const found = program.commands.find((each) => each.name() === name);
  if (found === undefined) throw new Error(`there is no verb ${name}`);
  return found;
}
