/**
 * The program before Beat's: `deno task beat` and `deno task test`. It installs what they lack, then
 * runs them with permissions of their own, so that Beat needs neither apt-get nor root.
 */

/** What set-up looks at and may touch of the machine. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `null` where there is none, as on Windows. */
  readonly uid: number | null;
  readonly osReleaseFile: string;
  /** Debian asks this script whether an installed service may start. */
  readonly policyFile: string;
  /** Where Debian's Python packages are. */
  readonly pythonDir: string;
  /** Takes a sentence for the user, without line end. */
  say(sentence: string): void;
}

/** What is run in the end: arguments of `deno`. */
export type Command = readonly string[];

const SERVERS = ["redis-server", "valkey-server"] as const;
const BARE_VERBS: readonly (string | undefined)[] = [undefined, "dev"];
const BROKER_OPTION = /^(-b|--broker|--redis-url)(=|$)/;
/** Options of Beat, before its verb, that the next argument belongs to. */
const VALUED: readonly string[] = ["-c", "--config", "-l", "--loglevel", "--namespace"];
const ENDING: readonly string[] = ["-h", "--help", "-V", "--version"];

/** For `deno task beat`: a Redis server, where Beat is about to start one of its own. */
export async function prepareBeat(args: readonly string[], host: Host): Promise<Command> {
  if (!SERVERS.some((name) => isOnPath(name, host)) && await isEmbedding(args, host)) {
    await install(["redis-server"], host);
  }
  if (isForDuck(args)) return ["run", "-q", "--no-prompt", "-P=sql", "src/main.ts", ...args];
  const writable = await writableOf(args, host);
  // The first start shows what is downloaded. Later, Deno has nothing to say that helps.
  const isFirst = BARE_VERBS.includes(verbOf(args)) && !isDirectory(".beat");
  const quiet = isFirst ? [] : ["-q"];
  return ["run", ...quiet, "--no-prompt", "-P=beat", ...writable, "src/main.ts", ...args];
}

/** DuckDB is a native library, for which there is a set of permissions of its own. */
function isForDuck(args: readonly string[]): boolean {
  const at = args.indexOf(verbOf(args) ?? "");
  const verbs = args.slice(at, at + 2).join(" ");
  return verbs === "audit sql" ||
    (verbs === "journal export" && args.some((arg) => /^(--format=)?parquet$/.test(arg)));
}

/** Beat may write below `.beat`; an archive elsewhere, or a file to export to, is the user's choice. */
async function writableOf(args: readonly string[], host: Host): Promise<string[]> {
  const paths = [await archiveOf(args, host), outputOf(args)].filter((path) => path !== null);
  const isElsewhere = paths.some((path) => !path.startsWith(".beat/"));
  return isElsewhere ? [`--allow-write=${[".beat", ...paths].join(",")}`] : [];
}

async function archiveOf(args: readonly string[], { env }: Host): Promise<string | null> {
  const config = valueOf(args, "-c", "--config");
  const own = config === null ? env : { ...env, BEAT_CONFIG: config };
  try {
    const { loadConfig } = await import("./config/load.ts");
    return (await loadConfig(own)).settings.journal.archive;
  } catch {
    // Beat itself reports what is wrong.
    return null;
  }
}

/** Of `journal export`. */
function outputOf(args: readonly string[]): string | null {
  if (verbOf(args) !== "journal" || !args.includes("export")) return null;
  return valueOf(args, "-o", "--output");
}

function valueOf(args: readonly string[], short: string, long: string): string | null {
  const at = args.findIndex((arg) => arg === short || arg === long);
  if (at >= 0) return args[at + 1] ?? null;
  const joined = args.find((arg) => arg.startsWith(`${long}=`));
  return joined?.slice(`${long}=`.length) ?? null;
}

/** For `deno task test`: a Redis server, and Celery for the tests against real workers. */
export async function prepareTest(args: readonly string[], host: Host): Promise<Command> {
  const missing = [
    ...(isOnPath("redis-server", host) ? [] : ["redis-server"]),
    ...(isOnPath("celery", host) ? [] : ["celery", "python3-celery"]),
    ...(hasPythonRedis(host) ? [] : ["python3-redis"]),
  ];
  if (missing.length > 0 && !await install(missing, host)) {
    host.say(
      `Without ${
        missing.join(", ")
      } the tests that need them are skipped (with CI=true they fail).`,
    );
  }
  return ["test", "--no-prompt", "-P=test", ...args];
}

