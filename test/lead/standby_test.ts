/** What a standby says of the schedule that the leader runs. */

import assert from "node:assert/strict";
import { afterEach, describe, it } from "@std/testing/bdd";
import { simClock } from "../support/sim_clock.ts";
import type { Roster } from "../../src/core/roster.ts";
import { differenceOf, watchSchedule } from "../../src/lead/standby.ts";
import { LOG_CURSOR } from "../../src/cursor.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { aLog, aReady, aRoster, T0 } from "../support/build.ts";

const TTL = 5_000;
const ONE = aReady({ name: "one" });
const TWO = aReady({ name: "two" });
const SLOW = aReady({ name: "two", trigger: { kind: "every", everyMs: 9_000, phaseMs: 0 } });

describe("watchSchedule()", () => {
  const stop = { now: new AbortController() };
  afterEach(() => stop.now.abort());

  function standby(roster: Roster) {
    stop.now = new AbortController();
    const clock = simClock(T0);
    const memory = memoryJournal({ serverMs: () => clock.wallMs() });
    const log = aLog();
    const state = { isAway: false };
    const journal = {
      trace: memory.trace,
      load: () =>
        state.isAway
          ? Promise.reject(new JournalUnavailableError("away", "backoff"))
          : memory.load(),
    };
    const declared = { roster };
    /** Puts in force what a leader with this schedule would. */
    const lead = (inForce: Roster) => {
      memory.store.cursors.clear();
      memory.store.cursors.set(LOG_CURSOR.term, "7 started0");
      for (const [name, { revision }] of inForce) {
        memory.store.cursors.set(name, `${T0} ${revision}`);
      }
    };
    const watching = watchSchedule({ journal, clock, log, ttlMs: TTL, declared }, stop.now.signal);
    const end = async () => {
      stop.now.abort();
      await clock.advance(0);
      await watching;
    };
    return { clock, log, state, declared, lead, end };
  }

  it("warns where the leader runs another schedule, with the names that differ", async () => {
    const { clock, log, lead, end } = standby(aRoster(ONE, TWO));
    lead(aRoster(SLOW, aReady({ name: "three" })));
    await clock.advance(2 * TTL + 5_000);
    assert.deepEqual(log.lines.map(({ level, fields }) => [level, fields]), [
      ["warn", { onlyHere: "one", onlyThere: "three", unlike: "two" }],
    ]);
    await end();
  });

  it("says it again after a while, and at once where it is another difference", async () => {
    const { clock, log, lead, end } = standby(aRoster(ONE));
    lead(aRoster(TWO));
    await clock.advance(500_000);
    assert.equal(log.lines.length, 1);
    await clock.advance(200_000);
    assert.equal(log.lines.length, 2);
    lead(aRoster());
    await clock.advance(60_000);
    assert.deepEqual(log.lines.at(-1)?.fields, { onlyHere: "one" });
    await end();
  });

  it("says nothing where the schedules are equal, or are so again before long", async () => {
    const { clock, log, lead, declared, end } = standby(aRoster(ONE, TWO));
    lead(aRoster(TWO, ONE));
    await clock.advance(100_000);
    declared.roster = aRoster(ONE, SLOW);
    // One look falls into the time in which only one of the two has the new file.
    await clock.advance(31_000);
    lead(declared.roster);
    await clock.advance(100_000);
    assert.deepEqual(log.lines, []);
    await end();
  });

  it("says nothing of a Redis that is away, and looks again", async () => {
    const { clock, log, lead, state, end } = standby(aRoster(ONE));
    lead(aRoster(TWO));
    state.isAway = true;
    await clock.advance(100_000);
    assert.deepEqual(log.lines, []);
    state.isAway = false;
    await clock.advance(60_000);
    assert.equal(log.lines.length, 1);
    await end();
  });
});

describe("differenceOf()", () => {
  it("counts names where there are many", () => {
    const names = Array.from({ length: 12 }, (_, index) => `task${10 + index}`);
    const roster = aRoster(...names.map((name) => aReady({ name })));
    assert.deepEqual(differenceOf(roster, new Map()), {
      onlyHere: "task10, task11, task12, task13, task14 and 7 more",
    });
  });
});
