/** Beat as a process with the permissions of DuckDB. */

const PROJECT = new URL("../../deno.json", import.meta.url).pathname;
const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;

/**
 * @param cwd where it may write below `.beat`; paths of a permission set are seen from deno.json
 * @param preload a script to run before it
 */
export async function sqlBeat(
  args: readonly string[],
  { cwd, env, preload }: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
    readonly preload?: string;
  },
): Promise<{ success: boolean; out: string; err: string }> {
  const permissions = ["--no-prompt", "-P=sql", "--allow-write=.beat"];
  const first = preload === undefined ? [] : ["--preload", preload];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--config", PROJECT, ...permissions, ...first, MAIN, ...args],
    cwd,
    env: { ...env },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { success, out: out!, err: err! };
}
