/** `deno task sim`: runs seeds, replays a plan, or lets planted bugs be found. */

import { Command } from "commander";
import { inTask } from "./timeline.ts";
import { runSeeds } from "./seeds.ts";
import { runMutants } from "./mutants.ts";
import { planOf } from "./plan.ts";
import { replayFile, tellPlan } from "./replay.ts";

// Each error of the simulated world would look through the stack.
Error.stackTraceLimit = 0;

const program = new Command("sim").description("Beat in a simulated world of faults");

program.command("seeds", { isDefault: true })
  .description("run plans drawn from seeds")
  .option("--seeds <n>", "how many", Number, 300)
  .option("--from <n>", "the first", Number, 1)
  .option("--hours <n>", "simulated hours of each", Number)
  .option("--days <n>", "simulated days of each", Number)
  .option("--minutes <n>", "simulated minutes of each", Number)
  .option("--tasks <n>", "tasks of each, about", Number, 50)
  .option("--jobs <n>", "processes", Number, 2)
  .option("--no-shrink", "leave a failing plan as it is")
  .option("--first", "end at the first that fails")
  .action(async (options) => Deno.exit(await runSeeds(options)));

program.command("replay <file>")
  .description("run a plan again, and tell what happened")
  .action(async (file) => Deno.exit(await inTask(() => replayFile(file))));

program.command("mutants")
  .description("plant known bugs in a copy of the sources, and look for seeds that show them")
  .option("--seeds <n>", "at most so many for each", Number, 1_000)
  .option("--missing", "only those that no seed is known for")
  .option("--only <text>", "only those whose names hold this", "")
  .action(async (options) => Deno.exit(await runMutants(options)));

program.command("tell <seed>")
  .description("run the plan of one seed, and tell what happened")
  .option("--minutes <n>", "simulated minutes", Number, 60)
  .option("--tasks <n>", "tasks, about", Number, 50)
  .action(async (seed, { minutes, tasks }) =>
    Deno.exit(
      await inTask(() => tellPlan(planOf(Number(seed), { durationMs: minutes * 60_000, tasks }))),
    )
  );

await program.parseAsync(Deno.args, { from: "user" });
