/** The pressure machine by generated paths, and by everything that each state must ignore. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { initialTransition, type SnapshotFrom, transition } from "xstate";
import { getSimplePaths } from "xstate/graph";
import type { PressureEvent } from "../../machines/pressure.ts";
import { pressureMachine } from "../../machines/pressure.ts";

type Type = PressureEvent["type"];

const TYPES: readonly Type[] = ["LOW", "BETWEEN", "HIGH", "OVER", "DWELT"];

/** What may follow what, written by hand: all else is ignored. */
const ALLOWED: Record<string, Partial<Record<Type, string>>> = {
  "normal.settled": { HIGH: "slowed.fresh", OVER: "paused.fresh" },
  "normal.fresh": { DWELT: "normal.settled" },
  "slowed.fresh": { DWELT: "slowed.settled" },
  "slowed.settled": { LOW: "normal.fresh", OVER: "paused.fresh" },
  "paused.fresh": { DWELT: "paused.settled" },
  "paused.settled": { LOW: "slowed.fresh", BETWEEN: "slowed.fresh" },
};

const paths = getSimplePaths(pressureMachine, { events: TYPES.map((type) => ({ type })) });

describe("pressureMachine", () => {
  it("is reached in every state by some path, and in no other", () => {
    const reached = new Set(paths.map(({ state }) => nameOf(state)));
    assert.deepEqual([...reached].sort(), Object.keys(ALLOWED).sort());
    assert.equal(paths.length, 14);
  });

  for (const path of paths) {
    const types = path.steps.slice(1).map(({ event }) => event.type);
    it(`reaches ${nameOf(path.state)} by ${types.join(", ") || "nothing"}`, () => {
      let expected = "normal.settled";
      for (const type of types) expected = ALLOWED[expected]?.[type] ?? expected;
      assert.equal(nameOf(path.state), expected);
      assert.equal(nameOf(fold(types)), expected);
    });

    it(`moves at most once between two dwells on ${types.join(", ") || "no events"}`, () => {
      let [levels, moved] = ["normal", 0];
      let at = fold([]);
      for (const type of types) {
        if (type === "DWELT") moved = 0;
        [at] = transition(pressureMachine, at, { type });
        const level = nameOf(at).split(".")[0]!;
        if (level !== levels) moved++;
        levels = level;
        assert.ok(moved <= 1, types.join(", "));
      }
    });
  }

  for (const [state, allowed] of Object.entries(ALLOWED)) {
    it(`takes in ${state} just ${Object.keys(allowed).join(", ")}`, () => {
      const { state: snapshot } = paths.find((path) => nameOf(path.state) === state)!;
      for (const type of TYPES) {
        const [after] = transition(pressureMachine, snapshot, { type });
        assert.equal(nameOf(after), allowed[type] ?? state, `${type} in ${state}`);
      }
    });
  }

  it("waits for nothing and calls nobody", () => {
    for (const { state } of paths) {
      assert.deepEqual(state.children, {});
      assert.deepEqual(state.context, {});
    }
  });
});

type Snapshot = SnapshotFrom<typeof pressureMachine>;

function fold(types: readonly Type[]): Snapshot {
  const [start] = initialTransition(pressureMachine);
  return types.reduce<Snapshot>((at, type) => transition(pressureMachine, at, { type })[0], start);
}

function nameOf({ value }: Pick<Snapshot, "value">): string {
  return Object.entries(value).map(([outer, inner]) => `${outer}.${inner}`).join();
}
