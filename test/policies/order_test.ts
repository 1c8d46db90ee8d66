/** Where policies meet: a day of a task that has a session, a window, a jitter and an overlap, through whole ticks. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Tick } from "../../src/core/tick.ts";
import { rosterOf } from "../../src/core/roster.ts";
import type { JournalRow } from "../../src/event.ts";
import { policiesOf } from "../../src/policies/order.ts";
import type { PolicySpecs, Task } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import { aTask, rowsOf, T0, TRANSPORT } from "../support/build.ts";
import { localMs, specOf } from "../support/calendars.ts";
import type { Desk } from "../support/desk.ts";
import { aDesk } from "../support/desk.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** New York trades from 09:30 to 16:00; the window is from 10:30 to 14:30 there. */
const NEW_YORK: PolicySpecs = {
  ...NO_POLICIES,
  session: {
    calendars: [specOf("XNYS")],
    ...{ match: "any", leadMs: 0, lagMs: 0, unknown: "fire" },
  },
  window: { name: null, from: "10:30", to: "14:30", tz: "America/New_York", days: null },
  jitter: { kind: "fixed", maxMs: 10 * MINUTE, seed: "order", place: null },
  overlap: "wait",
};

/** Due 20 minutes past each hour. */
const HOURLY: Partial<Task> = {
  name: "prices",
  trigger: { kind: "every", everyMs: HOUR, phaseMs: 20 * MINUTE },
};

/** A term on these tasks, from a time on. */
async function opened(startMs: number, ...tasks: readonly Task[]) {
  const desk = aDesk();
  await desk.clock.advance(startMs - T0);
  const now = await desk.open(rosterOf(tasks, TRANSPORT, "beat@test"));
  return { desk, now };
}

/** Ticks whenever something is to be looked at. */
async function runUntil(desk: Desk, now: Tick, untilMs: number): Promise<void> {
  for (;;) {
    const atMs = Math.min(now.agenda.nextMs() ?? Infinity, untilMs);
    if (atMs > desk.clock.wallMs()) await desk.clock.advance(atMs - desk.clock.wallMs());
    await desk.tick(now);
    if (desk.clock.wallMs() >= untilMs) return;
  }
}

const clockOf = (ms: number) =>
  Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO("America/New_York").toPlainTime()
    .toString({ smallestUnit: "second" });

/** `09:20 fire.skipped session …`: due time, type, by whom, until when. */
function told({ type, dueMs, decidedMs, detail }: JournalRow): string {
  const until = typeof detail.untilMs === "number" ? ` until ${clockOf(detail.untilMs)}` : "";
  const cause = detail.cause === undefined ? "" : ` for ${String(detail.cause)}`;
  const by = detail.by === undefined ? "" : ` ${String(detail.by)}`;
  const reason = type === "fire.skipped" ? `: ${String(detail.reason)}` : "";
  return `${clockOf(dueMs!).slice(0, 5)} ${type}${by}${until}${cause}${reason} at ${
    clockOf(decidedMs)
  }`;
}

async function storyOf(desk: Desk): Promise<string[]> {
  const rows = await rowsOf(desk.journal);
  return rows.filter(({ type }) => type.startsWith("fire.") || type === "task.dropped").map(told);
}

describe("policiesOf()", () => {
  const names = (specs: PolicySpecs) =>
    policiesOf(aTask({ ...HOURLY, policies: specs })).map(({ name }) => name);

  it("asks in the order that the README gives reasons for", () => {
    const known = ["pause", "session", "window", "jitter", "overlap", "slo", "pressure"];
    const asked = names(NEW_YORK);
    assert.deepEqual(asked, known.filter((name) => asked.includes(name)));
    for (const name of ["session", "window", "jitter", "overlap"]) assert.ok(asked.includes(name));
  });

  it("leaves out what a task does not have", () => {
    const found = names(NO_POLICIES);
    for (const name of ["session", "window", "jitter", "overlap"]) assert.ok(!found.includes(name));
  });
});

