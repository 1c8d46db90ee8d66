/**
 * A replica that leads in memory, on a clock that a test moves, with queues that a worker drains at a
 * rate and sources that tell what a test wants: what levels are measured on.
 */

import { serverClock } from "../../src/clock.ts";
import { simClock } from "./sim_clock.ts";
import { supervise } from "../../src/commands/supervise.ts";
import { decodeMessage, listsOf } from "../../src/celery/message.ts";
import { rosterOf } from "../../src/core/roster.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import type { JournalRow } from "../../src/event.ts";
import { recordedMs } from "../../src/event.ts";
import type { OfficeParts } from "../../src/lead/office.ts";
import type { LevelSettings, OutsideSource } from "../../src/level.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { memoryLease } from "../../src/memory/lease.ts";
import { memorySensors } from "../../src/memory/sensors.ts";
import type { QueuedMessage } from "../../src/sensors.ts";
import type { Task } from "../../src/task.ts";
import { aLog, aTask, rowsOf, T0 } from "./build.ts";

const KOMBU = { sep: "\x06\x16", prioritySteps: [0, 3, 6, 9] };
const STEP_MS = 250;

export interface ShopOptions {
  readonly tasks: readonly Partial<Task>[];
  readonly levels: LevelSettings;
  /** @default nobody tells anything */
  readonly share?: (source: OutsideSource) => Promise<number>;
  /** The time that a source says with it. @default none */
  readonly toldMs?: () => number;
}

/** A change of a level, in whole seconds since the start. */
export interface Moved {
  readonly atS: number;
  readonly key: string;
  readonly from: string;
  readonly to: string;
}

export function throttledShop({ tasks, levels, share, toldMs }: ShopOptions) {
  const clock = simClock(T0);
  const memory = memoryJournal({ serverMs: () => Math.floor(clock.wallMs()) });
  const sensors = memorySensors(memory.store);
  const transport = { ...KOMBU, globalKeyPrefix: "", unackedKey: "unacked" };
  const roster = rosterOf(tasks.map(aTask), transport as never, "beat@test");
  const log = aLog();
  /** Messages that the worker takes in a second, by queue; and how their runs end. */
  const worker = { perS: {} as Record<string, number>, owed: {} as Record<string, number> };
  const shop = {
    failing: 0,
    isBrokerAway: false,
    /** Questions to the workers fail. */
    isSilent: false,
    served: [] as Served[],
    turn: 0,
    lookedAt: [] as (readonly string[])[],
  };
  const parts: OfficeParts = {
    journal: memory,
    lease: memoryLease(memory),
    sensors: {
      ...sensors,
      sampleQueues(lists, limit) {
        shop.lookedAt.push(lists);
        return shop.isBrokerAway
          ? Promise.reject(new JournalUnavailableError("broker away", "backoff"))
          : sensors.sampleQueues(lists, limit);
      },
    },
    clock,
    server: serverClock(clock),
    log,
    owner: "a",
    ttlMs: 5_000,
    newEpoch: "epoch",
    isPatient: true,
    namespace: "beat",
    build: "test",
    declared: { roster, rows: [], levels },
    measuring: {
      listsOf: (queue) => listsOf(queue, KOMBU),
      gauges: {
        consumers: (queues) =>
          shop.isSilent
            ? Promise.reject(new JournalUnavailableError("no answer", "backoff"))
            : Promise.resolve(
              new Map(queues.map((queue) => [queue, (worker.perS[queue] ?? 0) > 0 ? 1 : 0])),
            ),
        share: (source) =>
          share === undefined
            ? new Promise(() => {})
            : share(source).then((told) => ({ share: told, atMs: toldMs?.() ?? null })),
      },
    },
  };
  const supervisor = supervise(parts);

  function serve(): void {
    for (const [queue, perS] of Object.entries(worker.perS)) {
      worker.owed[queue] = (worker.owed[queue] ?? 0) + perS * STEP_MS / 1_000;
      for (; worker.owed[queue]! >= 1; worker.owed[queue]!--) {
        const taken = memory.store.lists.get(queue)?.pop();
        // A worker that waits saves nothing up.
        if (taken === undefined) worker.owed[queue] = 0;
        else finish(decodeMessage(taken));
      }
    }
  }

  function finish({ taskId, publishedMs, bytes }: QueuedMessage): void {
    const isBad =
      Math.floor(++shop.turn * shop.failing) > Math.floor((shop.turn - 1) * shop.failing);
    const nowMs = Math.floor(clock.wallMs());
    const status = isBad ? "FAILURE" : "SUCCESS";
    sensors.documents.set(taskId, { status, doneMs: nowMs, revokedAs: null, worker: null });
    shop.served.push({
      atMs: nowMs,
      waitMs: nowMs - publishedMs!,
      entry: JSON.parse(bytes).headers.periodic_task_name,
    });
  }

  return {
    clock,
    log,
    parts,
    /** Messages a second, by queue. */
    worker: worker.perS,
    /** `failing`: the share of runs that fail. */
    shop,
    depth: (queue: string) => memory.store.lists.get(queue)?.length ?? 0,
    async pass(durationS: number, each: () => void = () => {}): Promise<void> {
      for (let passedMs = 0; passedMs < durationS * 1_000; passedMs += STEP_MS) {
        await clock.advance(STEP_MS);
        serve();
        each();
      }
    },
    /** Its lease is gone, and it takes it anew. */
    nextTerm: () => parts.lease.release("a"),
    rows: () => rowsOf(memory),
    async moves(): Promise<Moved[]> {
      return (await rowsOf(memory)).filter(({ type }) => type === "level.changed").map(movedOf);
    },
    /** How late each fire of a task was decided. Milliseconds. */
    async latenesses(task: string): Promise<number[]> {
      return (await rowsOf(memory))
        .filter((row) => row.type === "fire.published" && row.task === task)
        .map(({ decidedMs, dueMs }) => decidedMs - dueMs!);
    },
    async stop(): Promise<void> {
      supervisor.actor.send({ type: "STOP" });
      await clock.advance(5_000);
      await supervisor.done;
    },
  };
}

/** A run of a worker. */
export interface Served {
  readonly atMs: number;
  readonly waitMs: number;
  readonly entry: string;
}

function movedOf(row: JournalRow): Moved {
  const { key, from, to } = row.detail as unknown as Moved;
  return { atS: Math.round((recordedMs(row) - T0) / 1_000), key, from, to };
}
