/** A plan says what a live run writes: office, lease and follower on a simulated clock, and workers that sleep. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { auditOf } from "../../src/audit/audit.ts";
import { snapshotOf } from "../../src/audit/snapshot.ts";
import { serverClock } from "../../src/clock.ts";
import { simClock } from "../support/sim_clock.ts";
import { supervise } from "../../src/commands/supervise.ts";
import { rosterOf } from "../../src/core/roster.ts";
import type { Roster } from "../../src/core/roster.ts";
import type { JournalRow } from "../../src/event.ts";
import { recordedMs } from "../../src/event.ts";
import { decodeRow } from "../../src/row_text.ts";
import type { LevelSettings } from "../../src/level.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { memoryLease } from "../../src/memory/lease.ts";
import { memorySensors } from "../../src/memory/sensors.ts";
import { otherSchedule } from "../../src/preview/other_schedule.ts";
import { plan } from "../../src/preview/plan.ts";
import type { Journal } from "../../src/ports.ts";
import type { Task } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import { WHOLE } from "../support/audited.ts";
import { aLog, aTask, T0 } from "../support/build.ts";
import type { Draw } from "../support/clean_journal.ts";
import { drawsOf } from "../support/clean_journal.ts";
import { drawPoliced } from "../support/policed_shop.ts";
import { TRANSPORT } from "../sim/replica.ts";

const SEED = Number(Deno.env.get("PLAN_SEED") ?? 1);
const RUNS = Number(Deno.env.get("PLAN_RUNS") ?? 5);
const DURATION_MS = 900_000;
const NAMES = ["a.each", "b.cron", "c.local", "d.slow", "e.once"];

interface Shop {
  readonly roster: Roster;
  readonly fromMs: number;
  readonly untilMs: number;
  /** By queue. */
  readonly hands: Readonly<Record<string, number>>;
  /** By task. */
  readonly runMs: Readonly<Record<string, number>>;
  readonly levels: LevelSettings;
}

describe("a plan", () => {
  it("equals what a live run writes, row by row", async () => {
    const types = new Map<string, number>();
    for (let seed = SEED; seed < SEED + RUNS; seed++) {
      const shop = aShop(drawsOf(seed));
      const [planned, lived] = [await plannedRows(shop), await livedRows(shop)];
      for (const { type, detail } of lived) {
        const kind = `${type} ${detail.by ?? ""}`;
        types.set(kind, (types.get(kind) ?? 0) + 1);
      }
      assert.deepEqual(byTask(planned), byTask(lived), `seed ${seed}`);
    }
    for (const kind of WANTED) assert.ok(types.has(kind), `no ${kind} in ${[...types.keys()]}`);
  });
});

describe("another schedule", () => {
  async function compared(shop: Shop, roster: Roster) {
    const other = otherSchedule({ sinceMs: shop.fromMs, untilMs: shop.untilMs });
    for (const row of await livedRows(shop)) other.take(row);
    return await other.close(roster, (queue) => [queue]);
  }

  it("that is the same decides nothing otherwise", async () => {
    for (let seed = SEED; seed < SEED + RUNS / 2; seed++) {
      const shop = aShop(drawsOf(seed));
      const { differences, counts } = await compared(shop, shop.roster);
      assert.deepEqual(differences.slice(0, 2), [], `seed ${seed}`);
      assert.ok([...counts.values()].some(({ was }) => was > 20));
    }
  });

  it("is led from the start of the period on, though nothing was due for a while", async () => {
    const each = (everyMs: number) => {
      const trigger = { kind: "every", everyMs, phaseMs: 0 } as const;
      return rosterOf([aTask({ name: "a.each", trigger })], TRANSPORT, "beat@plan");
    };
    const roster = each(3_600_000);
    const shop = { ...aShop(drawsOf(SEED)), roster, fromMs: T0 - 5_000, untilMs: T0 + 7_201_000 };
    const rows = await livedRows(shop);
    const sinceMs = T0 + 1_800_000;
    const cut = rows.findIndex((row) => recordedMs(row) >= T0 + 3_600_000);
    const before = auditOf(WHOLE);
    for (const row of rows.slice(0, cut)) before.take(row);
    const seed = snapshotOf(before.ledger);
    for (
      const [other, read, count] of [
        [otherSchedule({ sinceMs, untilMs: sinceMs + 5_400_000 }), rows, 90],
        // It begins with the first row that is left.
        [otherSchedule({ sinceMs, untilMs: sinceMs + 5_400_000 }, seed), rows.slice(cut), 60],
      ] as const
    ) {
      for (const row of read) other.take(row);
      const { differences, counts } = await other.close(each(60_000), (queue) => [queue]);
      assert.deepEqual([...counts], [["a.each", { was: 1, now: count - 1 }]]);
      assert.ok(differences.every((each) => each.other?.type !== "fire.skipped"));
    }
  });

  it("shows what a changed policy and a task more or less would do", async () => {
    const shop = aShop(drawsOf(SEED));
    const tasks = [...shop.roster.values()].map(({ task }) => task);
    const policies = {
      ...NO_POLICIES,
      jitter: { kind: "fixed", maxMs: 400, seed: "", place: null },
    };
    const changed = tasks.filter(({ name }) => name !== "d.slow").map((task) =>
      task.name === "a.each" ? { ...task, policies } as Task : task
    );
    const more = { ...tasks[2]!, name: "more", policies: NO_POLICIES };
    const roster = rosterOf([...changed, more], TRANSPORT, "beat@plan");
    const { differences } = await compared(shop, roster);
    const kinds = new Set(differences.map(({ kind, task }) => `${kind} ${task}`));
    assert.ok(kinds.has("+ more"), [...kinds].join());
    assert.ok(kinds.has("- d.slow") || kinds.has("~ d.slow"), [...kinds].join());
    assert.ok([...kinds].some((kind) => kind.endsWith("a.each")), [...kinds].join());
    assert.ok(![...kinds].some((kind) => kind.endsWith("b.cron")), [...kinds].join());
  });
});

