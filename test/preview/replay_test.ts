import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { cleanJournal, drawsOf } from "../support/clean_journal.ts";
import { rowsIn } from "../support/planted.ts";
import { POLICED } from "../support/policed_shop.ts";
import { replayed } from "../support/replayed.ts";

const SEED = Number(Deno.env.get("REPLAY_SEED") ?? 1);
const JOURNALS = Number(Deno.env.get("REPLAY_JOURNALS") ?? 12);

describe("a replay of what the core has written", () => {
  it("decides nothing otherwise, of tasks without policies", async () => {
    for (let each = 0; each < JOURNALS; each++) {
      const { differences } = replayed(rowsIn(await cleanJournal(drawsOf(SEED + each))));
      assert.deepEqual(differences, [], `seed ${SEED + each}`);
    }
  });

  it("decides nothing otherwise, whatever the policies", async () => {
    const types = new Map<string, number>();
    for (let each = 0; each < JOURNALS; each++) {
      const seed = SEED + each;
      const rows = rowsIn(await cleanJournal(drawsOf(seed), POLICED));
      for (const { type, detail } of rows) {
        const key = `${type} ${detail.by ?? ""}`;
        types.set(key, (types.get(key) ?? 0) + 1);
      }
      const { differences } = replayed(rows);
      assert.deepEqual(differences.slice(0, 3), [], `seed ${seed}`);
    }
    if (Deno.env.get("TELL")) console.log(types);
  });
});
