/** Each planted bug, by the seed that is known to show it. `deno task sim mutants` looks for seeds. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { MUTANTS } from "./mutant_list.ts";
import { isKilledBy, readKillers } from "./mutants.ts";

const killers = readKillers();

describe("a planted bug", () => {
  it("has a seed that shows it", () => {
    assert.ok(MUTANTS.length >= 15);
    assert.deepEqual(MUTANTS.map(({ name }) => name).filter((name) => !(name in killers)), []);
  });

  it("is found by its seed", async () => {
    const waiting = MUTANTS.filter(({ name }) => name in killers);
    const missed: string[] = [];
    const work = async () => {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        if (!await isKilledBy(mutant, killers[mutant.name]!)) missed.push(mutant.name);
      }
    };
    await Promise.all([work(), work()]);
    assert.deepEqual(missed, []);
  });
});