/** Without these the runs would prove little. */
const WANTED = [
  ...["fire.published ", "fire.delayed jitter", "fire.delayed overlap", "fire.delayed window"],
  ...["fire.skipped session", "task.dropped session", "fire.skipped overlap", "level.changed "],
];

function aShop(draw: Draw): Shop {
  // Looks at queues then come at another moment than due times do.
  const fromMs = T0 + Math.floor(draw() * 1e6) * 1_000 + 251;
  const giveUpMs = 604_800_000;
  const tasks = NAMES.map((name) => ({ ...drawPoliced(name, draw, fromMs), giveUpMs }));
  const pick = (...items: readonly number[]) => items[Math.floor(draw() * items.length)]!;
  const marks = { depth: { low: 1, high: 3, pause: 6 }, waitMs: null, dwellMs: 10_000 };
  return {
    roster: rosterOf(tasks, TRANSPORT, "beat@plan"),
    fromMs,
    untilMs: fromMs + DURATION_MS,
    hands: { one: pick(1, 1, 2, 5), two: pick(1, 3) },
    runMs: Object.fromEntries(NAMES.map((name) => [name, pick(37, 611, 1_313, 4_127, 20_903)])),
    levels: { everyMs: 5_000, queues: { one: marks, two: marks }, objectives: [] },
  };
}

const DECISIONS = /^(fire\.(published|delayed|skipped)|task\.|level\.)/;

async function plannedRows({ hands, runMs, ...shop }: Shop): Promise<JournalRow[]> {
  const rows: JournalRow[] = [];
  await plan({
    ...shop,
    seed: { cursors: new Map(), open: [] },
    model: {
      pools: Object.entries(hands).map(([queue, count]) => ({ hands: count, queues: [queue] })),
      runMs: ({ task }) => runMs[task]!,
      otherMs: () => 1,
    },
    backlog: new Map(),
    listsOf: (queue) => [queue],
    onRow: (row) => void rows.push(row),
  });
  return rows;
}

/** Production code from the supervisor down. */
async function livedRows(
  { roster, fromMs, untilMs, levels, ...shop }: Shop,
): Promise<JournalRow[]> {
  const clock = simClock(fromMs);
  const memory = memoryJournal({ serverMs: () => Math.floor(clock.wallMs()) });
  const { store } = memory;
  const sensors = memorySensors(store);
  const stopped = new AbortController();
  const busy = new Map<string, number>();

  async function work(queue: string): Promise<void> {
    const message = store.lists.get(queue)?.pop();
    if (message === undefined) return;
    busy.set(queue, (busy.get(queue) ?? 0) + 1);
    const { headers, properties } = JSON.parse(message);
    const expiresMs = headers.expires === null ? Infinity : Date.parse(headers.expires);
    const isExpired = expiresMs < clock.wallMs();
    sensors.unacked.set(properties.delivery_tag, "first");
    if (!isExpired) await clock.sleep(shop.runMs[headers.periodic_task_name]!, stopped.signal);
    const own = { doneMs: clock.wallMs(), worker: "w@h" };
    sensors.documents.set(headers.id, {
      ...own,
      ...(isExpired
        ? { status: "REVOKED", revokedAs: "expired" }
        : { status: "SUCCESS", revokedAs: null }),
    });
    sensors.unacked.delete(properties.delivery_tag);
    sensors.tell({ kind: "result", taskId: headers.id });
    busy.set(queue, busy.get(queue)! - 1);
    await work(queue);
  }

  const journal: Journal = {
    ...memory,
    async commit(...args) {
      const reply = await memory.commit(...args);
      for (const [queue, hands] of Object.entries(shop.hands)) {
        while ((store.lists.get(queue)?.length ?? 0) > 0 && (busy.get(queue) ?? 0) < hands) {
          void work(queue);
        }
      }
      return reply;
    },
  };
  const supervisor = supervise({
    ...{ journal, lease: memoryLease(memory), sensors, clock, server: serverClock(clock) },
    ...{ log: aLog(), owner: "me", ttlMs: 5_000, newEpoch: "e", isPatient: true },
    ...{ namespace: "beat", build: "test", declared: { roster, rows: [], levels } },
    measuring: {
      listsOf: (queue) => [queue],
      gauges: {
        consumers: () => Promise.resolve(null),
        share: () => Promise.reject(new Error("there is no objective")),
      },
    },
  });
  await clock.advance(untilMs - fromMs);
  supervisor.actor.send({ type: "STOP" });
  await clock.advance(1_000);
  await supervisor.done;
  stopped.abort();
  await clock.advance(0);
  return store.entries.flatMap(({ id, fields }) => {
    const row = decodeRow(id, fields);
    return typeof row === "string" ? [] : [row];
  });
}

/** Decisions, by task, without what is not the same in two journals of one thing. */
function byTask(rows: readonly JournalRow[]): Record<string, unknown[]> {
  const lists: Record<string, unknown[]> = {};
  for (const { type, task, dueMs, decidedMs, detail } of rows) {
    if (!DECISIONS.test(type)) continue;
    (lists[task] ??= []).push({ type, dueMs, decidedMs, detail });
  }
  return lists;
}
