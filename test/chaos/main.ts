/**
 * `deno task chaos --minutes M [--seed S] [--profile fast|herd] [--lease S] [--keep]`: real processes,
 * faults from a seed, and an oracle. Ends with 3 where a bar is broken. Linux only: it reads /proc.
 */

import { parseArgs } from "node:util";
import type { Profile } from "./load.ts";
import { runChaos } from "./run.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string" },
    profile: { type: "string", default: "fast" },
    lease: { type: "string", default: "5" },
    keep: { type: "boolean", default: false },
  },
});

const { minutes, lease, profile } = values;
const seed = Number(values.seed ?? Date.now() % 1_000_000);
if (!(Number(minutes) > 0 && Number(lease) >= 1 && Number.isSafeInteger(seed))) {
  throw new Error("expected --minutes above 0, --lease of at least 1 and a whole number as --seed");
}
if (profile !== "fast" && profile !== "herd") {
  throw new Error(`expected --profile to be fast or herd, got ${profile}`);
}
const stopping = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(name, () => stopping.abort(new Error(`ended by ${name}`)));
}
try {
  const { broken } = await runChaos({
    ...{ minutes: Number(minutes), seed, leaseS: Number(lease), profile: profile as Profile },
    say: (line) => console.log(line),
  }, { isKeeping: values.keep, signal: stopping.signal });
  if (broken.length > 0) console.log(`broken: ${broken.join("; ")}\nseed ${seed}`);
  Deno.exit(broken.length > 0 ? 3 : 0);
} catch (error) {
  if (!stopping.signal.aborted) throw error;
  Deno.exit(130);
}
