/** Replicas as they run, whole, on a journal and a lease in memory and a clock that is moved. */

import assert from "node:assert/strict";
import { afterEach, describe, it } from "@std/testing/bdd";
import { decodeMessage } from "../../src/celery/message.ts";
import { serverClock } from "../../src/clock.ts";
import { simClock } from "../support/sim_clock.ts";
import { supervise, type Supervisor } from "../../src/commands/supervise.ts";
import type { OfficeParts } from "../../src/lead/office.ts";
import type { Roster } from "../../src/core/roster.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { memoryLease } from "../../src/memory/lease.ts";
import { memoryRequests } from "../../src/memory/requests.ts";
import { memorySensors } from "../../src/memory/sensors.ts";
import { encodeRequest } from "../../src/request.ts";
import type { Row } from "../../src/event.ts";
import type { Journal, Lease } from "../../src/ports.ts";
import { BATCH_MAX } from "../../src/ports.ts";
import { aLog, aReady, aRoster, rowsOf, T0 } from "../support/build.ts";
import { flakyJournal } from "../support/flaky_journal.ts";

const TTL = 5_000;
const SECOND = { trigger: { kind: "every", everyMs: 1000, phaseMs: 0 } } as const;
const MINUTE = { trigger: { kind: "every", everyMs: 60_000, phaseMs: 0 } } as const;
const ALL = { catchUp: { policy: "all", windowMs: 600_000, cap: 600 } } as const;

