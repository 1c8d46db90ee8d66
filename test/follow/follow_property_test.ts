/** Whatever order the evidence comes in: rows that the machine allows, one end, and it comes. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";
import { IDLE, stepLife } from "../../src/core/life.ts";
import type { FireEventType, JournalRow } from "../../src/event.ts";
import { rowsOf } from "../support/build.ts";
import type { FollowRig } from "../support/follow_rig.ts";
import { followRig } from "../support/follow_rig.ts";

type Open = Awaited<ReturnType<FollowRig["publish"]>>;

/** What the world may do to a fire. Each is possible at any time, sensible or not. */
const WORLD: Readonly<Record<string, (rig: FollowRig, open: Open) => void | Promise<void>>> = {
  take: (rig, open) => rig.take(open),
  giveBack: (rig, open) => rig.giveBack(open),
  ack: (rig, open) => rig.ack(open),
  started: (rig, open) => rig.storeResult(open, "STARTED"),
  retry: (rig, open) => rig.storeResult(open, "RETRY"),
  success: (rig, open) => rig.storeResult(open, "SUCCESS"),
  failure: (rig, open) => rig.storeResult(open, "FAILURE"),
  expired: (rig, open) => rig.storeResult(open, "REVOKED", { revokedAs: "expired" }),
  revoked: (rig, open) => rig.storeResult(open, "REVOKED", { revokedAs: "revoked" }),
  /** An early ack, and time enough to notice it. */
  runEarly: async (rig, open) => {
    rig.take(open);
    rig.ack(open);
    await rig.watch(4_000);
  },
  pass1: (rig) => rig.watch(1_000),
  pass5: (rig) => rig.watch(5_000),
  pass100: (rig) => rig.watch(100_000),
  newLeader: (rig) => rig.changeLeader(),
  backendAway: (rig) => void (rig.faults.results = 1),
  backendBack: (rig) => void (rig.faults.results = 0),
};

const HEARD: typeof WORLD = {
  received: (rig, open) => rig.event(open, "received"),
  runs: (rig, open) => rig.event(open, "started"),
  succeeded: (rig, open) => rig.event(open, "succeeded"),
  failed: (rig, open) => rig.event(open, "failed"),
  retried: (rig, open) => rig.event(open, "retried"),
  rejected: (rig, open) => rig.event(open, "rejected"),
  dropped: (rig, open) => rig.event(open, "revoked", true),
  heard: (rig) => rig.beat(),
  lineUp: (rig) => rig.hint({ kind: "line", isUp: true }),
  glance: async (rig) => void await rig.glance(),
};

const HOW_MANY = 2;
const happening = (names: readonly string[]) =>
  fc.array(fc.tuple(fc.constantFrom(...names), fc.nat(HOW_MANY - 1)), { maxLength: 25 });

async function live(steps: readonly [string, number][], expiresMs: number | null) {
  const rig = followRig({ task: { expiresMs, giveUpMs: 600_000, takeByMs: 60_000 } });
  const opens: Open[] = [];
  for (let index = 0; index < HOW_MANY; index++) {
    opens.push(await rig.publish());
    rig.advance(1);
  }
  for (const [name, index] of steps) await (WORLD[name] ?? HEARD[name]!)(rig, opens[index]!);
  return { rig, opens };
}

/** The states that the rows lead through; fails on a row that the machine refuses. */
function fold(rows: readonly JournalRow[], dueMs: number): string {
  let state = stepLife(IDLE, "fire.due")!;
  for (const { type } of rows.filter((row) => row.dueMs === dueMs)) {
    const next = stepLife(state, type as FireEventType);
    assert.notEqual(next, null, `${type} is refused in ${state}`);
    state = next!;
  }
  return state;
}

const CLOSED = new Set(["acked.finished", "expired"]);
const expires = fc.constantFrom(null, 2_000, 30_000);

describe("follower() under any evidence", () => {
  it("writes rows that the machine allows, and closes each fire in the end", async () => {
    const steps = happening([...Object.keys(WORLD), ...Object.keys(HEARD)]);
    await fc.assert(
      fc.asyncProperty(steps, expires, async (steps, expiresMs) => {
        const { rig, opens } = await live(steps, expiresMs);
        for (const { dueMs } of opens) fold(await rowsOf(rig.journal), dueMs);
        rig.faults.results = 0;
        await rig.watch(660_000);
        rig.advance(25 * 3_600_000);
        await rig.watch(70_000);
        const rows = await rowsOf(rig.journal);
        for (const { dueMs } of opens) assert.ok(CLOSED.has(fold(rows, dueMs)), fold(rows, dueMs));
        assert.equal(rig.world.open.size, 0);
      }),
      { numRuns: 100 },
    );
  });

  it("never takes a message away that has not expired", async () => {
    const steps = happening(
      Object.keys(WORLD).filter((name) => name !== "take" && name !== "runEarly"),
    );
    await fc.assert(
      fc.asyncProperty(steps, async (steps) => {
        const { rig, opens } = await live(steps, null);
        for (const open of opens) assert.notEqual(rig.find(open), undefined);
      }),
      { numRuns: 60 },
    );
  });

  it("comes to the same ends with pub/sub as without", async () => {
    // A run as workers do it; what differs is whether anybody tells of it.
    const runs = fc.constantFrom("success", "failure", "expired", "revoked");
    const event = { success: "succeeded", failure: "failed", revoked: "rejected" } as const;
    await fc.assert(
      fc.asyncProperty(runs, fc.boolean(), fc.boolean(), async (end, isLate, isTracked) => {
        const outcomes = [];
        for (const isHeard of [true, false]) {
          const say = (name: string) => isHeard ? [[name, 0] as [string, number]] : [];
          const step = (name: string): [string, number][] => [[name, 0]];
          const told = end === "expired" ? "dropped" : event[end];
          const { rig, opens } = await live([
            ...step("take"),
            ...say("received"),
            ...(isLate ? [] : step("ack")),
            ...say("runs"),
            ...(isTracked ? step("started") : []),
            ...step("pass5"),
            ...step(end),
            ...say(told),
            ...(isLate ? step("ack") : []),
            ...step("pass100"),
          ], 30_000);
          const rows = await rowsOf(rig.journal);
          const last = rows.filter((row) => row.dueMs === opens[0]!.dueMs).at(-1)!;
          outcomes.push([last.type, last.detail["outcome"], last.detail["reason"]]);
        }
        assert.deepEqual(outcomes[0], outcomes[1]);
      }),
      { numRuns: 16 },
    );
  });
});
