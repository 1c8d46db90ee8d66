import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { cleanJournal, drawsOf } from "../support/clean_journal.ts";
import { rowsIn } from "../support/planted.ts";
import { POLICED } from "../support/policed_shop.ts";
import { planOf } from "../sim/plan.ts";
import { runSafely } from "../sim/replay.ts";
import { inTask } from "../sim/timeline.ts";
import { replayed } from "../support/replayed.ts";

const SEED = Number(Deno.env.get("REPLAY_SEED") ?? 1);
const SIMULATIONS = Number(Deno.env.get("REPLAY_SIMULATIONS") ?? 3);
const JOURNALS = Number(Deno.env.get("REPLAY_JOURNALS") ?? 12);

describe("a replay of what the core has written", () => {
  it("decides nothing otherwise, of tasks without policies", async () => {
    for (let each = 0; each < JOURNALS; each++) {
      const { differences } = replayed(rowsIn(await cleanJournal(drawsOf(SEED + each))));
      assert.deepEqual(differences, [], `seed ${SEED + each}`);
    }
  });

  it("decides nothing otherwise, whatever a simulated world does to its leaders", async () => {
    for (let seed = SEED; seed < SEED + SIMULATIONS; seed++) {
      const { rows } = await inTask(() =>
        runSafely(planOf(seed, { durationMs: 600_000, tasks: 50 }))
      );
      const { differences, byTask } = replayed(rows());
      assert.deepEqual(differences.slice(0, 3), [], `seed ${seed}`);
      assert.ok([...byTask.values()].every(({ unreadable }) => unreadable === 0), `seed ${seed}`);
    }
  });

  it("decides nothing otherwise, whatever the policies", async () => {
    for (let each = 0; each < JOURNALS; each++) {
      const seed = SEED + each;
      const rows = rowsIn(await cleanJournal(drawsOf(seed), POLICED));
      const { differences } = replayed(rows);
      assert.deepEqual(differences.slice(0, 3), [], `seed ${seed}`);
    }
  });
});
