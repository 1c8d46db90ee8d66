/** A Beat that runs, for tests: its log as it comes, ended by its pid. */

export interface RunOptions {
  /** @default ["run"] */
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where env files and `env/beat.yaml` are looked for. */
  readonly cwd: string;
}

/** A line of the log, as pino writes it. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly ts: string;
  readonly [field: string]: unknown;
}

export interface RunningBeat {
  readonly pid: number;
  /** What it has said so far, as it stands there. */
  text(): string;
  /** The same without what goes well. */
  worthTelling(): string;
  /** The lines of {@link RunningBeat.text} that are JSON. */
  log(): LogLine[];
  /**
   * Resolves with the first line, said already or to come, that has the message and matches.
   * @throws {Error} after `timeoutMs` (30 s), or when it ends before; with all that it said
   */
  says(msg: string, pattern?: RegExp, timeoutMs?: number): Promise<LogLine>;
  signal(name: Deno.Signal): void;
  /** Resolves with the exit code, or 128 and the number of the signal that ended it. */
  readonly ended: Promise<number>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number>;
  /** SIGKILL. Safe when it has ended. */
  kill(): Promise<void>;
}

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
const PROJECT = new URL("../../deno.json", import.meta.url).pathname;
const SAYS_MS = 30_000;

/** Starts it with Beat's own permissions and an environment of its own. Somebody has to end it. */
export function runBeat({ args = ["run"], env, cwd }: RunOptions): RunningBeat {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-prompt", "--config", PROJECT, "-P=beat", MAIN, ...args],
    cwd,
    env: { ...inherited(), ...env },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  return follow(child);
}

/** What Deno itself needs to find its cache; nothing that Beat reads. */
export function inherited(): Record<string, string> {
  const names = ["HOME", "PATH", "DENO_DIR", "XDG_CACHE_HOME", "SSL_CERT_FILE", "DENO_CERT"];
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

/** Reads the error output of a process; the other one is left alone. */
export function follow(child: Deno.ChildProcess): RunningBeat {
  let text = "";
  let isEnded = false;
  const watchers = new Set<() => void>();
  const drained = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (const watcher of watchers) watcher();
    }
  })();
  const ended = child.status.then(async ({ code }) => {
    await drained;
    isEnded = true;
    for (const watcher of watchers) watcher();
    return code;
  });
  const log = () => text.split("\n").flatMap(parseLine);
  const worthTelling = () =>
    text.split("\n").filter((line) => !/"msg":"(published|task o\w+)"/.test(line)).join("\n");
  const signal = (name: Deno.Signal) => {
    if (!isEnded) child.kill(name);
  };
  return {
    pid: child.pid,
    text: () => text,
    worthTelling,
    log,
    says: (msg, pattern = /^/, timeoutMs = SAYS_MS) =>
      new Promise((resolve, reject) => {
        const refuse = (why: string) =>
          done(() =>
            reject(new Error(`expected "${msg}" (${pattern}), got ${why}:\n${worthTelling()}`))
          );
        const late = setTimeout(() => refuse(`nothing in ${timeoutMs} ms`), timeoutMs);
        const done = (settle: () => void) => {
          clearTimeout(late);
          watchers.delete(look);
          settle();
        };
        const look = () => {
          const line = log().find((each) => each.msg === msg && pattern.test(JSON.stringify(each)));
          if (line !== undefined) done(() => resolve(line));
          else if (isEnded) refuse("its end");
        };
        watchers.add(look);
        look();
      }),
    signal,
    ended,
    async stop() {
      signal("SIGTERM");
      return await ended;
    },
    async kill() {
      signal("SIGKILL");
      await ended;
    },
  };
}

function parseLine(line: string): LogLine[] {
  try {
    return [JSON.parse(line) as LogLine];
  } catch {
    return [];
  }
}
