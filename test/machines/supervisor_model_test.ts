/** The supervisor by generated paths, played with real actors, and by what each state must ignore. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { type SnapshotFrom, transition } from "xstate";
import { getSimplePaths } from "xstate/graph";
import { supervisorMachine } from "../../machines/supervisor.ts";
import {
  BROKEN,
  FATAL,
  type Move,
  moveOf,
  MOVES,
  startSupervisor,
  stateName,
} from "../support/supervisor_host.ts";

/** What may happen in each state and where it leads, written by hand; all else is ignored. */
const LEADING = {
  "STOP": "draining",
  "LEASE_LOST": "standby",
  "FENCED": "standby",
  "FAILED": "draining",
};
const STEPS: Record<string, Record<string, string>> = {
  "standby": {
    "acquire done": "holding.recovering",
    "acquire fatal": "stopped",
    "STOP": "draining",
  },
  "holding.recovering": {
    "LEASE_LOST": "standby",
    "FAILED": "draining",
    "recover done": "holding.leading.waiting",
    "recover fenced": "standby",
    "recover passing": "standby",
    "recover refused": "standby",
    "recover fatal": "draining",
    "recover broken": "draining",
    "STOP": "draining",
  },
  "holding.leading.waiting": {
    ...LEADING,
    "untilDue done": "holding.leading.ticking",
    "RELOAD": "holding.leading.ticking",
  },
  "holding.leading.ticking": {
    ...LEADING,
    "tick done": "holding.leading.waiting",
    "tick fenced": "standby",
    "tick passing": "standby",
    "tick moved": "standby",
    "tick refused": "holding.leading.backingOff",
    "tick fatal": "draining",
    "tick broken": "draining",
  },
  "holding.leading.backingOff": { ...LEADING, "backOff done": "holding.leading.ticking" },
  "draining": { "drain done": "stopped" },
  "stopped": {},
};

/** Who runs in each state; nobody else does. */
const RUNNING: Record<string, readonly string[]> = {
  "standby": ["acquire"],
  "holding.recovering": ["holdLease", "recover"],
  "holding.leading.waiting": ["follow", "holdLease", "untilDue"],
  "holding.leading.ticking": ["follow", "holdLease", "tick"],
  "holding.leading.backingOff": ["backOff", "follow", "holdLease"],
  "draining": ["drain"],
  "stopped": [],
};

type Snapshot = SnapshotFrom<typeof supervisorMachine>;

const paths = getSimplePaths(supervisorMachine, {
  events: MOVES.map(({ event }) => event) as never,
  serializeState: (state) => stateName((state as Snapshot).value),
}).map(({ state, steps }) => ({
  state: stateName(state.value),
  snapshot: state as Snapshot,
  moves: steps.slice(1).map(({ event }) => (event as Move["event"]).move),
}));

