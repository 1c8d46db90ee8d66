/** One run from beginning to end: scene, plan, oracle, table; the evidence stays where a bar broke. */

import { drive } from "./drive.ts";
import { judge, readRemains } from "./judge.ts";
import { QUEUES } from "./load.ts";
import type { ChaosOptions } from "./scene.ts";
import { openScene } from "./scene.ts";
import type { TableRow } from "./table.ts";
import { printTable, tableOf } from "./table.ts";

export interface ChaosResult {
  readonly rows: readonly TableRow[];
  /** Measures that broke their bars. */
  readonly broken: readonly string[];
  /** What was found, a line each. */
  readonly findings: readonly string[];
  /** Where the evidence is; `null` where it was not kept. */
  readonly dir: string | null;
}

const FINDINGS_SHOWN = 40;

export interface RunSwitches {
  /** Keep the evidence even where all is well. @default false */
  readonly isKeeping?: boolean;
  /** Ends what was started, and the run. */
  readonly signal?: AbortSignal;
}

/** @throws the signal's reason once it is aborted */
export async function runChaos(
  options: ChaosOptions,
  { isKeeping = false, signal }: RunSwitches = {},
): Promise<ChaosResult> {
  const { say } = options;
  say(
    `chaos: seed ${options.seed}, ${options.minutes} minutes, profile ${options.profile}, ` +
      `lease ${options.leaseS} s`,
  );
  const scene = await openScene(options);
  say(`evidence: ${scene.dir}`);
  let isClean = false;
  try {
    const endMs = await Promise.race([drive(scene), abortOf(signal)]);
    const runs = await scene.crew.runs();
    const { servers, entries, ledger, replicas } = scene;
    const remains = await readRemains(servers.admin, QUEUES, runs);
    const verdict = judge({ entries, ledger, remains, endMs });
    const slow = Number(await servers.admin.slowlog("LEN"));
    const rows = tableOf(scene, verdict, slow);
    const findings = [
      ...verdict.wrong.map(({ measure, what }) => `${measure}: ${what}`),
      ...replicas.crashes.map(({ name, code, text }) => `${name} ended with ${code}:\n${text}`),
      ...replicas.strayLines(),
    ];
    const told = [...replicas.errors()].map(([message, count]) => `${count} x ${message}`);
    const report = [
      printTable(rows),
      "",
      "Said by the replicas:",
      ...told,
      ...(findings.length > 0 ? ["", "Findings:", ...findings] : []),
      "",
    ].join("\n");
    await Deno.writeTextFile(`${scene.dir}/report.txt`, report);
    await writePublished(`${scene.dir}/published.tsv`, scene.ledger.published);
    say(report.split("\n").slice(0, rows.length + told.length + 4 + FINDINGS_SHOWN).join("\n"));
    const broken = rows.filter(({ isBroken }) => isBroken).map(({ measure }) => measure.trim());
    isClean = broken.length === 0 && !isKeeping;
    return { rows, broken, findings, dir: isClean ? null : scene.dir };
  } finally {
    await scene.close();
    if (isClean) await Deno.remove(scene.dir, { recursive: true });
    else say(`the evidence is kept: ${scene.dir}`);
  }
}

async function writePublished(
  path: string,
  published: ReadonlyMap<string, readonly object[]>,
): Promise<void> {
  const lines = [...published].flatMap(([fire, copies]) =>
    copies.map((copy) => `${fire}\t${JSON.stringify(copy)}`)
  );
  await Deno.writeTextFile(path, `${lines.join("\n")}\n`);
}

/** Never resolves. @throws the signal's reason once it is aborted */
function abortOf(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
