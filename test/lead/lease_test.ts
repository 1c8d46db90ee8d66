/** Taking the lease and keeping it, with the lease in memory and a clock that is moved. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import { serverClock } from "../../src/clock.ts";
import { simClock } from "../support/sim_clock.ts";
import { acquire, backOffMs, holdLease, type LeaseParts, newSeen } from "../../src/lead/lease.ts";
import { JournalUnavailableError, type RetryKind } from "../../src/errors.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { memoryLease } from "../../src/memory/lease.ts";
import type { Lease } from "../../src/ports.ts";
import { aLog, T0 } from "../support/build.ts";

const TTL = 5_000;
const never = new AbortController().signal;

describe("acquire()", () => {
  it("leads at once where nobody does, and raises the fence each time", async () => {
    const { replica } = world();
    const { parts, seen } = replica("a");
    const first = await acquire(parts, seen, never);
    assert.ok(await acquire(parts, seen, never) > first);
    assert.equal(seen.lostAfter, null);
  });

  it("stands by while another leads, and takes over when the lease ends", async () => {
    const { replica, clock } = world();
    const [a, b] = [replica("a"), replica("b")];
    const first = await acquire(a.parts, a.seen, never);
    const took = acquire(b.parts, b.seen, never);
    const fence = watched(took);
    await clock.advance(TTL - 1);
    assert.equal(fence.value, null);
    await clock.advance(1 + 200);
    await took;
    assert.ok(fence.value! > first);
  });

  it("takes up a clean handover within its poll", async () => {
    const { replica, clock } = world();
    const [a, b] = [replica("a"), replica("b")];
    const first = await acquire(a.parts, a.seen, never);
    const took = acquire(b.parts, b.seen, never);
    const fence = watched(took);
    await clock.advance(1_000);
    await a.parts.lease.release("a");
    await clock.advance(200);
    await took;
    assert.ok(fence.value! > first);
  });

  it("never takes a fence that it has seen, also where the counter went back", async () => {
    const { replica, store, clock } = world();
    const [a, b] = [replica("a"), replica("b")];
    await acquire(a.parts, { ...a.seen, fence: 8e15 }, never);
    const took = acquire(b.parts, b.seen, never);
    await clock.advance(100);
    store.fence = 2;
    store.lease = null;
    await clock.advance(200);
    assert.equal(await took, 8e15 + 2);
  });

  it("waits for a Redis that is away, with at most five tries a second", async () => {
    const { replica, clock, faults, calls } = world();
    const { parts, seen } = replica("a");
    faults.push(...Array.from({ length: 1000 }, () => "backoff" as const));
    const took = acquire(parts, seen, never);
    await clock.advance(10_000);
    assert.ok(calls.take > 5 && calls.take <= 50, `${calls.take} tries in 10 s`);
    faults.length = 0;
    await clock.advance(2_000);
    assert.ok(await took > 0);
    const waiting = parts.log.lines.filter(({ message }) => message === "waiting for Redis");
    assert.equal(waiting.length, 1, "says it once");
  });

  it("throws what no waiting mends, and anything where it is told not to wait", async () => {
    for (const [retry, isPatient] of [["fatal", true], ["backoff", false]] as const) {
      const { replica, faults } = world();
      const { parts, seen } = replica("a");
      faults.push(retry);
      await assert.rejects(
        acquire({ ...parts, isPatient }, seen, never),
        JournalUnavailableError,
      );
    }
  });

  it("ends with the signal's reason", async () => {
    const { replica, clock } = world();
    const [a, b] = [replica("a"), replica("b")];
    await acquire(a.parts, a.seen, never);
    const stop = new AbortController();
    const took = acquire(b.parts, b.seen, stop.signal);
    const rejected = assert.rejects(took, /enough/);
    await clock.advance(300);
    stop.abort(new Error("enough"));
    await rejected;
  });

  it("notices that somebody emptied Redis, also where it had named the epoch itself", async () => {
    const { replica, empty } = world();
    const { parts, seen } = replica("a");
    const first = await acquire(parts, seen, never);
    assert.equal(seen.lostAfter, null);
    empty();
    await acquire(parts, seen, never);
    assert.equal(seen.lostAfter, first);
    assert.ok(seen.fence > first);
  });

  it("notices it as a standby that never led", async () => {
    const { replica, empty, clock } = world();
    const [a, b] = [replica("a"), replica("b")];
    await acquire(a.parts, a.seen, never);
    const took = acquire(b.parts, b.seen, never);
    await clock.advance(100);
    empty();
    await clock.advance(200);
    await took;
    assert.equal(b.seen.lostAfter, a.seen.fence);
  });

  it("keeps that in mind until a term has said so", async () => {
    const { replica, empty } = world();
    const { parts, seen } = replica("a");
    const first = await acquire(parts, seen, never);
    empty();
    await acquire(parts, seen, never);
    await acquire(parts, seen, never);
    assert.equal(seen.lostAfter, first);
  });

  it("raises no alarm where a reply was lost", async () => {
    const { replica, replies, clock } = world();
    const { parts, seen } = replica("a");
    for (let term = 0; term < 3; term++) {
      replies.lost = 2;
      const took = acquire(parts, seen, never);
      await clock.advance(2_000);
      await took;
      assert.equal(seen.lostAfter, null, `term ${term}`);
    }
  });
});

describe("holdLease()", () => {
  it("renews every third of the lease's time, for as long as it is invoked", async () => {
    const { replica, clock, calls } = world();
    const stop = new AbortController();
    const { held, lost } = await holding(replica("a"), stop.signal);
    await clock.advance(60_000);
    const { renew } = calls;
    assert.ok(renew >= 35 && renew <= 36, `${renew} renewals in 60 s`);
    assert.deepEqual(lost, []);
    stop.abort();
    await held;
    await clock.advance(60_000);
    assert.equal(calls.renew, renew);
  });

  it("counts the first renewal from when the lease was taken, however long recovery was", async () => {
    const { replica, clock, calls } = world();
    const a = replica("a");
    await acquire(a.parts, a.seen, never);
    await clock.advance(4_000);
    const lost: string[] = [];
    const stop = new AbortController();
    const held = holdLease(a.parts, a.seen, stop.signal, (reason) => lost.push(reason));
    await clock.advance(1_500);
    assert.equal(calls.renew, 1);
    assert.deepEqual(lost, []);
    stop.abort();
    await held;
  });

  it("says so where another leads, or the lease was deleted", async () => {
    const { replica, clock, store } = world();
    const { held, lost } = await holding(replica("a"), never);
    store.lease = null;
    await clock.advance(2_000);
    await held;
    assert.equal(lost.length, 1);
  });

  it("gives up before the lease ends where it cannot be renewed", async () => {
    const { replica, clock, faults } = world();
    const { held, lost } = await holding(replica("a"), never);
    faults.push(...Array.from({ length: 100 }, () => "backoff" as const));
    await clock.advance(TTL - 600);
    assert.deepEqual(lost, []);
    await clock.advance(600);
    await held;
    assert.deepEqual(lost, ["it could not be renewed in time"]);
  });

  it("is not put off by a few renewals that fail", async () => {
    const { replica, clock, faults, calls } = world();
    const stop = new AbortController();
    const { held, lost } = await holding(replica("a"), stop.signal);
    faults.push("backoff", "backoff", "reconnect");
    await clock.advance(20_000);
    assert.deepEqual(lost, []);
    assert.ok(calls.renew > 10);
    stop.abort();
    await held;
  });

  it("notices after a pause that its time is over", async () => {
    const { replica, clock, faults } = world();
    const { held, lost } = await holding(replica("a"), never);
    faults.push("backoff");
    clock.jump(60_000);
    await clock.advance(2_000);
    await held;
    assert.equal(lost.length, 1);
  });

  it("says that the process stood still for over a third of the lease, whenever that began", async () => {
    for (let beganMs = 0; beganMs < TTL / 3; beganMs += 97) {
      const { replica, clock } = world();
      const a = replica("a");
      const stop = new AbortController();
      const { held, lost } = await holding(a, stop.signal);
      await clock.advance(beganMs);
      clock.jump(TTL / 3 + 1);
      await clock.advance(TTL / 3);
      const said = a.parts.log.lines.filter(({ message }) => /stood still/.test(message));
      assert.equal(said.length, 1, `began at ${beganMs} ms`);
      assert.ok(Number(said[0]!.fields.stalledMs) > TTL / 4);
      assert.deepEqual(lost, [], "its lease was still good");
      stop.abort();
      await clock.advance(TTL);
      await held;
    }
  });

  it("says nothing of small delays", async () => {
    const { replica, clock } = world();
    const a = replica("a");
    const stop = new AbortController();
    const { held } = await holding(a, stop.signal);
    for (let count = 0; count < 40; count++) {
      clock.jump(TTL / 5);
      await clock.advance(TTL / 7);
    }
    assert.deepEqual(a.parts.log.lines.filter(({ message }) => /stood still/.test(message)), []);
    stop.abort();
    await held;
  });

  it("says nothing more once it is stopped, whatever the renewal under way answers", async () => {
    const { replica, clock, store } = world();
    const stop = new AbortController();
    const { held, lost } = await holding(replica("a"), stop.signal);
    store.lease = null;
    stop.abort();
    await clock.advance(10_000);
    await held;
    assert.deepEqual(lost, []);
  });

  it("warns where the machine's clock steps, and where it differs from Redis', once each", async () => {
    const { replica, clock } = world();
    const a = replica("a");
    const stop = new AbortController();
    const { held } = await holding(a, stop.signal);
    clock.stepWall(3_600_000);
    await clock.advance(10_000);
    const warnings = a.parts.log.lines.filter(({ level }) => level === "warn");
    assert.deepEqual(warnings.map(({ fields }) => Object.keys(fields)[0]), [
      "stepMs",
      "differenceMs",
    ]);
    stop.abort();
    await held;
  });
});

describe("backOffMs()", () => {
  it("doubles, from five tries a second to one in two seconds", () => {
    const waits = [0, 1, 2, 3, 4, 5, 1000].map(backOffMs);
    assert.deepEqual(waits, [200, 400, 800, 1600, 2000, 2000, 2000]);
    fc.assert(fc.property(fc.nat(), (failures) => {
      assert.ok(backOffMs(failures) >= 200 && backOffMs(failures) <= 2000);
    }));
  });
});

/** One Redis, a clock, and replicas with a lease each. */
function world() {
  const clock = movable();
  const memory = memoryJournal({ serverMs: () => Math.floor(T0 + clock.monotonicMs()) });
  const { store } = memory;
  const faults: RetryKind[] = [];
  const replies = { lost: 0 };
  const calls = { take: 0, renew: 0 };
  const inner = memoryLease(memory);
  const fail = () => {
    const retry = faults.shift();
    if (retry !== undefined) throw new JournalUnavailableError("away", retry);
  };
  const lease: Lease = {
    async take(request) {
      calls.take++;
      fail();
      const taken = await inner.take(request);
      if (replies.lost > 0 && replies.lost-- > 0) {
        throw new JournalUnavailableError("reply lost", "backoff");
      }
      return taken;
    },
    // deno-lint-ignore require-await
    async renew(request) {
      calls.renew++;
      fail();
      return inner.renew(request);
    },
    release: (owner) => inner.release(owner),
    look: () => inner.look(),
  };
  return {
    clock,
    store,
    faults,
    replies,
    calls,
    /** FLUSHALL. */
    empty() {
      store.fence = store.lease = store.epoch = null;
      store.cursors.clear();
    },
    replica(owner: string) {
      const parts = {
        lease,
        clock,
        server: serverClock(clock),
        log: aLog(),
        owner,
        ttlMs: TTL,
        newEpoch: `epoch of ${owner}`,
        isPatient: true,
      } satisfies LeaseParts;
      return { parts, seen: newSeen() };
    },
  };
}

/** A simulated clock that can also step without waking anybody, as a paused machine's does. */
function movable() {
  const clock = simClock(T0);
  let pausedMs = 0;
  let stepMs = 0;
  return {
    ...clock,
    wallMs: () => clock.wallMs() + pausedMs + stepMs,
    monotonicMs: () => clock.monotonicMs() + pausedMs,
    jump: (byMs: number) => void (pausedMs += byMs),
    stepWall: (byMs: number) => void (stepMs += byMs),
  };
}

async function holding(
  { parts, seen }: ReturnType<ReturnType<typeof world>["replica"]>,
  signal: AbortSignal,
) {
  await acquire(parts, seen, never);
  const lost: string[] = [];
  const held = holdLease(parts, seen, signal, (reason) => lost.push(reason));
  return { held, lost };
}

function watched(promise: Promise<number>): { value: number | null } {
  const watch: { value: number | null } = { value: null };
  promise.then((value) => watch.value = value, () => {});
  return watch;
}
