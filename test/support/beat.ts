/** Beat as a process, for tests of what a user sees. */

export interface BeatOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Where it runs; env files and `beat.yaml` are looked for there. @default the project */
  readonly cwd?: string;
}

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
const PROJECT = new URL("../../deno.json", import.meta.url).pathname;

/** As narrow as looking needs; the doctor tries the archive. */
const PERMISSIONS = [
  ...["--no-prompt", "--allow-env", "--allow-read", "--allow-net", "--allow-sys=hostname"],
  "--allow-write=.beat",
];

/** Program and arguments of a Beat. */
export function beatCommand(args: readonly string[]): { command: string; args: string[] } {
  return {
    command: Deno.execPath(),
    args: ["run", "--config", PROJECT, ...PERMISSIONS, MAIN, ...args],
  };
}

/** Starts Beat with an environment of its own. The caller ends it. */
export function spawnBeat(args: readonly string[], options: BeatOptions = {}): Deno.ChildProcess {
  const env: Record<string, string> = { ...inherited(), ...options.env };
  const { command, args: all } = beatCommand(args);
  return new Deno.Command(command, {
    args: all,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env,
    clearEnv: true,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs Beat to its end. */
export async function beat(
  args: readonly string[],
  options: BeatOptions = {},
): Promise<{ code: number; out: string; err: string }> {
  const child = spawnBeat(args, options);
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const [out, err, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.status,
  ]);
  return { code: status.code, out, err };
}

/** What Deno itself needs to find its cache; nothing that Beat reads. */
function inherited(): Record<string, string> {
  const names = ["HOME", "PATH", "DENO_DIR", "XDG_CACHE_HOME", "SSL_CERT_FILE", "DENO_CERT"];
  const found = names.map((name) => [name, Deno.env.get(name)] as const);
  return Object.fromEntries(
    found.filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}
