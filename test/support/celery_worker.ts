/** A real Celery worker for a test: the app of `env/celery_app.py`, ended by its pid, its runs on record. */

export interface CeleryWorkerOptions {
  /** Of the broker; the results go there too unless `backendUrl` says otherwise. */
  readonly brokerUrl: string;
  readonly backendUrl?: string;
  /** @default the five queues of the app */
  readonly queues?: readonly string[];
  /** `solo` has no pool processes and no time limits; SIGTERM interrupts its task. @default "prefork" */
  readonly pool?: "prefork" | "solo";
  /** @default 1 */
  readonly concurrency?: number;
  /** Send task events, as with `-E`. @default false */
  readonly hasEvents?: boolean;
  /** @default true */
  readonly acksLate?: boolean;
  /** Store STARTED. @default true */
  readonly tracksStarted?: boolean;
  /** @default 3600 */
  readonly visibilityTimeoutS?: number;
  /** Shared between workers where runs are counted over all of them. @default a file of its own */
  readonly recordFile?: string;
  /** First part of the node name. @default "test" */
  readonly name?: string;
}

/** One line of the record file: a task's body was about to run. */
export interface Run {
  readonly id: string;
  readonly name: string;
  /** Beat's headers; `null` for other messages and for retries. */
  readonly fire_id: string | null;
  readonly due: string | null;
  readonly entry: string | null;
  /** Unix seconds. */
  readonly received: number;
  readonly pid: number;
  readonly retries: number;
  readonly redelivered: boolean;
}

export interface CeleryWorker {
  /** Of the main process. */
  readonly pid: number;
  /** The node name, as in events and results: `test@host`. */
  readonly node: string;
  readonly recordFile: string;
  /** Runs so far, in the order they were recorded. */
  runs(): Promise<Run[]>;
  /**
   * Waits until the runs so far are as wanted.
   * @throws {Error} after `timeoutMs` (20 s), with the runs and the worker's log
   */
  waitFor(isEnough: (runs: readonly Run[]) => boolean, timeoutMs?: number): Promise<Run[]>;
  /** What it has printed so far. */
  log(): string;
  /** Resolves with the exit code when the process has ended, however that came. */
  readonly ended: Promise<number>;
  /** SIGTERM: finishes the running task, gives back the reserved ones. Safe to call twice. */
  stop(): Promise<void>;
  /** SIGKILL to it and to its pool processes; resolves when none holds its output open. Safe twice. */
  kill(): Promise<void>;
}

const APP_DIR = new URL("../../env/", import.meta.url);
const READY_MS = 60_000;
const STOP_MS = 20_000;

