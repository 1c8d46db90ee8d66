/** The table of the task machine against the machine, and what holds for every order of rows. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import { initialTransition, type SnapshotFrom, transition } from "xstate";
import { taskMachine } from "../../machines/task.ts";
import { IDLE, lifeOf, lifeStates, stepLife } from "../../src/core/life.ts";
import { DETAIL, type FireEventType } from "../../src/event.ts";
import { anOpenFire } from "../support/build.ts";

const TYPES = Object.keys(DETAIL).filter((type) => type.startsWith("fire.")) as FireEventType[];

/** Rows are at most this many in the exhaustive tests. */
const LENGTH_MAX = 6;

type Snapshot = SnapshotFrom<typeof taskMachine>;
const [start] = initialTransition(taskMachine);

describe("stepLife()", () => {
  it("takes each step as the machine does, in every order of three rows", () => {
    walkMachine(start, IDLE, 3);
  });

  it("takes each step as the machine does, in any order of six rows", () => {
    const orders = fc.array(fc.constantFrom(...TYPES), { minLength: 4, maxLength: LENGTH_MAX });
    fc.assert(fc.property(orders, (types) => {
      let snapshot = start;
      let state = IDLE;
      for (const type of types) [snapshot, state] = stepBoth(snapshot, state, type);
    }));
  });

  it("takes each step as the machine does, along rows that it accepts", () => {
    // Orders drawn blindly rarely get beyond `due`.
    const choices = fc.array(fc.nat(), { minLength: LENGTH_MAX, maxLength: LENGTH_MAX });
    fc.assert(fc.property(choices, (picks) => {
      let snapshot = start;
      let state = IDLE;
      for (const pick of picks) {
        const open = TYPES.filter((type) => snapshot.can({ type }));
        if (open.length === 0) return;
        [snapshot, state] = stepBoth(snapshot, state, open[pick % open.length]!);
      }
    }));
  });

  it("never goes back, and closes a fire one way only, in every order of six rows", () => {
    let orders = 0;
    walkTable(IDLE, LENGTH_MAX, (before, type, after) => {
      orders++;
      if (after === null) return;
      assert.ok(rank(after) >= rank(before), `${before} by ${type} went back to ${after}`);
      if (rank(before) === 3) {
        assert.equal(after.split(".")[0], before.split(".")[0], `${type} revived ${before}`);
      }
      const again = stepLife(after, type);
      assert.ok(again === null || again === after, `a second ${type} moved ${after} to ${again}`);
    });
    assert.equal(orders, [1, 2, 3, 4, 5, 6].reduce((sum, n) => sum + TYPES.length ** n, 0));
  });

  it("refuses every row in a state that it does not know", () => {
    for (const type of TYPES) assert.equal(stepLife("gone", type), null);
  });
});

describe("lifeOf()", () => {
  it("names a state of the machine for every open fire", () => {
    const known = new Set(lifeStates());
    for (const state of ["queued", "taken", "acked"] as const) {
      for (const isOverdue of [false, true]) {
        assert.ok(known.has(lifeOf(anOpenFire({ state, isOverdue }))));
      }
    }
  });

  it("tells the open states apart", () => {
    assert.equal(lifeOf(anOpenFire()), "published.queued");
    assert.equal(lifeOf(anOpenFire({ isOverdue: true })), "published.overdue");
    assert.equal(lifeOf(anOpenFire({ state: "taken", isOverdue: true })), "published.taken");
    assert.equal(lifeOf(anOpenFire({ state: "acked" })), "acked.unfinished");
  });
});

function stepBoth(snapshot: Snapshot, state: string, type: FireEventType): [Snapshot, string] {
  const [next] = transition(taskMachine, snapshot, { type });
  const stepped = stepLife(state, type);
  assert.equal(stepped !== null, snapshot.can({ type }), `${type} in ${state}`);
  const name = stepped ?? state;
  assert.equal(name, nameOf(next), `${type} in ${state}`);
  return [next, name];
}

function walkMachine(snapshot: Snapshot, state: string, depth: number): void {
  if (depth === 0) return;
  for (const type of TYPES) {
    const [next, name] = stepBoth(snapshot, state, type);
    walkMachine(next, name, depth - 1);
  }
}

function walkTable(
  state: string,
  depth: number,
  visit: (before: string, type: FireEventType, after: string | null) => void,
): void {
  if (depth === 0) return;
  for (const type of TYPES) {
    const after = stepLife(state, type);
    visit(state, type, after);
    walkTable(after ?? state, depth - 1, visit);
  }
}

/** The order that no row may turn round: idle, due, published, closed. */
function rank(state: string): number {
  const index = ["idle", "due", "published"].indexOf(state.split(".")[0]!);
  return index < 0 ? 3 : index;
}

function nameOf({ value }: Snapshot): string {
  if (typeof value === "string") return value;
  return Object.entries(value).map(([outer, inner]) => `${outer}.${inner}`).join();
}