describe("a day of a task with a session, a window, a jitter and an overlap", () => {
  const at = (time: string) => localMs("America/New_York", `2026-01-05T${time}`);
  const task = aTask({ ...HOURLY, policies: NEW_YORK });

  it("is skipped before the session, waits for the window, is spread from there, and waits for the earlier fire", async () => {
    const { desk, now } = await opened(at("09:00"), task);
    await runUntil(desk, now, at("11:40"));
    const [earlier] = [...now.world.open.values()];
    assert.equal(earlier?.dueMs, at("10:20"));
    now.world.open.remove(`prices@${earlier.dueMs}`);
    await runUntil(desk, now, at("12:00"));
    assert.deepEqual(await storyOf(desk), [
      // Outside of the window too, but what is refused does not wait.
      "09:20 fire.skipped session: XNYS is closed until 2026-01-05T14:30:00Z at 09:20:00",
      // Due in the session: waits for the window, then for its place behind the window's start.
      "10:20 fire.delayed window until 10:30:00 at 10:20:00",
      "10:20 fire.delayed jitter until 10:33:24 at 10:30:00",
      "10:20 fire.published at 10:33:24",
      // Due in both: its place first, and only then is the earlier fire looked for.
      "11:20 fire.delayed jitter until 11:23:24 at 11:20:00",
      `11:20 fire.delayed overlap for prices@${at("10:20")} at 11:23:24`,
      "11:20 fire.published at 11:40:00",
    ]);
  });

  it("lets none wait for the window that another will be due before, nor any for a session", async () => {
    const { desk, now } = await opened(at("13:30"), task);
    await runUntil(desk, now, at("17:00"));
    assert.deepEqual(await storyOf(desk), [
      "14:20 fire.delayed jitter until 14:23:24 at 14:20:00",
      "14:20 fire.published at 14:23:24",
      // The window is over until tomorrow; the market is not.
      "15:20 fire.skipped window: outside 10:30 to 14:30 America/New_York, and due again before it opens at 15:20:00",
      "16:20 fire.skipped session: XNYS is closed until 2026-01-06T14:30:00Z at 16:20:00",
    ]);
  });

  it("gives way to the next due time while it waits", async () => {
    const { desk, now } = await opened(at("10:25"), task);
    await runUntil(desk, now, at("13:00"));
    assert.deepEqual((await storyOf(desk)).slice(2), [
      "12:20 fire.delayed jitter until 12:23:24 at 12:20:00",
      `12:20 fire.delayed overlap for prices@${at("11:20")} at 12:23:24`,
    ]);
    await runUntil(desk, now, at("13:20"));
    assert.deepEqual((await storyOf(desk)).slice(4), [
      "12:20 fire.skipped catchup: superseded at 13:20:00",
      "13:20 fire.delayed jitter until 13:23:24 at 13:20:00",
    ]);
  });

  it("records the planned instant of what was held, so that it is not late", async () => {
    const { desk, now } = await opened(at("09:00"), task);
    await runUntil(desk, now, at("10:40"));
    const rows = await rowsOf(desk.journal);
    const published = rows.find(({ type }) => type === "fire.published");
    assert.equal(published?.detail.notBeforeMs, published?.decidedMs);
  });
});

describe("a thousand tasks due at :00, through ticks", () => {
  async function peakOf(kind: "fixed" | "per-fire" | "even"): Promise<number> {
    const tasks = Array.from({ length: 1000 }, (_, index) => {
      const place = kind === "even" ? { group: "g", index, count: 1000 } : null;
      const jitter = { kind, maxMs: MINUTE, seed: "beat", place };
      return aTask({
        name: `report.${index}`,
        trigger: { kind: "every", everyMs: HOUR, phaseMs: 0 },
        policies: { ...NO_POLICIES, jitter },
      });
    });
    const { desk, now } = await opened(T0 + 1, ...tasks);
    await runUntil(desk, now, T0 + HOUR + MINUTE);
    const seconds = new Map<number, number>();
    for (const { type, decidedMs } of await rowsOf(desk.journal)) {
      if (type !== "fire.published") continue;
      const second = Math.floor((decidedMs - T0 - HOUR) / 1000);
      assert.ok(second >= 0 && second < 60);
      seconds.set(second, (seconds.get(second) ?? 0) + 1);
    }
    const counts = [...seconds.values()];
    assert.equal(counts.reduce((sum, each) => sum + each, 0), 1000);
    return Math.max(...counts);
  }

  for (
    const [kind, mostPerSecond] of [["fixed", 35], ["per-fire", 35], ["even", 18]] as const
  ) {
    it(`publishes at most ${mostPerSecond} in a second with ${kind} of 60 s`, async () => {
      const peak = await peakOf(kind);
      console.log(`most publishes in a second, ${kind}: ${peak}`);
      assert.ok(peak <= mostPerSecond, String(peak));
    });
  }
});
