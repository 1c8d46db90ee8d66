/** From arguments to one command. Alone in reading `Deno.args`, catching signals and exiting. */

import { Command, CommanderError, Option } from "commander";
import project from "../deno.json" with { type: "json" };
import { systemClock } from "./clock.ts";
import type { Shell } from "./commands/shell.ts";
import { ClosedPipe, err, out } from "./commands/std_streams.ts";
import { BeatError, EXIT } from "./errors.ts";
import { addAsking } from "./verbs/asking.ts";
import { addPreviewing } from "./verbs/previewing.ts";
import { addQuestions } from "./verbs/questions.ts";
import { addCalendar } from "./verbs/calendar.ts";

/** A command with its options, waiting for a shell. Loads its modules itself: start-up counts. */
type Work = (shell: Shell) => Promise<number>;

/** Options of every command that are variables of the environment, too. The option wins. */
const VARIABLE_OF = {
  config: "BEAT_CONFIG",
  broker: "BEAT_REDIS_URL",
  redisUrl: "BEAT_REDIS_URL",
  loglevel: "BEAT_LOG_LEVEL",
  namespace: "BEAT_NAMESPACE",
} as const;

/** Exit codes after a clean stop: 128 and the signal's number. */
const SIGNAL_EXIT = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

async function main(args: readonly string[]): Promise<number> {
  try {
    const { work, options } = parse(args);
    if (work === null) return EXIT.ok;
    const env = overlay(Deno.env.toObject(), options);
    const { shell, endedBy } = processShell(env);
    const code = await work(shell);
    const signal = endedBy();
    return code === EXIT.ok && signal !== null ? SIGNAL_EXIT[signal] : code;
  } catch (error) {
    return report(error);
  }
}