/** Starts a worker and waits until it says that it is ready. */
export async function startCelery(options: CeleryWorkerOptions): Promise<CeleryWorker> {
  const python = findPython();
  if (python === null) throw new Error("expected a python3 with celery and redis; install both");
  const ownRecord = options.recordFile === undefined ? await Deno.makeTempFile() : null;
  const recordFile = options.recordFile ?? ownRecord!;
  await Deno.writeFile(recordFile, new Uint8Array(), { append: true });
  const child = new Deno.Command(python, {
    args: argsOf(options),
    cwd: APP_DIR,
    env: envOf(options, recordFile),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = follow(child);
  let isEnded = false;
  let lastRuns: Run[] | null = null;
  const ended = child.status.then(async ({ code }) => {
    isEnded = true;
    await output.drained;
    return code;
  });
  const end = async (signal: () => Promise<void> | void) => {
    if (!isEnded) await signal();
    await ended;
    lastRuns ??= await readRuns(recordFile);
    if (ownRecord !== null) await Deno.remove(ownRecord).catch(() => {});
  };
  const killAll = async () => {
    for (const pid of [child.pid, ...await childrenOf(child.pid)]) signalTo(pid, "SIGKILL");
  };
  try {
    await within(READY_MS, "the worker to be ready", output, output.until(/ ready\.$/m), ended);
  } catch (error) {
    await end(killAll);
    throw error;
  }
  return {
    pid: child.pid,
    node: / (\S+@\S+) ready\.$/m.exec(output.text())?.[1] ?? "",
    recordFile,
    runs: async () => lastRuns ?? await readRuns(recordFile),
    waitFor: (isEnough, timeoutMs = 20_000) => waitForRuns(recordFile, isEnough, timeoutMs, output),
    log: output.text,
    ended,
    async stop() {
      const late = setTimeout(killAll, STOP_MS);
      await end(() => signalTo(child.pid, "SIGTERM"));
      clearTimeout(late);
    },
    kill: () => end(killAll),
  };
}

/** Whether a worker can be started here. */
export function hasCelery(): boolean {
  return findPython() !== null;
}

let python: string | null | undefined;

/** The first Python that has what a worker needs (distributions put it beside others), or `null`. */
export function findPython(): string | null {
  python ??= ["python3", "/usr/bin/python3"].find((program) => {
    const code = "import sys, importlib.util as u; sys.exit(not (u.find_spec('celery') and " +
      "u.find_spec('redis')))";
    try {
      return new Deno.Command(program, { args: ["-c", code], stderr: "null" }).outputSync().success;
    } catch {
      return false;
    }
  }) ?? null;
  return python;
}

function argsOf(options: CeleryWorkerOptions): string[] {
  const { queues, pool = "prefork", concurrency = 1, hasEvents = false, name = "test" } = options;
  return [
    ...["-m", "celery", "-A", "celery_app", "worker", "--loglevel=INFO", "-n", `${name}@%h`],
    ...[`--pool=${pool}`, `--concurrency=${concurrency}`],
    // Waiting for other workers' answers takes a second at the start, and there are none.
    ...["--without-gossip", "--without-mingle"],
    ...(hasEvents ? ["-E"] : []),
    ...(queues === undefined ? [] : ["-Q", queues.join(",")]),
  ];
}

function envOf(options: CeleryWorkerOptions, recordFile: string): Record<string, string> {
  const { brokerUrl, backendUrl = brokerUrl, acksLate = true, tracksStarted = true } = options;
  return {
    CELERY_BROKER_URL: brokerUrl,
    CELERY_RESULT_BACKEND: backendUrl,
    CELERY_TIMEZONE: "UTC",
    CELERY_VISIBILITY_TIMEOUT: String(options.visibilityTimeoutS ?? 3600),
    CELERY_TASK_TRACK_STARTED: tracksStarted ? "1" : "0",
    BEAT_TEST_ACKS_LATE: acksLate ? "1" : "0",
    BEAT_TEST_RECORD: recordFile,
    // Started by root it would only warn, and say so on every run.
    C_FORCE_ROOT: "1",
    PYTHONDONTWRITEBYTECODE: "1",
    PYTHONUNBUFFERED: "1",
  };
}

interface Output {
  text(): string;
  until(pattern: RegExp): Promise<void>;
  readonly drained: Promise<unknown>;
}

/** Reads both streams, so that the worker never waits for a full pipe. */
function follow(child: Deno.ChildProcess): Output {
  let text = "";
  const watchers = new Set<() => void>();
  const drain = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (const watcher of watchers) watcher();
    }
  };
  return {
    text: () => text,
    drained: Promise.all([drain(child.stdout), drain(child.stderr)]),
    until: (pattern) =>
      new Promise((resolve) => {
        const look = () => {
          if (!pattern.test(text)) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      }),
  };
}

async function within(
  timeoutMs: number,
  what: string,
  output: Output,
  event: Promise<unknown>,
  ended: Promise<number>,
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`got nothing in ${timeoutMs} ms`), timeoutMs);
  });
  const failure = await Promise.race([
    event.then(() => null),
    late,
    ended.then((code) => `got its end with code ${code}`),
  ]);
  clearTimeout(timer);
  if (failure !== null) throw new Error(`expected ${what}, ${failure}:\n${output.text()}`);
}

async function waitForRuns(
  recordFile: string,
  isEnough: (runs: readonly Run[]) => boolean,
  timeoutMs: number,
  output: Output,
): Promise<Run[]> {
  // Watched before it is read: a line written in between is seen.
  const watcher = Deno.watchFs(recordFile);
  let isOpen = true;
  const close = () => {
    if (isOpen) watcher.close();
    isOpen = false;
  };
  const timer = setTimeout(close, timeoutMs);
  try {
    let runs = await readRuns(recordFile);
    if (isEnough(runs)) return runs;
    for await (const _ of watcher) {
      runs = await readRuns(recordFile);
      if (isEnough(runs)) return runs;
    }
    throw new Error(
      `expected other runs within ${timeoutMs} ms, got ${JSON.stringify(runs)}\n${output.text()}`,
    );
  } finally {
    clearTimeout(timer);
    close();
  }
}

/** Each line is one write of a worker, so a whole line or none. */
async function readRuns(recordFile: string): Promise<Run[]> {
  const lines = (await Deno.readTextFile(recordFile)).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Run);
}

async function childrenOf(parent: number): Promise<number[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid="] }).output();
  return new TextDecoder().decode(stdout).trim().split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid, ppid]) => (ppid === parent && pid !== undefined ? [pid] : []));
}

/** A process that is gone already needs no signal. */
function signalTo(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