describe("supervisorMachine", () => {
  it("is reached in every state by some path, and in no other", () => {
    const reached = new Set(paths.map(({ state }) => state));
    assert.deepEqual([...reached].sort(), Object.keys(STEPS).sort());
  });

  for (const state of Object.keys(STEPS)) {
    const who = RUNNING[state]!.join(", ") || "nobody";
    const here = paths.filter((path) => path.state === state);
    it(`runs just ${who} on all ${here.length} ways to ${state}`, async () => {
      for (const { moves } of here) await playAndWatch(moves);
    });
  }

  for (const [state, steps] of Object.entries(STEPS)) {
    it(`takes in ${state} just ${Object.keys(steps).join(", ") || "nothing"}`, () => {
      const snapshot = paths.find((path) => path.state === state)!.snapshot;
      for (const { name, event, ...move } of MOVES) {
        // XState lets nobody but a running actor say that it failed.
        if (move.kind === "error" && !RUNNING[state]!.includes(move.actor)) continue;
        const [after, actions] = transition(supervisorMachine, snapshot, event as never);
        assert.equal(stateName(after.value), steps[name] ?? state, `${name} in ${state}`);
        if (steps[name] !== undefined) continue;
        assert.deepEqual(after.context, snapshot.context, `${name} in ${state}`);
        assert.equal(actions.length, 0, `${name} in ${state}`);
      }
    });
  }

  it("ends in stopped after STOP, wherever it was", async () => {
    for (const { state, moves } of paths) {
      if (state === "stopped") continue;
      const host = await playAndWatch(moves);
      if (state !== "draining") await host.play("STOP");
      await host.play("drain done");
      assert.equal(host.state(), "stopped", moves.join(", "));
      assert.equal(host.actor.getSnapshot().status, "done");
      assert.equal(host.running.size, 0);
    }
  });

  it("says what ended it: the error that no waiting mends, or null", async () => {
    for (const { state, moves } of paths) {
      if (state !== "stopped") continue;
      const host = await playAndWatch(moves);
      const errors = moves.map((name) => endingError(moveOf(name))).filter((each) => each !== null);
      assert.ok(errors.length <= 1);
      assert.equal(host.actor.getSnapshot().output?.error, errors[0] ?? null, moves.join(", "));
    }
  });

  it("is the same each time the same happens", async () => {
    for (const { moves } of paths) {
      const [one, other] = [await playAndWatch(moves), await playAndWatch(moves)];
      assert.deepEqual(one.actor.getSnapshot().context, other.actor.getSnapshot().context);
      assert.equal(one.state(), other.state());
    }
  });

  it("keeps one lease and one follower for all of a term", async () => {
    const host = startSupervisor();
    await playAll(host, ["acquire done", "recover done"]);
    const lease = host.running.get("holdLease");
    const follower = host.running.get("follow");
    for (const name of ["untilDue done", "tick refused", "backOff done", "tick done", "RELOAD"]) {
      await host.play(name);
      assert.equal(host.running.get("holdLease"), lease);
      assert.equal(host.running.get("follow"), follower);
    }
    await playAll(host, ["LEASE_LOST", "acquire done", "recover done"]);
    assert.notEqual(host.running.get("holdLease"), lease);
  });

  it("does not hear the lease of a term that is over", async () => {
    const host = startSupervisor();
    await playAll(host, ["acquire done", "recover done"]);
    const old = host.running.get("holdLease")!;
    await playAll(host, ["FENCED", "acquire done", "recover done"]);
    old.sendBack({ type: "LEASE_LOST" });
    assert.equal(host.state(), "holding.leading.waiting");
  });

  it("does not hear a tick that was overtaken by the loss of its lease", async () => {
    const host = startSupervisor();
    await playAll(host, ["acquire done", "recover done", "untilDue done"]);
    const old = host.running.get("tick")!;
    await playAll(host, ["LEASE_LOST", "acquire done", "recover done"]);
    old.reject(FATAL);
    for (let turn = 0; turn < 8; turn++) await Promise.resolve();
    assert.equal(host.state(), "holding.leading.waiting");
    assert.equal(host.actor.getSnapshot().context.error, null);
  });

  it("begins a new term where the outcome of a tick is not known", async () => {
    for (const name of ["tick passing", "tick moved"]) {
      const host = startSupervisor();
      await playAll(host, ["acquire done", "recover done", "untilDue done"]);
      const [lease, follower] = ["holdLease", "follow"].map((each) => host.running.get(each));
      await host.play(name);
      assert.deepEqual(
        [...host.running.keys()],
        ["acquire"],
        "nobody works on under the old fence",
      );
      await playAll(host, ["acquire done", "recover done"]);
      assert.notEqual(host.running.get("holdLease"), lease);
      assert.notEqual(host.running.get("follow"), follower);
    }
  });

  it("tells the actors how often in a row they failed, and forgets it on success", async () => {
    const host = startSupervisor();
    const heard: number[] = [];
    const hear = (actor: string) => heard.push(host.running.get(actor)!.input.failures);
    await playAll(host, ["acquire done", "recover done", "untilDue done"]);
    for (let count = 0; count < 3; count++) {
      await host.play("tick refused");
      hear("backOff");
      await host.play("backOff done");
    }
    await playAll(host, ["tick done", "untilDue done", "tick refused"]);
    hear("backOff");
    assert.deepEqual(heard, [1, 2, 3, 1]);
  });

  it("has acquire wait longer each time that recovery fails, and not after a lost lease", async () => {
    const host = startSupervisor();
    const heard: number[] = [host.running.get("acquire")!.input.failures];
    for (const name of ["recover passing", "recover refused", "LEASE_LOST"]) {
      await playAll(host, ["acquire done", name]);
      heard.push(host.running.get("acquire")!.input.failures);
    }
    await playAll(host, ["acquire done", "recover done", "untilDue done", "tick refused"]);
    await host.play("LEASE_LOST");
    heard.push(host.running.get("acquire")!.input.failures);
    assert.deepEqual(heard, [0, 1, 2, 3, 0]);
  });

  it("has acquire wait longer for each term that ends at its first tick", async () => {
    const host = startSupervisor();
    const heard: number[] = [];
    const wayToTick = ["acquire done", "recover done", "untilDue done"];
    for (const last of ["tick passing", "tick moved", "tick passing"]) {
      await playAll(host, [...wayToTick, last]);
      heard.push(host.running.get("acquire")!.input.failures);
    }
    await playAll(host, [...wayToTick, "tick done", "untilDue done", "tick passing"]);
    heard.push(host.running.get("acquire")!.input.failures);
    assert.deepEqual(heard, [1, 2, 3, 1]);
  });

  it("gives each actor the fence of its term", async () => {
    const host = startSupervisor();
    assert.equal(host.running.get("acquire")!.input.fence, 0);
    await host.play("acquire done");
    assert.equal(host.running.get("recover")!.input.fence, 7);
    await playAll(host, ["recover done", "untilDue done"]);
    for (const { input } of host.running.values()) assert.equal(input.fence, 7);
    await host.play("STOP");
    assert.equal(host.running.get("drain")!.input.fence, 7);
  });
});

/** Plays a path and looks after each move at the state and at who runs. */
async function playAndWatch(moves: readonly string[]) {
  const host = startSupervisor();
  let expected = "standby";
  for (const name of moves) {
    const next = STEPS[expected]![name];
    assert.ok(next !== undefined, `${name} must be ignored in ${expected}`);
    await host.play(name);
    expected = next;
    assert.equal(host.state(), expected, `after ${name} of ${moves.join(", ")}`);
    assert.deepEqual([...host.running.keys()].sort(), RUNNING[expected], moves.join(", "));
  }
  return host;
}

async function playAll(
  host: ReturnType<typeof startSupervisor>,
  moves: readonly string[],
): Promise<void> {
  for (const name of moves) await host.play(name);
}

/** The error that a move ends the supervisor with, or `null`. */
function endingError(move: Move): unknown {
  if (move.kind === "error") return [FATAL, BROKEN].find((each) => each === move.error) ?? null;
  return move.kind === "sent" && move.sent.type === "FAILED" ? move.sent.error : null;
}