/** The exit code of a failure, after saying what it was. */
function report(error: unknown): number {
  if (error instanceof ClosedPipe) return EXIT.ok;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof BeatError) {
    err(`error: ${error.message}\n`);
    return error.exitCode;
  }
  err(`${error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
  return EXIT.failure;
}

/** What the arguments ask for; `work` is null when that was help or the version, and is done. */
function parse(
  args: readonly string[],
): { work: Work | null; options: Readonly<Record<string, unknown>> } {
  let work: Work | null = null;
  const program = commandLine((chosen) => work = chosen);
  const isHelp = args.some((arg) => arg === "-h" || arg === "--help");
  const isBare = !isHelp && program.parseOptions([...args]).operands.length === 0;
  program.parse(isBare ? [BARE_VERB, ...args] : args, { from: "user" });
  return { work, options: program.opts() };
}

const EXIT_WORDS = "0 fine, 1 failure, 2 usage or configuration,\n" +
  "3 a finding, 4 nobody leads, 69 Redis unavailable, 75 try again, 130 or 143 stopped by a signal";

/** What `beat` alone stands for. */
const BARE_VERB = "dev";

function commandLine(choose: (work: Work) => void): Command {
  const program = new Command("beat")
    .description("Publishes tasks to Celery workers when they are due, and can prove it.")
    .exitOverride()
    .configureOutput({ writeOut: out, writeErr: err })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("(beat --help shows what there is)")
    .version(project.version, "-V, --version")
    .option("-c, --config <file>", "declared tasks and policies (BEAT_CONFIG)")
    .option("-b, --broker <url>", "Redis of the Celery broker (BEAT_REDIS_URL)")
    .addOption(new Option("--redis-url <url>", "the same as --broker").hideHelp())
    .option("-l, --loglevel <level>", "debug, info, warn, error (BEAT_LOG_LEVEL)", logLevel)
    .option("--namespace <name>", "first part of Beat's keys (BEAT_NAMESPACE)")
    .option("--no-color", "no colours (NO_COLOR)")
    .helpCommand("help [verb]", "what a verb does")
    .addHelpText("after", `\nWithout a verb: ${BARE_VERB}. Exit codes: ${EXIT_WORDS}.`);
  addRunning(program, choose);
  addChecking(program, choose);
  addLooking(program, choose);
  addAsking(program, choose);
  addPreviewing(program, choose);
  addCalendar(program, choose);
  return program;
}

function addRunning(program: Command, choose: (work: Work) => void): void {
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
          const { run } = await import("./commands/run.ts");
          return run({ isEmbeddingAllowed, isWaiting: options.wait ?? true }, shell);
        })
      );
  }
}

function addChecking(program: Command, choose: (work: Work) => void): void {
  program.command("validate [file]")
    .description("check the configuration and print what it amounts to")
    .option("--json", "as JSON")
    .action((file, options) =>
      choose(async (shell) => {
        const { validate } = await import("./commands/validate.ts");
        return validate({ ...options, ...given("file", file) }, shell);
      })
    );
  program.command("next [expression]")
    .description("print when a cron expression is due")
    .option("--tz <zone>", "IANA zone in which it is read")
    .option("--from <time>", "first instant to look after; RFC 3339")
    .option("-n, --count <number>", "how many")
    .option("--dialect <name>", "cron, celery or session (XNYS close-15m)")
    .option("--stdin", "answer a JSON array of questions on standard input")
    .option("--json", "as JSON")
    // It says more about them than that there are too many.
    .allowExcessArguments()
    .action((expression, options, { args: [_, ...further] }) =>
      choose(async (shell) => {
        const { next } = await import("./commands/next.ts");
        return next({ ...options, ...given("expression", expression), further }, shell);
      })
    );
}

function addLooking(program: Command, choose: (work: Work) => void): void {
  program.command("tasks")
    .description("list the tasks: on or off, last and next fire")
    .option("--json", "as JSON")
    .action((options) =>
      choose(async (shell) => (await import("./commands/tasks.ts")).tasks(options, shell))
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
      choose(async (shell) => (await import("./commands/audit.ts")).audit(options, shell))
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
        const { why } = await import("./commands/why.ts");
        return why({ ...options, subject, ...given("time", time) }, shell);
      })
    );
  program.command("doctor")
    .description("check all that can keep tasks from running; ends with 3 on a failure")
    .option("--json", "as JSON")
    .action((options) =>
      choose(async (shell) => (await import("./commands/doctor.ts")).doctor(options, shell))
    );
  program.command("leader")
    .description("print who leads, since when, and who stands by; ends with 4 where nobody does")
    .option("--json", "as JSON")
    .action((options) =>
      choose(async (shell) => (await import("./commands/leader.ts")).leader(options, shell))
    );
  program.command("journal")
    .description("print what was recorded, newest last")
    .option("--task <name>", "rows of this task; may be repeated", collect)
    .option("--type <prefix>", "rows of this type, as fire or fire.acked; may be repeated", collect)
    .option("--since <time>", "from here on; RFC 3339 or a duration back, as 24h or 7d")
    .option("--until <time>", "up to here; as --since")
    .option("-n, --count <number>", "the newest so many (100 when there is no --since)")
    .option("-f, --follow", "go on with new rows until interrupted")
    .option("--json", "one JSON object a line")
    .action((options) =>
      choose(async (shell) => (await import("./commands/journal.ts")).journal(options, shell))
    );
  addQuestions(program, choose);
}

function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

function given(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}

/** Celery's spellings are understood: `INFO`, `WARNING`, `CRITICAL`. */
function logLevel(text: string): string {
  const level = text.toLowerCase();
  return level === "warning" ? "warn" : level === "critical" ? "fatal" : level;
}

function overlay(
  env: Record<string, string>,
  options: Readonly<Record<string, unknown>>,
): Record<string, string> {
  const given: Record<string, string> = options.color === false ? { NO_COLOR: "1" } : {};
  for (const [option, variable] of Object.entries(VARIABLE_OF)) {
    const value = options[option];
    if (typeof value === "string") given[variable] = value;
  }
  return { ...env, ...given };
}

type StopSignal = keyof typeof SIGNAL_EXIT;

/** Signals so close together are one. Milliseconds. */
const SAME_SIGNAL_MS = 500;

function processShell(
  env: Readonly<Record<string, string>>,
): { shell: Shell; endedBy: () => StopSignal | null } {
  let stopping: AbortController | null = null;
  let endedBy: StopSignal | null = null;
  let firstMs = 0;
  // A terminal that is closed sends SIGHUP, too, and is none any more.
  const isTerminal = Deno.stderr.isTerminal();
  const stop = (name: StopSignal) => {
    const nowMs = systemClock.monotonicMs();
    if (endedBy === null) firstMs = nowMs;
    // The second SIGINT is from somebody who has waited for the first; at once after it, it is the same
    // one again, sent to the whole process group and passed on by the launcher too.
    else if (name === "SIGINT" && nowMs - firstMs > SAME_SIGNAL_MS) Deno.exit(SIGNAL_EXIT.SIGINT);
    endedBy ??= name;
    stopping?.abort(name);
  };
  const listen = () => {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(name, () => stop(name));
    }
    return new AbortController();
  };
  const shell: Shell = {
    env,
    out,
    err,
    isOutTerminal: Deno.stdout.isTerminal(),
    isErrTerminal: isTerminal,
    columns: columns(),
    readStdin: () => new Response(Deno.stdin.readable).text(),
    get signal() {
      return (stopping ??= listen()).signal;
    },
    onHangup(listener) {
      const heard = () => isTerminal && !Deno.stderr.isTerminal() ? stop("SIGHUP") : listener();
      Deno.addSignalListener("SIGHUP", heard);
      return () => Deno.removeSignalListener("SIGHUP", heard);
    },
  };
  return { shell, endedBy: () => endedBy };
}

const COLUMNS_DEFAULT = 80;

function columns(): number {
  // A pseudo terminal that nobody has sized says 0.
  return (Deno.stdout.isTerminal() && Deno.consoleSize().columns) || COLUMNS_DEFAULT;
}

// Last, because the constants above must be there.
if (import.meta.main) Deno.exit(await main(Deno.args));
