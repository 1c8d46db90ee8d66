/** What every lease must do; run against memory and against Redis. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import { JournalUnavailableError } from "../../src/errors.ts";
import { ROW_VERSION } from "../../src/event.ts";
import type { Journal, Lease, Taken } from "../../src/ports.ts";
import { LEASE_MAX_MS } from "../../src/settings.ts";
import type { Dump } from "../support/dump.ts";
import { publishStep, T0 } from "../support/steps.ts";

export interface LeaseRig {
  readonly lease: Lease;
  readonly journal: Journal;
  dump(): Promise<Dump>;
  /** Ends the lease as time would. */
  expire(): Promise<void>;
  /** Moves the end of the lease away, as it is where the server's clock is set back. */
  moveEnd(byMs: number): Promise<void>;
  /** Writes the epoch's key as another build would. */
  setEpoch(text: string): Promise<void>;
  /** Removes all of Beat's keys, as FLUSHALL would. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

const TTL_MS = 60_000;
/** A fence that is above the time of any test. */
const SEEN = 9e15;

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
      const { serverMs, fence, ...rest } = taken;
      assert.ok(serverMs > T0);
      // Not below the time: what a lost history has given is not given again.
      assert.ok(fence >= T0 && fence <= serverMs);
      assert.deepEqual(rest, { kind: "taken", epoch: "epoch of a", isNewEpoch: true });
    });

    it("is held against everybody else", async () => {
      const fence = fenceOf(await take("a"));
      const held = await take("b", { minFence: fence + 100 });
      assert.ok(held.kind === "held");
      assert.deepEqual([held.owner, held.fence], ["a", fence]);
      assert.ok(held.leftMs > TTL_MS - 5_000 && held.leftMs <= TTL_MS);
      assert.equal((await rig.dump()).fence, String(fence));
    });

    it("passes on when it was released or has ended, each time under a higher fence", async () => {
      const first = fenceOf(await take("a"));
      await lease.release("a");
      const second = fenceOf(await take("b"));
      assert.ok(second > first);
      await rig.expire();
      assert.ok(fenceOf(await take("a")) > second);
    });

    it("keeps the epoch of the namespace", async () => {
      await take("a");
      await lease.release("a");
      const taken = await take("b");
      assert.ok(taken.kind === "taken");
      assert.deepEqual([taken.epoch, taken.isNewEpoch], ["epoch of a", false]);
    });

    it("gives a fence above the highest that the replica has seen", async () => {
      assert.equal(fenceOf(await take("a", { minFence: SEEN })), SEEN + 1);
      await lease.release("a");
      assert.equal(fenceOf(await take("b", { minFence: 7 })), SEEN + 2);
    });

    it("answers the same when the same taking is sent again", async () => {
      const first = await take("a");
      const again = await take("a");
      assert.ok(first.kind === "taken" && again.kind === "taken");
      assert.deepEqual({ ...again, serverMs: 0 }, { ...first, serverMs: 0 });
    });

    it("gives a new fence to an owner that has given up its term", async () => {
      const first = fenceOf(await take("a"));
      const again = await take("a", { minFence: first });
      assert.ok(fenceOf(again) > first);
      assert.ok(again.kind === "taken" && !again.isNewEpoch);
    });

    it("is renewed for its owner under its fence only", async () => {
      const fence = fenceOf(await take("a"));
      assert.equal(typeof await lease.renew({ owner: "a", fence, ttlMs: TTL_MS }), "number");
      assert.equal(await lease.renew({ owner: "a", fence: fence - 1, ttlMs: TTL_MS }), null);
      assert.equal(await lease.renew({ owner: "b", fence, ttlMs: TTL_MS }), null);
      await rig.expire();
      assert.equal(await lease.renew({ owner: "a", fence, ttlMs: TTL_MS }), null);
      assert.equal((await take("b")).kind, "taken");
    });

    it("is extended by renewing", async () => {
      const fence = fenceOf(await take("a"));
      await lease.renew({ owner: "a", fence, ttlMs: LEASE_MAX_MS });
      const held = await take("b");
      assert.ok(held.kind === "held" && held.leftMs > LEASE_MAX_MS - TTL_MS);
    });

    it("ends in time where the server's clock was set back and nobody renews it", async () => {
      const fence = fenceOf(await take("a"));
      await rig.moveEnd(LEASE_MAX_MS);
      const first = await take("b");
      assert.deepEqual(first, { kind: "held", owner: "a", fence, leftMs: TTL_MS });
      const { leader } = await lease.look();
      assert.ok(leader !== null && leader.leftMs <= TTL_MS);
      // Who has it may renew it all the same.
      assert.equal(typeof await lease.renew({ owner: "a", fence, ttlMs: TTL_MS }), "number");
    });

    it("is released by its owner only", async () => {
      await take("a");
      await lease.release("b");
      assert.equal((await take("b")).kind, "held");
      await lease.release("a");
      await lease.release("a");
      assert.equal((await take("b")).kind, "taken");
    });

    it("fences off whoever led before", async () => {
      const old = fenceOf(await take("a"));
      await rig.expire();
      const fence = fenceOf(await take("b"));
      const late = await rig.journal.commit([publishStep(null, T0)], old);
      assert.equal(late.kind, "fenced");
      assert.equal((await rig.journal.commit([publishStep(null, T0)], fence)).kind, "done");
    });

    it("tells a namespace that was emptied by its new epoch, and fences the old term", async () => {
      const fence = fenceOf(await take("a"));
      await rig.flush();
      assert.equal((await rig.journal.commit([publishStep(null, T0)], fence)).kind, "fenced");
      assert.equal(await lease.renew({ owner: "a", fence, ttlMs: TTL_MS }), null);
      const taken = await take("a", { minFence: fence, epoch: "another" });
      assert.ok(taken.kind === "taken" && taken.fence > fence);
      assert.deepEqual([taken.epoch, taken.isNewEpoch], ["another", true]);
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

      const fence = fenceOf(await take("host 1 pid 2"));
      const held = await rig.dump();
      const seen = (await lease.look()).leader!;
      assert.deepEqual([seen.owner, seen.fence], ["host 1 pid 2", fence]);
      assert.ok(seen.leftMs > TTL_MS - 5_000 && seen.leftMs <= TTL_MS);
      assert.deepEqual(await rig.dump(), held);

      await rig.expire();
      assert.equal((await lease.look()).leader, null);
    });

    it("takes an owner with spaces in its name", async () => {
      const fence = fenceOf(await take("host 1 pid 2"));
      const held = await take("b");
      assert.ok(held.kind === "held");
      assert.deepEqual([held.owner, held.fence], ["host 1 pid 2", fence]);
    });
  });
}

function fenceOf(taken: Taken): number {
  assert.ok(taken.kind === "taken");
  return taken.fence;
}