async function isEmbedding(args: readonly string[], host: Host): Promise<boolean> {
  if (!BARE_VERBS.includes(verbOf(args))) return false;
  if (args.some((arg) => ENDING.includes(arg) || BROKER_OPTION.test(arg))) return false;
  try {
    const { loadConfig } = await import("./config/load.ts");
    const { profile, broker } = (await loadConfig(host.env)).settings;
    return profile === "dev" && broker === null;
  } catch {
    // Beat itself reports what is wrong, and does not get as far as a server.
    return false;
  }
}

function verbOf(args: readonly string[]): string | undefined {
  return args.find((arg, index) => !arg.startsWith("-") && !VALUED.includes(args[index - 1] ?? ""));
}

function isOnPath(program: string, { env }: Host): boolean {
  return (env.PATH ?? "").split(":").some((dir) => isFile(`${dir}/${program}`));
}

/** A Celery from elsewhere, as in a virtual environment, is taken to have brought its own. */
function hasPythonRedis(host: Host): boolean {
  const first = (host.env.PATH ?? "").split(":").find((dir) => isFile(`${dir}/celery`));
  const isDebian = first === undefined || first === "/usr/bin";
  return !isDebian || isFile(`${host.pythonDir}/redis/__init__.py`);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Whether the packages are there now. Where not, the user has been told what to do. */
async function install(packages: readonly string[], host: Host): Promise<boolean> {
  const command = `apt-get install --no-install-recommends ${packages.join(" ")}`;
  if (!isDebian(host)) {
    host.say(`Missing: ${packages.join(", ")}. Please install what this system calls them.`);
    return false;
  }
  if (host.uid !== 0) {
    host.say(`Missing: ${packages.join(", ")}. As root: ${command}`);
    return false;
  }
  host.say(`Missing: ${packages.join(", ")}. Installing with apt-get: ${command}`);
  const policy = await forbidServices(host);
  try {
    await aptGet(["update"], host);
    const isDone = await aptGet(["install", "-y", "--no-install-recommends", ...packages], host);
    if (!isDone) host.say(`apt-get failed. Please see to it, as root: ${command}`);
    return isDone;
  } finally {
    await policy.remove();
  }
}

function isDebian({ osReleaseFile, ...host }: Host): boolean {
  try {
    const text = Deno.readTextFileSync(osReleaseFile);
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(text) &&
      isOnPath("apt-get", { osReleaseFile, ...host });
  } catch {
    return false;
  }
}

/** Without this, Debian would start a server on port 6379, now and at every boot. */
async function forbidServices({ policyFile }: Host): Promise<{ remove(): Promise<void> }> {
  const script = `#!/bin/sh
# While Beat's set-up installs a program, no service starts. Of no effect once that has ended.
kill -0 ${Deno.pid} 2>/dev/null || exit 0
exit 101
`;
  try {
    await Deno.writeTextFile(policyFile, script, { mode: 0o755, createNew: true });
  } catch (error) {
    // Somebody else's rules, as in an image, stand.
    if (error instanceof Deno.errors.AlreadyExists) return { remove: () => Promise.resolve() };
    throw error;
  }
  return { remove: () => Deno.remove(policyFile) };
}

async function aptGet(args: readonly string[], { env }: Host): Promise<boolean> {
  const { success } = await new Deno.Command("apt-get", {
    args: ["-qq", "-o", "DPkg::Lock::Timeout=120", ...args],
    env: {
      DEBIAN_FRONTEND: "noninteractive",
      ...(env.PATH === undefined ? {} : { PATH: env.PATH }),
    },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).output();
  return success;
}

/** Runs `deno` with this process's terminal and signals. Returns its exit code. */
export async function launch(command: Command): Promise<number> {
  let child: Deno.ChildProcess | null = null;
  const isTerminal = [Deno.stdin, Deno.stdout, Deno.stderr].some((each) => each.isTerminal());
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(name, () => {
      // A terminal sends it to the whole group, and to Beat a second one means: at once.
      if (name === "SIGINT" && isTerminal) return;
      try {
        child?.kill(name);
      } catch {
        // It has just ended.
      }
    });
  }
  child = new Deno.Command(Deno.execPath(), { args: [...command], stdin: "inherit" }).spawn();
  return (await child.status).code;
}

async function main([target, ...args]: readonly string[]): Promise<number> {
  const host: Host = {
    env: Deno.env.toObject(),
    uid: Deno.uid(),
    osReleaseFile: "/etc/os-release",
    policyFile: "/usr/sbin/policy-rc.d",
    pythonDir: "/usr/lib/python3/dist-packages",
    say: (sentence) => console.error(`beat: ${sentence}`),
  };
  const prepare = target === "test" ? prepareTest : prepareBeat;
  return await launch(await prepare(args, host));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
