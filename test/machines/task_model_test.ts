/** The task machine by generated paths, and by everything that each state must refuse. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { initialTransition, type SnapshotFrom, transition } from "xstate";
import { getSimplePaths } from "xstate/graph";
import { taskMachine } from "../../machines/task.ts";
import { DETAIL, type FireEventType } from "../../src/event.ts";

const TYPES = Object.keys(DETAIL).filter((type) => type.startsWith("fire.")) as FireEventType[];

/** What may follow what, written by hand: whatever is not here is refused. */
const ALLOWED: Record<string, Partial<Record<FireEventType, string>>> = {
  "idle": { "fire.due": "due" },
  "due": {
    "fire.delayed": "due",
    "fire.skipped": "skipped",
    "fire.published": "published.queued",
  },
  "skipped": {},
  "published.queued": {
    "fire.taken": "published.taken",
    "fire.overdue": "published.overdue",
    "fire.redelivered": "published.queued",
    "fire.acked": "acked.unfinished",
    "fire.expired": "expired",
  },
  // Overdue is an alarm, not an end: it can still be taken.
  "published.overdue": {
    "fire.taken": "published.taken",
    "fire.redelivered": "published.queued",
    "fire.acked": "acked.unfinished",
    "fire.expired": "expired",
  },
  "published.taken": {
    "fire.redelivered": "published.queued",
    "fire.acked": "acked.unfinished",
    "fire.expired": "expired",
  },
  "acked.unfinished": { "fire.finished": "acked.finished" },
  // Evidence for a closed fire is recorded, and changes nothing.
  "acked.finished": { "fire.late_ack": "acked.finished" },
  "expired": { "fire.late_ack": "expired" },
};

/** Every way to every state that passes none twice. */
const paths = getSimplePaths(taskMachine, { events: TYPES.map((type) => ({ type })) });

describe("taskMachine", () => {
  it("is reached in every state by some path, and in no other", () => {
    const reached = new Set(paths.map(({ state }) => nameOf(state)));
    assert.deepEqual([...reached].sort(), Object.keys(ALLOWED).sort());
    assert.equal(paths.length, 19);
  });

  for (const path of paths) {
    const events = typesOf(path);
    it(`reaches ${nameOf(path.state)} by ${events.join(", ") || "nothing"}`, () => {
      let expected = "idle";
      for (const type of events) {
        const next = ALLOWED[expected]?.[type];
        assert.ok(next !== undefined, `${type} must be refused in ${expected}`);
        expected = next;
      }
      assert.equal(nameOf(fold(events)), expected);
      assert.equal(nameOf(path.state), expected);
    });
  }

  for (const [state, allowed] of Object.entries(ALLOWED)) {
    const refused = TYPES.filter((type) => allowed[type] === undefined);
    it(`takes in ${state} just ${Object.keys(allowed).join(", ") || "nothing"}`, () => {
      const snapshot = snapshotOf(state);
      for (const type of TYPES) {
        const next = allowed[type];
        assert.equal(snapshot.can({ type }), next !== undefined, `${type} in ${state}`);
        const [after] = transition(taskMachine, snapshot, { type });
        assert.equal(nameOf(after), next ?? state, `${type} in ${state}`);
      }
      assert.equal(refused.length + Object.keys(allowed).length, TYPES.length);
    });
  }

  it("waits for nothing and calls nobody", () => {
    for (const { state } of paths) {
      assert.deepEqual(state.children, {});
      assert.deepEqual(state.context, {});
    }
  });

  it("passes over types that a newer build writes", () => {
    const published = snapshotOf("published.queued");
    const [after] = transition(taskMachine, published, { type: "fire.teleported" } as never);
    assert.equal(nameOf(after), "published.queued");
  });
});

type Snapshot = SnapshotFrom<typeof taskMachine>;

function typesOf(path: (typeof paths)[number]): FireEventType[] {
  return path.steps.slice(1).map(({ event }) => event.type);
}

function fold(types: readonly FireEventType[]): Snapshot {
  const [start] = initialTransition(taskMachine);
  return types.reduce<Snapshot>((at, type) => transition(taskMachine, at, { type })[0], start);
}

function snapshotOf(state: string): Snapshot {
  const path = paths.find((each) => nameOf(each.state) === state);
  assert.ok(path !== undefined, `no path reaches ${state}`);
  return fold(typesOf(path));
}

function nameOf({ value }: Pick<Snapshot, "value">): string {
  if (typeof value === "string") return value;
  return Object.entries(value).map(([outer, inner]) => `${outer}.${inner}`).join();
}
