/** The objective's machine by generated paths, and by everything that each state must ignore. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { initialTransition, type SnapshotFrom, transition } from "xstate";
import { getSimplePaths } from "xstate/graph";
import type { SloEvent } from "../../machines/slo.ts";
import { sloMachine } from "../../machines/slo.ts";

type Type = SloEvent["type"];

const TYPES: readonly Type[] = ["CALM", "BURNING", "BLAZING", "HELD"];

/** What may follow what, written by hand: all else is ignored. */
const ALLOWED: Record<string, Partial<Record<Type, string>>> = {
  "normal": { BURNING: "slowed.fresh", BLAZING: "paused.fresh" },
  "slowed.fresh": { HELD: "slowed.settled", BLAZING: "paused.fresh" },
  "slowed.settled": { CALM: "normal", BLAZING: "paused.fresh" },
  "paused.fresh": { HELD: "paused.settled" },
  "paused.settled": { CALM: "slowed.fresh", BURNING: "slowed.fresh" },
};

const paths = getSimplePaths(sloMachine, { events: TYPES.map((type) => ({ type })) });

describe("sloMachine", () => {
  it("is reached in every state by some path, and in no other", () => {
    const reached = new Set(paths.map(({ state }) => nameOf(state)));
    assert.deepEqual([...reached].sort(), Object.keys(ALLOWED).sort());
    assert.equal(paths.length, 13);
  });

  for (const path of paths) {
    const types = path.steps.slice(1).map(({ event }) => event.type);
    it(`reaches ${nameOf(path.state)} by ${types.join(", ") || "nothing"}`, () => {
      let expected = "normal";
      for (const type of types) expected = ALLOWED[expected]?.[type] ?? expected;
      assert.equal(nameOf(path.state), expected);
      const [start] = initialTransition(sloMachine);
      const end = types.reduce<Snapshot>(
        (at, type) => transition(sloMachine, at, { type })[0],
        start,
      );
      assert.equal(nameOf(end), expected);
    });
  }

  for (const [state, allowed] of Object.entries(ALLOWED)) {
    it(`takes in ${state} just ${Object.keys(allowed).join(", ")}`, () => {
      const { state: snapshot } = paths.find((path) => nameOf(path.state) === state)!;
      for (const type of TYPES) {
        const [after] = transition(sloMachine, snapshot, { type });
        assert.equal(nameOf(after), allowed[type] ?? state, `${type} in ${state}`);
      }
    });
  }

  it("falls only after it was held, and a step at a time", () => {
    const rank = (state: string) => ["normal", "slowed", "paused"].indexOf(state.split(".")[0]!);
    for (const [state, allowed] of Object.entries(ALLOWED)) {
      for (const next of Object.values(allowed)) {
        if (rank(next) >= rank(state)) continue;
        assert.ok(state.endsWith(".settled"), `${state} falls to ${next}`);
        assert.equal(rank(state) - rank(next), 1);
      }
    }
  });

  it("waits for nothing and calls nobody", () => {
    for (const { state } of paths) {
      assert.deepEqual(state.children, {});
      assert.deepEqual(state.context, {});
    }
  });
});

type Snapshot = SnapshotFrom<typeof sloMachine>;

function nameOf({ value }: Pick<Snapshot, "value">): string {
  if (typeof value === "string") return value;
  return Object.entries(value).map(([outer, inner]) => `${outer}.${inner}`).join();
}
