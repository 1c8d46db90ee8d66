/**
 * `deno task bench [--seconds 30] [limit|sustained|lateness|herd|backlog|acks|audit …]`: the figures of the README, on this
 * machine. Compare figures of one run: machines differ and are noisy.
 */

import { parseArgs } from "node:util";
import { audit } from "./audit_scenario.ts";
import { acks, backlog, herd, lateness, limit, sustained } from "./scenarios.ts";

const SCENARIOS = {
  limit: ["Publish path at its limit, no worker", limit],
  sustained: ["20,000 tasks each second, no worker", sustained],
  lateness: ["1,000 tasks each second, no worker", lateness],
  herd: ["10,000 tasks in one second, no worker", herd],
  backlog: ["10,000 tasks each ten seconds, an hour in the dark", backlog],
  acks: ["Publishing with acks", acks],
  audit: ["Audit of 1,000,000 rows", audit],
} as const;

const { values, positionals } = parseArgs({
  args: Deno.args,
  options: { seconds: { type: "string", default: "30" } },
  allowPositionals: true,
});
const seconds = Number(values.seconds);
const unknown = positionals.filter((name) => !(name in SCENARIOS));
if (!(seconds > 0) || unknown.length > 0) {
  console.error(`usage: bench [--seconds 30] [${Object.keys(SCENARIOS).join("|")} …]`);
  Deno.exit(2);
}
for (const [name, [title, measure]] of Object.entries(SCENARIOS)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  console.log(`\n${title}`);
  for (const [figure, value] of Object.entries(await measure(seconds))) {
    console.log(`  ${figure.padEnd(66)}${value}`);
  }
}
