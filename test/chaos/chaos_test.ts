/**
 * Two minutes of chaos, with CHAOS=1 only: a run of seed 20 on a busy machine told two fires that were
 * published once and ran twice, and why is not proved yet. The figures of time are printed; a busy
 * machine may not break the test by them.
 */

import assert from "node:assert/strict";
import * as bdd from "@std/testing/bdd";
import { needs } from "../support/needs.ts";
import { runChaos } from "./run.ts";

const SEED = 20;
const isWanted = Deno.env.get("CHAOS") !== undefined;
const { describe: describeNeeding, it } = needs("redis", "celery");
const describe = isWanted
  ? describeNeeding
  : (name: string, fn: () => void) => bdd.describe.ignore(`${name} (skipped: set CHAOS=1)`, fn);

describe("three replicas, killed, paused and cut off for two minutes", () => {
  it("lose nothing, double nothing and let no old leader write", async () => {
    const seed = Number(Deno.env.get("CHAOS_SEED") ?? SEED);
    const { rows, findings, dir } = await runChaos({
      ...{ minutes: 2, seed, profile: "fast", leaseS: 2 },
      say: (line) => console.log(line),
    });
    const broken = rows.filter(({ isBroken, isTiming }) => isBroken && !isTiming);
    const names = broken.map(({ measure }) => measure);
    assert.deepEqual(names, [], `seed ${seed}, evidence in ${dir}\n${findings.join("\n")}`);
  });
});
