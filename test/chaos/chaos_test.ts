/**
 * Two minutes of chaos. What must be zero on any machine is asserted; times, and how many faults there
 * was room for, are printed: a busy machine must not break the test by them.
 */

import assert from "node:assert/strict";
import { needs } from "../support/needs.ts";
import { runChaos } from "./run.ts";

/** Its file of Redis is torn, and Redis is killed again right after. */
const SEED = 20;

const { describe, it } = needs("redis", "celery");

describe("three replicas, killed, paused and cut off for 2 minutes", () => {
  it("lose nothing, double nothing, let no old leader write", async () => {
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
