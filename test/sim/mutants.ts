/**
 * Whether the simulation would find a bug: plants known ones in a copy of the sources, and looks for a
 * seed that shows each. The seeds that did are kept, so that looking again is quick.
 */

import type { Mutant } from "./mutant.ts";
import { MUTANTS } from "./mutant_list.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const KILLERS = new URL("./mutant_seeds.json", import.meta.url);

/** What is copied: the program, the simulation, and what they are run with. It may import nothing else. */
export const COPIED = ["src", "machines", "test/sim", "deno.json", "deno.lock"];

/** Plans of a hunt: short, as a planted bug mostly shows soon. */
const PLAN_ARGS = ["--minutes", "10", "--tasks", "40", "--jobs", "1", "--no-shrink", "--first"];

export interface Killer {
  readonly seed: number;
  readonly invariant: string;
  /** A file of `regressions`, whose plan shows the bug: no other draw moves that. */
  readonly plan?: string;
}

export type Killers = Readonly<Record<string, Killer>>;

export function readKillers(): Killers {
  try {
    return JSON.parse(Deno.readTextFileSync(KILLERS));
  } catch {
    return {};
  }
}

/** A copy of the project with a bug in it. @throws {Error} where a patch does not fit exactly once */
export async function plant({ name, patches }: Mutant): Promise<string> {
  const root = await Deno.makeTempDir({ prefix: "beat-mutant-" });
  for (const path of COPIED) await copy(`${ROOT}${path}`, `${root}/${path}`);
  for (const { file, find, replace } of patches) {
    const text = await Deno.readTextFile(`${root}/${file}`);
    const parts = text.split(find);
    if (parts.length !== 2) {
      await Deno.remove(root, { recursive: true });
      throw new Error(
        `expected the patch of "${name}" to fit once in ${file}, got ${parts.length - 1} times: ` +
          "adapt it to the sources",
      );
    }
    await Deno.writeTextFile(`${root}/${file}`, parts.join(replace));
  }
  return root;
}

/** The first seed of a range that shows the bug; `null` for none. */
async function hunt(
  mutant: Mutant,
  { from, seeds }: { readonly from: number; readonly seeds: number },
): Promise<Killer | null> {
  const text = await runPlanted(mutant, [
    ...["--from", String(from), "--seeds", String(seeds), ...PLAN_ARGS],
  ]);
  const found = /^seed (\d+): (\w+) at/m.exec(text);
  if (found !== null) return { seed: Number(found[1]), invariant: found[2]! };
  if (text.startsWith("seeds ")) return null;
  throw new Error(`"${mutant.name}" did not run: ${text}`);
}

/** Whether what is known to show the bug still does. */
export async function isKilledBy(mutant: Mutant, { seed, plan }: Killer): Promise<boolean> {
  if (plan === undefined) return await hunt(mutant, { from: seed, seeds: 1 }) !== null;
  const text = await runPlanted(mutant, ["replay", `test/sim/regressions/${plan}`]);
  return /^I\d+ at /m.test(text);
}

/** What the simulation prints in a copy with the bug in it. */
async function runPlanted(mutant: Mutant, args: readonly string[]): Promise<string> {
  const root = await plant(mutant);
  try {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "--no-check", "-A", `${root}/test/sim/main.ts`, ...args],
      cwd: root,
    }).output();
    const decoder = new TextDecoder();
    return decoder.decode(stdout) || decoder.decode(stderr);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

export interface MutantsOptions {
  readonly seeds: number;
  /** Only those whose names hold this. */
  readonly only: string;
  /** Only those that no seed is known for. */
  readonly missing?: boolean;
}

/** @returns an exit code: 3 where a bug was not found */
export async function runMutants({ seeds, only, missing }: MutantsOptions): Promise<number> {
  const killers: Record<string, Killer> = { ...readKillers() };
  let missed = 0;
  const isWanted = ({ name }: Mutant) =>
    name.includes(only) && !(missing === true && name in killers);
  for (const mutant of MUTANTS.filter(isWanted)) {
    const startMs = performance.now();
    const killer = await hunt(mutant, { from: 1, seeds });
    const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
    if (killer === null) missed++;
    else {
      killers[mutant.name] = killer;
      Deno.writeTextFileSync(KILLERS, `${JSON.stringify(killers, null, 2)}\n`);
    }
    const how = killer === null ? "NOT FOUND" : `seed ${killer.seed}, ${killer.invariant}`;
    console.log(`${mutant.name.padEnd(50)} ${how} (${seconds} s)`);
  }
  return missed > 0 ? 3 : 0;
}

async function copy(from: string, to: string): Promise<void> {
  const { isDirectory } = await Deno.stat(from);
  if (!isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) await copy(`${from}/${name}`, `${to}/${name}`);
}
