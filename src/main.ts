/** From arguments to one command. Alone in reading `Deno.args`, catching signals and exiting. */

import { Command, CommanderError, Option } from "commander";
import project from "../deno.json" with { type: "json" };
import { systemClock } from "./clock.ts";
import type { Shell } from "./commands/shell.ts";
import { ClosedPipe, err, out } from "./commands/std_streams.ts";
import { BeatError, ConfigError, EXIT, UsageError } from "./errors.ts";
import { addAsking } from "./verbs/asking.ts";
import { addCalendar } from "./verbs/calendar.ts";
import { addChecking } from "./verbs/checking.ts";
import { addLooking } from "./verbs/looking.ts";
import { addPreviewing } from "./verbs/previewing.ts";
import { addQuestions } from "./verbs/questions.ts";
import { addRunning, BARE_VERB } from "./verbs/running.ts";
import type { Choose, Work } from "./verbs/work.ts";

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
  let given: Readonly<Record<string, unknown>> = {};
  try {
    const { work, options } = parse(args);
    if (work === null) return EXIT.ok;
    given = options;
    const env = overlay(Deno.env.toObject(), options);
    const { shell, endedBy } = processShell(env);
    const code = await work(shell);
    const signal = endedBy();
    return code === EXIT.ok && signal !== null ? SIGNAL_EXIT[signal] : code;
  } catch (error) {
    return report(error instanceof ConfigError ? asGiven(error, given) : error);
  }
}

/** Options travel as variables: who gave an option is told of the option. */
function asGiven(error: ConfigError, options: Readonly<Record<string, unknown>>): ConfigError {
  const names = Object.entries(VARIABLE_OF).filter(([option]) => option in options)
    .map(([option, variable]) => [variable, `--${option === "redisUrl" ? "broker" : option}`]);
  return new ConfigError(error.problems.map(({ where, message }) => {
    const [variable, option] = names.find(([variable]) => variable === where) ?? [];
    if (variable === undefined || option === undefined) return { where, message };
    return { where: option, message: message.replace(`\`${variable}\``, `\`${option}\``) };
  }));
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
  const { operands: [verb, ...others] } = program.parseOptions([...args]);
  const isBare = !isHelp && verb === undefined;
  if (verb === "help" && !isHelp) others.reduce(below, program).outputHelp();
  else program.parse(isBare ? [BARE_VERB, ...args] : args, { from: "user" });
  return { work, options: program.opts() };
}

/** What is below a verb is no verb to the program: `help audit sql`. */
function below(command: Command, name: string): Command {
  const found = command.commands.find((each) => each.name() === name);
  if (found !== undefined) return found;
  const known = command.commands.map((each) => each.name()).join(", ") || "left out";
  throw new UsageError(`expected VERB to be ${known}, got "${name}"`);
}

const EXIT_WORDS = "0 fine, 1 failure, 2 usage or configuration,\n" +
  "3 a finding, 4 nobody leads, 69 Redis unavailable, 75 try again,\n129, 130 or 143 stopped by a signal";

function commandLine(choose: Choose): Command {
  const program = new Command("beat")
    .description("Publishes tasks to Celery workers when they are due, and can prove it.")
    .exitOverride()
    .configureOutput({ writeOut: out, writeErr: err })
    .configureHelp({ showGlobalOptions: true })
    .version(project.version, "-V, --version")
    .option("-c, --config <file>", "declared tasks and policies (BEAT_CONFIG, env/beat.yaml)")
    .option("-b, --broker <url>", "Redis of the Celery broker (BEAT_REDIS_URL, CELERY_BROKER_URL)")
    .addOption(new Option("--redis-url <url>", "the same as --broker").hideHelp())
    .option(
      "-l, --loglevel <level>",
      "trace, debug, info, warn, error, fatal (BEAT_LOG_LEVEL, info)",
      logLevel,
    )
    .option("--namespace <name>", "first part of Beat's keys (BEAT_NAMESPACE, beat)")
    .option("--no-color", "no colours (NO_COLOR)")
    .helpCommand("help [verb]", "what a verb does")
    .addHelpText(
      "after",
      `\nIn parentheses: the variable that says the same, and the default.\nWithout a verb: ${BARE_VERB}. Exit codes: ${EXIT_WORDS}.`,
    );
  addRunning(program, choose);
  addChecking(program, choose);
  addLooking(program, choose);
  addQuestions(program, choose);
  addAsking(program, choose);
  addPreviewing(program, choose);
  addCalendar(program, choose);
  pointToHelp(program, "beat");
  return program;
}

/** Of the verb that was asked for wrongly, not of all of them. */
function pointToHelp(command: Command, name: string): void {
  command.showHelpAfterError(`(${name} --help shows what there is)`);
  for (const each of command.commands) pointToHelp(each, `${name} ${each.name()}`);
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
