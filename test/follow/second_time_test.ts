/** What is right the first time must be so the second time: the next delivery, run, process, leader, reply. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { FollowRig, RigOptions } from "../support/follow_rig.ts";
import { followRig, WORKER } from "../support/follow_rig.ts";

const SECOND = 1_000;

/** Messages of others, more than a sample reads. */
const OTHERS = Array.from({ length: 150 }, () => "somebody else's");

const heard = { kind: "worker", worker: WORKER, isOnline: true } as const;

/** A worker that can be heard begins a fire. @param isEarly it acks first */
async function begun(options: RigOptions = {}, isEarly = true) {
  const rig = followRig(options);
  rig.hint({ kind: "line", isUp: true });
  rig.hint({ ...heard, processId: 1 });
  const open = await rig.publish();
  rig.take(open);
  rig.event(open, "received");
  if (isEarly) rig.ack(open);
  rig.event(open, "started");
  await rig.watch(3 * SECOND);
  return { rig, open };
}

async function beatFor(rig: FollowRig, seconds: number, processId = 1): Promise<void> {
  for (let passed = 0; passed < seconds; passed++) {
    rig.hint({ ...heard, processId });
    await rig.watch(SECOND);
  }
}

describe("follower() on a worker that stops in order", () => {
  it("lets it end what it runs", async () => {
    const { rig, open } = await begun();
    await beatFor(rig, 10);
    rig.beat(WORKER, false);
    await rig.watch(600 * SECOND);
    assert.deepEqual(await rig.story(), ["taken event", "acked broker"]);
    rig.event(open, "succeeded");
    await rig.sample();
    assert.equal((await rig.story()).at(-1), "finished success");
  });

  it("does not wait for it for ever", async () => {
    const { rig } = await begun();
    await beatFor(rig, 10);
    rig.beat(WORKER, false);
    await rig.watch(3_610 * SECOND);
    assert.equal((await rig.story()).at(-1), "finished lost");
  });
});
