/** What every lease must do; run against memory and against Redis. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import { JournalUnavailableError } from "../../src/errors.ts";
import { ROW_VERSION } from "../../src/event.ts";
import type { Journal, Lease, Taken } from "../../src/ports.ts";
import type { Dump } from "../support/dump.ts";
import { publishStep, T0 } from "../support/steps.ts";

export interface LeaseRig {
  readonly lease: Lease;
  readonly journal: Journal;
  dump(): Promise<Dump>;
  /** Ends the lease as time would. */
  expire(): Promise<void>;
  /** Writes the epoch's key as another build would. */
  setEpoch(text: string): Promise<void>;
  /** Removes all of Beat's keys, as FLUSHALL would. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

const TTL_MS = 60_000;

export function describeLease(name: string, open: () => Promise<LeaseRig>): void {
  describe(name, () => {
    let rig: LeaseRig;
    let lease: Lease;
    beforeEach(async () => {
      rig = await open();
      lease = rig.lease;
    });
    afterEach(() => rig.stop());

    const take = (owner: string, { minFence = 0, epoch = `epoch of ${owner}` } = {}) =>
      lease.take({ owner, ttlMs: TTL_MS, minFence, epoch });

    it("goes to the first who asks, with a new epoch for a new namespace", async () => {
      const taken = await take("a");
      assert.ok(taken.kind === "taken");
      assert.ok(taken.serverMs > T0);
      const { serverMs: _, ...rest } = taken;
      assert.deepEqual(rest, { kind: "taken", fence: 1, epoch: "epoch of a", isNewEpoch: true });
    });

    it("is held against everybody else", async () => {
      await take("a");
      const held = await take("b", { minFence: 100 });
      assert.ok(held.kind === "held");
      assert.deepEqual([held.owner, held.fence], ["a", 1]);
      assert.ok(held.leftMs > TTL_MS - 5_000 && held.leftMs <= TTL_MS);
      assert.equal((await rig.dump()).fence, "1");
    });

    it("passes on when it was released or has ended, each time under a higher fence", async () => {
      await take("a");
      await lease.release({ owner: "a", fence: 1 });
      assert.equal(fenceOf(await take("b")), 2);
      await rig.expire();
      assert.equal(fenceOf(await take("a")), 3);
    });

    it("keeps the epoch of the namespace", async () => {
      await take("a");
      await lease.release({ owner: "a", fence: 1 });
      const taken = await take("b");
      assert.ok(taken.kind === "taken");
      assert.deepEqual([taken.epoch, taken.isNewEpoch], ["epoch of a", false]);
    });

    it("gives a fence above the highest that the replica has seen", async () => {
      assert.equal(fenceOf(await take("a", { minFence: 41 })), 42);
      await lease.release({ owner: "a", fence: 42 });
      assert.equal(fenceOf(await take("b", { minFence: 7 })), 43);
    });

    it("answers the same when the same taking is sent again", async () => {
      const first = await take("a");
      const again = await take("a");
      assert.ok(first.kind === "taken" && again.kind === "taken");
      assert.deepEqual({ ...again, serverMs: 0 }, { ...first, serverMs: 0 });
    });

    it("gives a new fence to an owner that has given up its term", async () => {
      assert.equal(fenceOf(await take("a")), 1);
      const again = await take("a", { minFence: 1 });
      assert.equal(fenceOf(again), 2);
      assert.ok(again.kind === "taken" && !again.isNewEpoch);
    });

    it("is renewed for its owner under its fence only", async () => {
      await take("a", { minFence: 4 });
      assert.equal(typeof await lease.renew({ owner: "a", fence: 5, ttlMs: TTL_MS }), "number");
      assert.equal(await lease.renew({ owner: "a", fence: 4, ttlMs: TTL_MS }), null);
      assert.equal(await lease.renew({ owner: "b", fence: 5, ttlMs: TTL_MS }), null);
      await rig.expire();
      assert.equal(await lease.renew({ owner: "a", fence: 5, ttlMs: TTL_MS }), null);
      assert.equal((await take("b")).kind, "taken");
    });

    it("is extended by renewing", async () => {
      await take("a");
      await lease.renew({ owner: "a", fence: 1, ttlMs: 10 * TTL_MS });
      const held = await take("b");
      assert.ok(held.kind === "held" && held.leftMs > 9 * TTL_MS);
    });

    it("is released by its owner under its fence only", async () => {
      await take("a");
      await lease.release({ owner: "b", fence: 1 });
      await lease.release({ owner: "a", fence: 2 });
      assert.equal((await take("b")).kind, "held");
      await lease.release({ owner: "a", fence: 1 });
      await lease.release({ owner: "a", fence: 1 });
      assert.equal((await take("b")).kind, "taken");
    });

    it("fences off whoever led before", async () => {
      await take("a");
      await rig.expire();
      await take("b");
      const late = await rig.journal.commit([publishStep(null, T0)], 1);
      assert.equal(late.kind, "fenced");
      assert.equal((await rig.journal.commit([publishStep(null, T0)], 2)).kind, "done");
    });

    it("tells a namespace that was emptied by its new epoch, and fences the old term", async () => {
      await take("a");
      await rig.flush();
      assert.equal((await rig.journal.commit([publishStep(null, T0)], 1)).kind, "fenced");
      assert.equal(await lease.renew({ owner: "a", fence: 1, ttlMs: TTL_MS }), null);
      const taken = await take("a", { minFence: 1, epoch: "another" });
      assert.ok(taken.kind === "taken");
      assert.deepEqual([taken.fence, taken.epoch, taken.isNewEpoch], [2, "another", true]);
    });

    it("is not for a build that is older than what it finds", async () => {
      await rig.setEpoch(`history v${ROW_VERSION + 1}`);
      const before = await rig.dump();
      await assert.rejects(take("a"), (error) => {
        assert.ok(error instanceof JournalUnavailableError);
        assert.equal(error.retry, "alarm");
        assert.match(error.message, new RegExp(`rows of version ${ROW_VERSION + 1}`));
        return true;
      });
      assert.deepEqual(await rig.dump(), before);

      await rig.setEpoch(`history v${ROW_VERSION}`);
      const taken = await take("a");
      assert.ok(taken.kind === "taken");
      assert.deepEqual([taken.epoch, taken.isNewEpoch], ["history", false]);
      assert.equal((await rig.dump()).epoch, `history v${ROW_VERSION}`);
    });

    it("is looked at without being changed", async () => {
      const before = await rig.dump();
      const { serverMs, leader } = await lease.look();
      assert.ok(serverMs > T0);
      assert.equal(leader, null);
      assert.deepEqual(await rig.dump(), before);

      await take("host 1 pid 2", { minFence: 6 });
      const held = await rig.dump();
      const seen = (await lease.look()).leader!;
      assert.deepEqual([seen.owner, seen.fence], ["host 1 pid 2", 7]);
      assert.ok(seen.leftMs > TTL_MS - 5_000 && seen.leftMs <= TTL_MS);
      assert.deepEqual(await rig.dump(), held);

      await rig.expire();
      assert.equal((await lease.look()).leader, null);
    });

    it("takes an owner with spaces in its name", async () => {
      await take("host 1 pid 2");
      const held = await take("b");
      assert.ok(held.kind === "held");
      assert.deepEqual([held.owner, held.fence], ["host 1 pid 2", 1]);
    });
  });
}

function fenceOf(taken: Taken): number {
  assert.ok(taken.kind === "taken");
  return taken.fence;
}
