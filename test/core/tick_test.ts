/** A whole pass, again and again, on a clock that is moved: what is published, when, and once. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import type { Term } from "../../src/core/chain.ts";
import { BATCH_TEXT_MAX } from "../../src/core/chain.ts";
import { BATCH_MAX } from "../../src/ports.ts";
import { PREPARE_MS, SHARE_MAX, STAGED_MAX, TASK_RETRY_MS, tick } from "../../src/core/tick.ts";
import type { Tick } from "../../src/core/tick.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import type { Committed } from "../../src/ports.ts";
import type { CatchUp } from "../../src/task.ts";
import { aReady, aRoster, aTimetable, rowsOf, T0 } from "../support/build.ts";
import {
  aDesk,
  bothSides,
  type Desk,
  FENCE,
  messageCount,
  publishedOf,
  TERM,
} from "../support/desk.ts";
import type { Fault } from "../support/flaky_journal.ts";

const SECOND = { trigger: { kind: "every", everyMs: 1000, phaseMs: 0 } } as const;
const MINUTE = { trigger: { kind: "every", everyMs: 60_000, phaseMs: 0 } } as const;
const ALL: CatchUp = { policy: "all", windowMs: 86_400_000, cap: 10_000 };

describe("tick()", () => {
  it("publishes what is due, each time it is due, and nothing else", async () => {
    const { desk, now } = await opened(aRoster(aReady({ name: "a", ...SECOND })));
    assert.equal((await desk.tick(now)).committed, 0);
    for (let second = 0; second < 3; second++) {
      await desk.clock.advance(1000);
      assert.equal((await desk.tick(now)).published, 1);
      assert.equal((await desk.tick(now)).published, 0);
    }
    assert.deepEqual(publishedOf(desk, "a"), [1000, 2000, 3000].map((after) => T0 + after));
    assertAgreed(desk, now);
  });

  it("never starts with the past, and knows when it is wanted next", async () => {
    const { desk, now } = await opened(aRoster(aReady({ name: "a", ...SECOND })));
    assert.equal(now.agenda.nextMs(), T0 + 1000);
    await desk.clock.advance(999 - PREPARE_MS);
    assert.equal((await desk.tick(now)).published, 0);
    assert.equal(now.agenda.nextMs(), T0 + 1000);
    await desk.clock.advance(1 + PREPARE_MS);
    await desk.tick(now);
    assert.equal(now.agenda.nextMs(), T0 + 2000);
  });

  it("is ready when something is due, and sends nothing before", async () => {
    const { desk, now } = await opened(aRoster(aReady({ name: "a", ...SECOND })));
    await desk.clock.advance(1000 - PREPARE_MS);
    const ticked = desk.tick(now);
    await desk.clock.advance(PREPARE_MS - 1);
    assert.deepEqual(publishedOf(desk, "a"), []);
    await desk.clock.advance(1);
    assert.equal((await ticked).published, 1);
    assert.equal(desk.server.nowMs(), T0 + 1000);
  });

  it("stages a crowd before it is due, and says the word then", async () => {
    const crowd = Array.from({ length: 7 * BATCH_MAX }, (_, at) => `crowd${at}`);
    const roster = aRoster(...crowd.map((name) => aReady({ name, ...SECOND })));
    const { desk, now } = await opened(roster, { stepsMin: 2 });
    await desk.clock.advance(1000 - PREPARE_MS);
    const asked = desk.journal.asked.length;
    const ticked = desk.tick(now);
    await desk.clock.advance(PREPARE_MS - 1);
    assert.equal(desk.journal.asked.length, asked);
    assert.deepEqual(desk.stages.map(({ batches }) => batches.length), [STAGED_MAX]);
    await desk.clock.advance(1);
    assert.equal((await ticked).published, crowd.length);
    assert.equal(desk.stages[0]!.end, "committed");
    assert.deepEqual(desk.journal.overlaps, []);
    assert.equal(messageCount(desk), crowd.length);
    assertAgreed(desk, now);
  });

  it("discards what it has staged where it is stopped, and loses nothing of it", async () => {
    const { desk, now } = await opened(aRoster(aReady({ name: "a", ...SECOND })), { stepsMin: 1 });
    await desk.clock.advance(1000 - PREPARE_MS);
    const stopped = new AbortController();
    const ticked = tick(now, TERM, stopped.signal);
    await desk.clock.advance(1);
    stopped.abort();
    assert.equal((await ticked).published, 0);
    assert.equal(desk.stages[0]!.end, "discarded");
    assert.equal(now.agenda.nextMs(), T0 + 1000);
    await desk.clock.advance(PREPARE_MS);
    assert.equal((await desk.tick(now)).published, 1);
    assertAgreed(desk, now);
  });

  it("stages nothing of what is due already", async () => {
    const { desk, now } = await opened(aRoster(aReady({ name: "a", ...SECOND })), { stepsMin: 1 });
    await desk.clock.advance(1000);
    assert.equal((await desk.tick(now)).published, 1);
    assert.deepEqual(desk.stages, []);
  });

  it("lets what it has prepared wait for another term, where it is stopped", async () => {
    const { desk, now } = await opened(aRoster(aReady({ name: "a", ...SECOND })));
    await desk.clock.advance(999);
    const stopped = new AbortController();
    const ticked = tick(now, TERM, stopped.signal);
    stopped.abort();
    assert.equal((await ticked).published, 0);
    assert.equal(now.agenda.nextMs(), T0 + 1000);
  });

  it("forgets a task that is never due again", async () => {
    const once = aReady({ name: "once" }, aTimetable(T0 + 500));
    const { desk, now } = await opened(aRoster(once));
    await desk.clock.advance(1000);
    assert.equal((await desk.tick(now)).published, 1);
    assert.equal(now.agenda.nextMs(), null);
  });

  it("sends a crowd in batches of whole tasks", async () => {
    const catchUp = { policy: "all", windowMs: 86_400_000, cap: 1000 } as const;
    const tasks = ["a", "b", "c"].map((name) => aReady({ name, catchUp, ...SECOND }));
    const { desk, now } = await opened(aRoster(...tasks));
    await desk.clock.advance(120_000);
    const before = desk.journal.asked.length;
    await desk.tick(now);
    const batches = desk.journal.asked.slice(before);
    assert.deepEqual(batches.map((steps) => new Set(steps.map(({ task }) => task)).size), [
      1,
      1,
      1,
    ]);
    for (const steps of batches) assert.ok(steps.length <= BATCH_MAX);
    assert.deepEqual(desk.journal.overlaps, []);
    assert.ok(desk.journal.inFlightMax <= 2);
  });

  it("sends long messages a few at a time, so that each call gets through", async () => {
    const long = { args: ["x".repeat(500_000)], ...SECOND };
    const crowd = Array.from({ length: 9 }, (_, at) => aReady({ name: `crowd${at}`, ...long }));
    const slow = aReady({ name: "slow", catchUp: ALL, ...long });
    const { desk, now } = await opened(aRoster(slow, ...crowd));
    await desk.clock.advance(10_000);
    const before = desk.journal.asked.length;
    for (let again = 0; again < 10; again++) await desk.tick(now);
    const sizes = desk.journal.asked.slice(before).map((steps) =>
      steps.reduce((sum, { publish }) => sum + (publish?.message.length ?? 0), 0)
    );
    assert.ok(Math.max(...sizes) <= BATCH_TEXT_MAX, `${Math.max(...sizes)} characters at once`);
    assert.ok(sizes.every((size) => size > 0));
    const seconds = Array.from({ length: 10 }, (_, at) => T0 + (at + 1) * 1000);
    assert.deepEqual(publishedOf(desk, "slow"), seconds);
    for (const { task } of crowd) assert.deepEqual(publishedOf(desk, task.name), [T0 + 10_000]);
    assertAgreed(desk, now);
  });

  it("goes on with all others where one cannot be decided, and tries that again", async () => {
    const defect = new RangeError("a defect");
    const { trigger } = aReady({ name: "bad", ...SECOND });
    let isBroken = true;
    const next = (afterMs: number) => {
      if (isBroken) throw defect;
      return trigger.next(afterMs);
    };
    const bad = aReady({ name: "bad", ...SECOND }, { ...trigger, next });
    const { desk, now } = await opened(aRoster(bad, aReady({ name: "good", ...SECOND })));
    await desk.clock.advance(1000);
    const { broken, published } = await desk.tick(now);
    assert.deepEqual([[...broken], published], [[["bad", defect]], 1]);
    await desk.clock.advance(1000);
    assert.equal((await desk.tick(now)).broken.size, 0);
    isBroken = false;
    await desk.clock.advance(TASK_RETRY_MS);
    await desk.tick(now);
    assert.deepEqual(publishedOf(desk, "bad"), [T0 + 7000]);
    assert.deepEqual(publishedOf(desk, "good"), [1000, 2000, 7000].map((after) => T0 + after));
    assertAgreed(desk, now);
  });

  it("brings a long gap in over several ticks, in order, with other tasks in between", async () => {
    const slow = aReady({ name: "slow", catchUp: ALL, ...SECOND });
    const { desk, now } = await opened(aRoster(slow, aReady({ name: "other", ...SECOND })));
    await desk.clock.advance(500_000);
    await desk.tick(now);
    assert.equal(publishedOf(desk, "slow").length, SHARE_MAX);
    assert.deepEqual(publishedOf(desk, "other"), [T0 + 500_000]);
    for (let again = 0; again < 3; again++) await desk.tick(now);
    const expected = Array.from({ length: 500 }, (_, index) => T0 + (index + 1) * 1000);
    assert.deepEqual(publishedOf(desk, "slow"), expected);
    assertAgreed(desk, now);
  });

  it("sleeps what it was early by the server's clock, and sends again", async () => {
    const { desk, now } = await opened(aRoster(aReady({ name: "a", ...SECOND })));
    await desk.clock.advance(1000);
    desk.stepServer(-30);
    let isOver = false;
    const ticked = desk.tick(now).then((tally) => {
      isOver = true;
      return tally;
    });
    await desk.clock.advance(29);
    assert.equal(isOver, false);
    await desk.clock.advance(1);
    assert.equal((await ticked).earlyByMs, 30);
    assert.equal(messageCount(desk), 0);
    await desk.tick(now);
    assert.deepEqual(publishedOf(desk, "a"), [T0 + 1000]);
    const [row] = (await rowsOf(desk.journal)).slice(-1);
    assert.equal(row!.id, `${T0 + 1000}-0`, "not before it was due by the server");
  });

  it("does not sleep through an hour where the server's clock went back by one", async () => {
    const { desk, now } = await opened(aRoster(aReady({ name: "a", ...SECOND })));
    await desk.clock.advance(1000);
    desk.stepServer(-3_600_000);
    const ticked = desk.tick(now);
    await desk.clock.advance(1000);
    await ticked;
    assert.ok(desk.server.nowMs() < T0, "the estimate follows the server");
    assert.equal((await desk.tick(now)).published, 0);
    await desk.clock.advance(3_599_000);
    await desk.tick(now);
    assert.deepEqual(publishedOf(desk, "a"), [T0 + 1000]);
  });

  it("does not wait for what it has prepared where the server's clock goes back meanwhile", async () => {
    const { desk, now } = await opened(aRoster(aReady({ name: "a", ...SECOND })), { stepsMin: 1 });
    await desk.clock.advance(1000 - PREPARE_MS);
    let isOver = false;
    const ticked = desk.tick(now).finally(() => isOver = true);
    await desk.clock.advance(1);
    desk.stepServer(-3_600_000);
    desk.server.observe(desk.clock.monotonicMs(), T0 + 1001 - PREPARE_MS - 3_600_000);
    await desk.clock.advance(PREPARE_MS);
    assert.ok(isOver, "whoever waits for its end waits for an hour");
    assert.equal((await ticked).published, 0);
    assert.equal(desk.stages[0]!.end, "discarded");
    assert.equal(now.agenda.nextMs(), T0 + 1000);
    await desk.clock.advance(3_600_000 - 1);
    await desk.tick(now);
    assert.deepEqual(publishedOf(desk, "a"), [T0 + 1000]);
    assertAgreed(desk, now);
  });

  it("leaves a task alone for a while whose list is of another type, and goes on with others", async () => {
    const tasks = [
      aReady({ name: "a", queue: "bad", ...SECOND }),
      aReady({ name: "b", ...SECOND }),
    ];
    const { desk, now } = await opened(aRoster(...tasks));
    desk.store.foreignLists.add("bad");
    await desk.clock.advance(1000);
    const tally = await desk.tick(now);
    assert.deepEqual([...tally.wrongType], ["a"]);
    assert.equal(tally.published, 1);
    await desk.clock.advance(1000);
    assert.deepEqual([...(await desk.tick(now)).wrongType], []);
    desk.store.foreignLists.delete("bad");
    await desk.clock.advance(TASK_RETRY_MS);
    await desk.tick(now);
    assert.deepEqual(publishedOf(desk, "a"), [T0 + 7000]);
    assertAgreed(desk, now);
  });

  it("plans a longer gap after a tick that was refused, in the same term", async () => {
    const { desk, now } = await opened(aRoster(aReady({ name: "a", catchUp: ALL, ...SECOND })));
    await desk.clock.advance(1000);
    desk.journal.faults.push("refused");
    await assert.rejects(desk.tick(now), { retry: "alarm" });
    assert.equal(now.agenda.nextMs(), T0 + 1000);
    await desk.clock.advance(2000);
    await desk.tick(now);
    assert.deepEqual(publishedOf(desk, "a"), [1, 2, 3].map((second) => T0 + second * 1000));
    assertAgreed(desk, now);
  });

  it("plans a longer gap in the term after a tick whose outcome is not known", async () => {
    for (const fault of ["request", "reply", "late"] as const) {
      const roster = aRoster(aReady({ name: "a", catchUp: ALL, ...SECOND }));
      const { desk, now } = await opened(roster);
      await desk.clock.advance(1000);
      desk.journal.faults.push(fault);
      await assert.rejects(desk.tick(now), JournalUnavailableError);
      await desk.clock.advance(2000);
      const next = await desk.nextTerm(roster);
      await desk.tick(next.now, next.term);
      assertFenced(await desk.journal.arrive());
      assert.deepEqual(publishedOf(desk, "a"), [1, 2, 3].map((second) => T0 + second * 1000));
      assertAgreed(desk, next.now);
    }
  });

  it("does not publish after an outage what was planned before it", async () => {
    const minutes = (count: number) => T0 + count * 60_000;
    const expected = { skip: [], latest: [61], all: [58, 59, 60, 61] };
    for (const [policy, due] of Object.entries(expected)) {
      for (const fault of ["request", "late"] as const) {
        const catchUp = { policy: policy as CatchUp["policy"], windowMs: 240_000, cap: 9 };
        const roster = aRoster(aReady({ name: "a", catchUp, expiresMs: 30_000, ...MINUTE }));
        const { desk, now } = await opened(roster);
        await desk.clock.advance(60_000);
        desk.journal.faults.push(fault);
        await assert.rejects(desk.tick(now), JournalUnavailableError);
        await desk.clock.advance(3_630_000);
        const next = await desk.nextTerm(roster);
        await desk.tick(next.now, next.term);
        assertFenced(await desk.journal.arrive());
        assert.deepEqual(publishedOf(desk, "a"), due.map(minutes), `${policy}, ${fault}`);
        for (const { publishedMs, expiresMs } of next.now.world.open.values()) {
          assert.deepEqual([publishedMs, expiresMs], [T0 + 3_690_000, T0 + 3_720_000]);
        }
        await assertDecided(desk, "a", { untilMs: T0 + 3_690_000, everyMs: 60_000 });
        assert.equal(messageCount(desk), due.length);
      }
    }
  });

  it("puts every task back once, whatever became of it", async () => {
    const tasks = ["a", "b", "c"].map((name) => aReady({ name, ...SECOND }));
    const { desk, now } = await opened(aRoster(...tasks));
    await desk.clock.advance(1000);
    for (const fault of ["refused", "request", "reply", "none"] as const) {
      desk.journal.faults.push(fault);
      await desk.tick(now).catch(() => {});
      await desk.clock.advance(1000);
    }
    const due = Array.from({ length: 4 }, () => now.agenda.take(T0 + 3_600_000, "on time"));
    assert.deepEqual(due.sort(), ["a", "b", "c", null]);
  });

  it("publishes nothing where somebody newer leads", async () => {
    const { desk, now } = await opened(aRoster(aReady({ name: "a", ...SECOND })));
    desk.store.fence = FENCE + 1;
    await desk.clock.advance(1000);
    assert.equal((await desk.tick(now)).isFenced, true);
    assert.equal(messageCount(desk), 0);
  });

  it("decides every due time once, whatever is lost, late or refused, over all terms", async () => {
    await fc.assert(fc.asyncProperty(aDay(), async ({ policy, waits, faults, arrivals }) => {
      const catchUp = { policy, windowMs: 10_000, cap: 4 };
      const roster = aRoster(...["a", "b"].map((name) => aReady({ name, catchUp, ...SECOND })));
      const { desk, now } = await opened(roster);
      desk.journal.faults.push(...faults);
      const office: Office = { desk, roster, now, term: TERM, arrivals: [...arrivals] };
      for (const waitMs of waits) {
        await desk.clock.advance(waitMs);
        await passTick(office);
      }
      desk.journal.faults.length = 0;
      while (!(await passTick(office)));
      if (office.term.fence !== FENCE) assertFenced(await desk.journal.arrive());
      const untilMs = desk.server.nowMs();
      for (const task of ["a", "b"]) await assertDecided(desk, task, { untilMs, everyMs: 1000 });
      assert.equal(
        messageCount(desk),
        publishedOf(desk, "a").length + publishedOf(desk, "b").length,
      );
      assert.deepEqual(desk.journal.overlaps, []);
      assertAgreed(desk, office.now!);
    }));
  });
});

async function opened(
  roster: Tick["roster"],
  options: Parameters<typeof aDesk>[0] = {},
): Promise<{ desk: Desk; now: Tick }> {
  const desk = aDesk(options);
  return { desk, now: await desk.open(roster) };
}

/** Waits between ticks, what befalls the calls, and when the late ones arrive. */
function aDay() {
  const fault = fc.constantFrom<Fault>("none", "request", "reply", "late", "refused");
  return fc.record({
    policy: fc.constantFrom<CatchUp["policy"]>("skip", "latest", "all"),
    waits: fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 8 }),
    faults: fc.array(fault, { maxLength: 8 }),
    arrivals: fc.array(fc.constantFrom<Arrival>("before", "after", "never"), { maxLength: 8 }),
  });
}