describe("supervise()", () => {
  const started: { clock: ReturnType<typeof simClock>; supervisor: Supervisor }[] = [];

  afterEach(async () => {
    for (const { clock, supervisor } of started.splice(0)) {
      supervisor.actor.send({ type: "STOP" });
      await clock.advance(10_000);
      await supervisor.done;
    }
  });

  function start(world: ReturnType<typeof aWorld>, owner = "a", own: Partial<OfficeParts> = {}) {
    const replica = world.replica(owner, own);
    const supervisor = supervise(replica.parts);
    started.push({ clock: world.clock, supervisor });
    return { ...replica, supervisor, state: () => supervisor.actor.getSnapshot().value };
  }

  it("publishes each due time once, on time, for as long as it runs", async () => {
    const world = aWorld();
    start(world);
    await world.clock.advance(10_500);
    assert.deepEqual(await world.published(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.deepEqual(await world.latenesses(), new Array(10).fill(0));
  });

  it("hands over within a poll when it is stopped, and nothing is lost or doubled", async () => {
    const world = aWorld();
    const one = start(world, "a");
    start(world, "b");
    await world.clock.advance(3_200);
    one.supervisor.actor.send({ type: "STOP" });
    await world.clock.advance(300);
    assert.deepEqual(await one.supervisor.done, { error: null });
    assert.equal(world.store.lease?.owner, "b");
    await world.clock.advance(3_000);
    assert.deepEqual(await world.published(), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(await world.terms(), ["started a", "ended a", "started b"]);
  });

  it("is followed by a standby after its lease when it is silent", async () => {
    const world = aWorld();
    start(world, "a", { lease: world.mute(2_000) });
    start(world, "b");
    await world.clock.advance(20_500);
    assert.deepEqual(await world.published(), Array.from({ length: 20 }, (_, index) => index + 1));
    assert.deepEqual(await world.terms(), ["started a", "started b"]);
  });

  it("gives back a lease that was taken while the stop came", async () => {
    const world = aWorld();
    const late = world.slowTake();
    const { supervisor } = start(world, "a", { lease: late.lease });
    await world.clock.advance(0);
    supervisor.actor.send({ type: "STOP" });
    late.arrive();
    await world.clock.advance(100);
    await supervisor.done;
    assert.equal(late.taken(), 1);
    assert.equal(world.store.lease, null);
  });

  it("tries again with pauses where recovery fails, and leads when it can", async () => {
    const world = aWorld();
    let loads = 0;
    let isAway = true;
    const journal: Journal = {
      ...world.memory,
      load() {
        loads++;
        if (isAway) return Promise.reject(new JournalUnavailableError("OOM", "alarm"));
        return world.memory.load();
      },
    };
    const { state } = start(world, "a", { journal });
    await world.clock.advance(10_000);
    assert.ok(loads >= 4 && loads <= 12, `${loads} tries in 10 s`);
    isAway = false;
    await world.clock.advance(2_500);
    assert.equal(typeof state(), "object");
    assert.ok((await world.published()).length >= 1);
  });

  it("keeps on through a Redis that is away for a while, and loses nothing", async () => {
    const world = aWorld();
    const journal = flakyJournal(world.memory);
    start(world, "a", { journal });
    await world.clock.advance(2_500);
    journal.faults.push("reply", "request", "request", "reply");
    await world.clock.advance(8_000);
    assert.deepEqual(await world.published(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    // The tick and three recoveries were lost; of the last one just the reply.
    assert.deepEqual(await world.terms(), ["started a", "started a", "started a"]);
  });

  it("begins a new term after a lost call, whose fence refuses it when it arrives", async () => {
    const world = aWorld();
    const journal = flakyJournal(world.memory);
    const { parts, supervisor } = start(world, "a", { journal });
    await world.clock.advance(2_500);
    const { fence } = supervisor.actor.getSnapshot().context;
    journal.faults.push("late");
    await world.clock.advance(1_000);
    assert.ok(supervisor.actor.getSnapshot().context.fence > fence);
    assert.deepEqual(await journal.arrive(), [{ kind: "fenced" }]);
    await world.clock.advance(1_000);
    assert.deepEqual(await world.published(), [1, 2, 3, 4]);
    assert.deepEqual(await world.terms(), ["started a", "started a"]);
    assert.deepEqual(await world.latenesses(), [0, 0, 200, 0], "the first pause is short");
    assert.equal(parts.log.lines.filter(({ level }) => level === "error").length, 1);
  });

  it("stays in its term while Redis is out of memory, and says so once", async () => {
    const world = aWorld();
    const journal = flakyJournal(world.memory);
    const { parts, supervisor } = start(world, "a", { journal });
    await world.clock.advance(2_500);
    const { fence } = supervisor.actor.getSnapshot().context;
    journal.faults.push("refused", "refused", "refused");
    await world.clock.advance(3_000);
    assert.equal(supervisor.actor.getSnapshot().context.fence, fence);
    assert.deepEqual(await world.published(), [1, 2, 3, 4, 5]);
    assert.deepEqual(await world.terms(), ["started a"]);
    assert.equal(parts.log.lines.filter(({ level }) => level === "error").length, 1);
  });

  it("fires after a long outage what its policy says, and nothing planned before it", async () => {
    for (const [policy, expected] of [["skip", []], ["latest", [3_660]]] as const) {
      for (const fault of ["request", "late"] as const) {
        const catchUp = { policy, windowMs: 60_000, cap: 1 } as const;
        const world = aWorld(aReady({ name: "a", ...MINUTE, catchUp, expiresMs: 30_000 }));
        const journal = flakyJournal(world.memory);
        start(world, "a", { journal, lease: world.awayFrom(60_001, 3_690_000) });
        await world.clock.advance(59_500);
        journal.faults.push(fault);
        await world.clock.advance(3_640_000);
        assert.equal(journal.asked.length, 5, "start, known, lost; start, caught up");
        assert.deepEqual(await journal.arrive(), fault === "late" ? [{ kind: "fenced" }] : []);
        assert.deepEqual(await world.published(), expected, `${policy}, ${fault}`);
        const rows = await rowsOf(world.memory);
        const dropped = rows.filter(({ type }) => type === "task.dropped");
        assert.deepEqual(dropped.map(({ detail }) => detail.count), [61 - expected.length]);
      }
    }
  });

  it("begins terms with growing pauses where Redis answers to all but what is due", async () => {
    const world = aWorld();
    let isAway = true;
    const journal: Journal = {
      ...world.memory,
      commit(steps, fence) {
        const isDue = steps.some(({ publish }) => publish !== null);
        if (!isAway || !isDue) return world.memory.commit(steps, fence);
        return Promise.reject(new JournalUnavailableError("no answer in time", "backoff"));
      },
    };
    start(world, "a", { journal });
    await world.clock.advance(60_500);
    const { length } = await world.terms();
    assert.ok(length >= 25 && length <= 40, `${length} terms in a minute`);
    isAway = false;
    await world.clock.advance(2_500);
    assert.deepEqual(await world.published(), Array.from({ length: 63 }, (_, index) => index + 1));
    assert.deepEqual((await world.terms()).length - length, 1);
  });

  it("ends with the error that no waiting mends, and gives the lease back", async () => {
    const world = aWorld();
    const journal = flakyJournal(world.memory);
    const { supervisor } = start(world, "a", { journal });
    await world.clock.advance(1_500);
    journal.retry = "fatal";
    journal.faults.push("request");
    await world.clock.advance(1_000);
    const { error } = await supervisor.done;
    assert.ok(error instanceof JournalUnavailableError);
    assert.equal(world.store.lease, null);
  });

  it("ends in order where following breaks for a defect of ours", async () => {
    const world = aWorld();
    const defect = new TypeError("a defect");
    const journal: Journal = { ...world.memory, settle: () => Promise.reject(defect) };
    const sensors = memorySensors(world.store);
    sensors.results = () => Promise.reject(defect);
    sensors.reservations = () => Promise.reject(defect);
    sensors.sampleQueues = () => Promise.reject(defect);
    const { supervisor } = start(world, "a", { journal, sensors });
    await world.clock.advance(5_000);
    assert.deepEqual(await supervisor.done, { error: defect });
    assert.equal(world.store.lease, null);
    assert.deepEqual(await world.terms(), ["started a", "ended a"]);
  });

  it("notices that Redis was emptied, says so once, and does not fire the past", async () => {
    const world = aWorld();
    const { parts } = start(world);
    await world.clock.advance(3_500);
    world.empty();
    await world.clock.advance(4_000);
    world.store.lease = null;
    await world.clock.advance(2_000);
    assert.deepEqual(await world.terms(), [
      "started a",
      "started a",
      "history_lost a",
      "started a",
    ]);
    const errors = parts.log.lines.filter(({ level }) => level === "error");
    assert.equal(errors.length, 1);
    const published = await world.published();
    assert.deepEqual(published.slice(-5), [5, 6, 7, 8, 9]);
    assert.equal(new Set(published).size, published.length);
  });

  it("says so once, also where who led before leads again after another", async () => {
    const world = aWorld();
    const one = start(world, "a");
    const other = start(world, "b");
    await world.clock.advance(3_500);
    world.empty();
    await world.clock.advance(4_000);
    other.supervisor.actor.send({ type: "STOP" });
    await world.clock.advance(1_000);
    assert.equal(world.store.lease?.owner, "a");
    assert.deepEqual(await world.terms(), [
      ...["started a", "started b", "history_lost b", "ended b", "started a"],
    ]);
    const errors = [one, other].map(({ parts }) =>
      parts.log.lines.filter(({ level }) => level === "error").length
    );
    assert.deepEqual(errors, [0, 1]);
  });

  it("notices that a fire is lost though nothing else is due, and fires it anew", async () => {
    const hourly = { trigger: { kind: "every", everyMs: 3_600_000, phaseMs: 0 } } as const;
    const world = aWorld(aReady({ name: "a", ...hourly, ...ALL }));
    start(world);
    await world.clock.advance(3_599_000);
    const goBack = world.remember();
    await world.clock.advance(1_500);
    assert.deepEqual(await world.published(), [3_600]);
    goBack();
    assert.deepEqual(await world.published(), []);
    await world.clock.advance(1_000);
    assert.deepEqual(await world.published(), [3_600]);
    assert.deepEqual(await world.terms(), ["started a", "started a", "history_shortened a"]);
  });

  it("begins anew, and says so, where rows are lost while a term begins", async () => {
    const world = aWorld();
    const { entries, cursors } = world.store;
    const names = Array.from({ length: 2 * BATCH_MAX + 1 }, (_, index) => `task${index}`);
    const roster = aRoster(...names.map((name) => aReady({ name, ...SECOND, ...ALL })));
    let commits = 0;
    const journal: Journal = {
      ...world.memory,
      commit(steps, fence) {
        // A replica is promoted that has the beginning of the term, and none of its tasks.
        if (++commits === 4) {
          entries.splice(1);
          for (const name of names) cursors.delete(name);
        }
        return world.memory.commit(steps, fence);
      },
    };
    start(world, "a", { journal, declared: { roster, rows: [] } });
    await world.clock.advance(1_500);
    assert.deepEqual(await world.terms(), ["started a", "started a", "history_shortened a"]);
    const published = await Promise.all(names.map((name) => world.published(name)));
    assert.deepEqual(new Set(published.map(String)), new Set(["1"]));
  });

  it("starts a task from now whose cursor alone is gone, and goes on with the others", async () => {
    const world = aWorld();
    start(world);
    await world.clock.advance(2_500);
    world.store.cursors.delete("a");
    await world.clock.advance(3_000);
    assert.deepEqual(await world.published(), [1, 2, 4, 5]);
    assert.deepEqual(await world.terms(), ["started a"]);
  });

  it("decides anew what it decided before its machine stood still with both of its clocks", async () => {
    const catchUp = { policy: "skip", windowMs: 60_000, cap: 1 } as const;
    const world = aWorld(aReady({ name: "a", ...MINUTE, catchUp, expiresMs: 30_000 }));
    const requests = memoryRequests(world.store.serverMs);
    const { parts } = start(world, "a", { asking: { requests, origin: "beat@test" } });
    await world.clock.advance(59_750);
    world.redis.aheadMs += 8 * 3_600_000;
    const head = { id: "r1", who: "ada@desk", note: "" };
    const request = { ...head, kind: "trigger", task: "a", isObeying: false } as const;
    await requests.append(encodeRequest(request), "0-0");
    await world.clock.advance(2_000);
    for (const message of [...world.store.lists.values()].flat()) {
      const { expiresMs } = decodeMessage(message);
      assert.ok(expiresMs! > world.store.serverMs(), "it would have expired before it went out");
    }
    assert.deepEqual(await world.published("a+r1"), [8 * 3_600 + 59.75]);
    assert.deepEqual(await world.published(), [8 * 3_600 + 60]);
    assert.ok(parts.log.lines.some(({ message }) => /long ago is decided anew/.test(message)));
  });

  it("tells no reloads of the time in which another one led, but for the refusal that holds", async () => {
    const world = aWorld();
    const one = start(world, "a");
    const { parts } = start(world, "b");
    const reloaded = (type: string, atMs: number) =>
      void parts.declared.rows.push({
        ...{ type, task: "", dueMs: null, decidedMs: T0 + atMs, detail: { problems: [type] } },
      } as Row);
    reloaded("control.reloaded", 1_000);
    reloaded("control.reload_refused", 2_000);
    reloaded("control.reloaded", 3_000);
    reloaded("control.reload_refused", 4_000);
    await world.clock.advance(100_000);
    reloaded("control.reloaded", 99_000);
    reloaded("control.reload_refused", 4_000);
    one.supervisor.actor.send({ type: "STOP" });
    await world.clock.advance(2_000);
    const rows = (await rowsOf(world.memory)).filter(({ type }) => type.startsWith("control."));
    assert.deepEqual(
      rows.map(({ type, decidedMs }) => `${type} ${decidedMs - T0}`),
      ["control.reloaded 99000", "control.reload_refused 4000"],
    );
  });

  it("takes up a new schedule at once, and moves no other fire", async () => {
    const world = aWorld();
    const { parts, supervisor } = start(world);
    await world.clock.advance(2_500);
    parts.declared.roster = aRoster(...world.roster.values(), aReady({ name: "new", ...SECOND }));
    parts.declared.rows.push({
      type: "control.reloaded",
      task: "",
      dueMs: null,
      decidedMs: T0,
      detail: { added: ["new"], changed: [], retired: [] },
    });
    supervisor.actor.send({ type: "RELOAD" });
    await world.clock.advance(1_000);
    assert.deepEqual(await world.published("new"), [3]);
    assert.deepEqual(await world.published(), [1, 2, 3]);
    assert.equal(parts.declared.rows.length, 0);
    const rows = await rowsOf(world.memory);
    assert.equal(rows.filter(({ type }) => type === "control.reloaded").length, 1);
  });
});

/** One Redis in memory, and replicas of one schedule on one clock. */
function aWorld(ready = aReady({ name: "a", ...SECOND, ...ALL })) {
  const clock = simClock(T0);
  const redis = { aheadMs: 0 };
  const memory = memoryJournal({ serverMs: () => Math.floor(clock.wallMs() + redis.aheadMs) });
  const { store } = memory;
  const lease = memoryLease(memory);
  const roster: Roster = aRoster(ready);

  async function fires(task: string) {
    return (await rowsOf(memory)).filter((row) =>
      row.type === "fire.published" && row.task === task
    );
  }

  return {
    clock,
    redis,
    memory,
    store,
    roster,
    /** Seconds after the start, of the fires in the journal. */
    published: async (task = "a") => (await fires(task)).map(({ dueMs }) => (dueMs! - T0) / 1000),
    latenesses: async () => (await fires("a")).map(({ dueMs, decidedMs }) => decidedMs - dueMs!),
    /** `started a`, `ended a` and so on. */
    terms: async () =>
      (await rowsOf(memory)).filter(({ type }) => type.startsWith("term."))
        .map(({ type, detail }) => `${type.slice(5)} ${detail.owner}`),
    /** What a replica of Redis has. @returns promotes it */
    remember() {
      const { cursors, open, lists, entries } = structuredClone({ ...store, serverMs: null });
      return () => {
        store.entries.splice(entries.length);
        for (const [now, then] of [[store.cursors, cursors], [store.open, open]] as const) {
          now.clear();
          for (const [key, text] of then) now.set(key, text);
        }
        store.lists.clear();
        for (const [list, messages] of lists) store.lists.set(list, messages);
      };
    },
    /** FLUSHALL, but for the journal, which the test reads. */
    empty() {
      store.fence = store.lease = store.epoch = null;
      for (const map of [store.cursors, store.open, store.lists]) map.clear();
    },
    /** A lease that answers to nothing but releases after a while: the replica has lost its way. */
    mute(afterMs: number): Lease {
      const away = () => new JournalUnavailableError("no answer", "backoff");
      const isMute = () => clock.monotonicMs() > afterMs;
      return {
        take: (request) => isMute() ? Promise.reject(away()) : lease.take(request),
        renew: (request) => isMute() ? Promise.reject(away()) : lease.renew(request),
        release: (owner) => lease.release(owner),
        look: () => lease.look(),
      };
    },
    /** A lease that does not answer for a while. */
    awayFrom(fromMs: number, untilMs: number): Lease {
      const atMs = () => clock.wallMs() - T0;
      const answer = <T>(ask: () => Promise<T>) =>
        atMs() < fromMs || atMs() >= untilMs
          ? ask()
          : Promise.reject(new JournalUnavailableError("no answer", "backoff"));
      return {
        ...lease,
        take: (request) => answer(() => lease.take(request)),
        renew: (request) => answer(() => lease.renew(request)),
        release: (owner) => answer(() => lease.release(owner)),
      };
    },
    /** A lease whose first taking arrives when the test says so. */
    slowTake() {
      let arrive = () => {};
      let taken = 0;
      const slow: Lease = {
        ...lease,
        async take(request) {
          await new Promise<void>((resolve) => arrive = resolve);
          taken++;
          return await lease.take(request);
        },
      };
      return { lease: slow, arrive: () => arrive(), taken: () => taken };
    },
    replica(owner: string, own: Partial<OfficeParts>) {
      const parts = {
        journal: memory,
        sensors: memorySensors(store),
        namespace: "beat",
        build: "test",
        declared: { roster, rows: [] },
        lease,
        clock,
        server: serverClock(clock),
        owner,
        ttlMs: TTL,
        newEpoch: `epoch of ${owner}`,
        isPatient: true,
        ...own,
        log: aLog(),
      } satisfies OfficeParts;
      return { parts };
    },
  };
}