/** When late calls arrive, against the beginning of the next term. */
type Arrival = "before" | "after" | "never";

interface Office {
  readonly desk: Desk;
  readonly roster: Tick["roster"];
  /** `null` between terms. */
  now: Tick | null;
  term: Term;
  readonly arrivals: Arrival[];
}

/** Ticks, or begins a term, as the supervisor does: whether a tick has passed. */
async function passTick(office: Office): Promise<boolean> {
  const { desk, roster } = office;
  try {
    if (office.now === null) {
      const arrival = office.arrivals.shift();
      if (arrival === "before") await desk.journal.arrive();
      const { now, term } = await desk.nextTerm(roster);
      Object.assign(office, { now, term });
      if (arrival === "after") assertFenced(await desk.journal.arrive());
    }
    const soonMs = office.now!.agenda.nextMs()! - desk.server.nowMs();
    const ticked = desk.tick(office.now!, office.term);
    ticked.catch(() => {}); // It may fail while time goes on; it is awaited below.
    if (soonMs > 0 && soonMs <= PREPARE_MS) await desk.clock.advance(soonMs);
    await ticked;
    return true;
  } catch (error) {
    assert.ok(error instanceof JournalUnavailableError);
    if (error.retry !== "alarm") office.now = null;
    return false;
  }
}

function assertFenced(replies: readonly Committed[]): void {
  for (const { kind } of replies) assert.equal(kind, "fenced");
}

/** Every due time from the start to `untilMs` is published or in one dropped range, in order. */
async function assertDecided(
  desk: Desk,
  task: string,
  { untilMs, everyMs }: { untilMs: number; everyMs: number },
): Promise<void> {
  const decided: number[] = [];
  for (const row of await rowsOf(desk.journal)) {
    if (row.task !== task) continue;
    if (row.type === "fire.published") decided.push(row.dueMs!);
    if (row.type !== "task.dropped") continue;
    const { fromMs, toMs, count } = row.detail as { fromMs: number; toMs: number; count: number };
    assert.equal(count, (toMs - fromMs) / everyMs + 1);
    for (let dueMs = fromMs; dueMs <= toMs; dueMs += everyMs) decided.push(dueMs);
  }
  const count = Math.floor((untilMs - T0) / everyMs);
  assert.deepEqual(
    decided,
    Array.from({ length: count }, (_, index) => T0 + (index + 1) * everyMs),
  );
}

function assertAgreed(desk: Desk, { world }: Tick): void {
  const { redis, leader } = bothSides(desk, world);
  assert.deepEqual(leader, redis);
}
