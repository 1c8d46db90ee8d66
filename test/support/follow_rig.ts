/** A follower over memory, with a clock and a broker that the test moves by hand. */

import { celeryTaskId, deliveryTag } from "../../src/celery/ids.ts";
import { listOf } from "../../src/celery/message.ts";
import { decide } from "../../src/core/decide.ts";
import type { Followed } from "../../src/core/follow.ts";
import { follower } from "../../src/core/follow.ts";
import { applyStep, cursorText } from "../../src/core/world.ts";
import type { OpenFire } from "../../src/cursor.ts";
import { openKey } from "../../src/cursor.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { memorySensors } from "../../src/memory/sensors.ts";
import type { Hint, Journal, TaskResult } from "../../src/ports.ts";
import type { Task } from "../../src/task.ts";
import { aLog, aReady, aTask, aWorld, rowsOf, T0 } from "./build.ts";

export const NAMESPACE = "test";
export const FENCE = 1;
export const WORKER = "w1@host";

type EventType = Extract<Hint, { kind: "event" }>["type"];

export interface Ids {
  readonly taskId: string;
  readonly tag: string;
}

export function idsOf(open: OpenFire): Ids {
  const taskId = celeryTaskId(NAMESPACE, openKey(open));
  return { taskId, tag: deliveryTag(taskId, open.fence) };
}

/** As Kombu gives a message back: other bytes, the same id and tag, and a flag. */
export function givenBack(bytes: string): string {
  const envelope = JSON.parse(bytes);
  envelope.headers.redelivered = true;
  envelope.properties.delivery_info.redelivered = true;
  return JSON.stringify(envelope);
}

export interface RigOptions {
  readonly task?: Partial<Task>;
  readonly hasResults?: boolean;
}

export function followRig({ task: own = {}, hasResults = true }: RigOptions = {}) {
  let nowMs = T0;
  const inner = memoryJournal({ serverMs: () => nowMs, fence: FENCE });
  const { store } = inner;
  const sensors = memorySensors(store, { hasResults });
  const world = aWorld();
  const log = aLog();
  const kombu = { sep: sensors.sep, prioritySteps: [0, 3, 6, 9] };
  const task = aTask(own);
  const ready = { ...aReady(own), list: listOf(task.queue, task.priority, kombu) };
  const faults = { settle: 0, loseReply: 0, commit: 0, results: 0, queues: 0 };

  const journal: Journal = {
    ...inner,
    async commit(steps, fence) {
      const reply = await inner.commit(steps, fence);
      if (faults.commit-- > 0) throw new JournalUnavailableError("reply lost", "backoff");
      return reply;
    },
    async settle(settlements, fence) {
      if (faults.settle-- > 0) throw new JournalUnavailableError("request lost", "backoff");
      const reply = await inner.settle(settlements, fence);
      if (faults.loseReply-- > 0) throw new JournalUnavailableError("reply lost", "backoff");
      return reply;
    },
  };
  const faultySensors = {
    ...sensors,
    results(taskIds: readonly string[]) {
      if (faults.results > 0) throw new JournalUnavailableError("backend away", "backoff");
      return sensors.results(taskIds);
    },
    sampleQueues(lists: readonly string[], limit: number) {
      if (faults.queues-- > 0) throw new JournalUnavailableError("broker away", "backoff");
      return sensors.sampleQueues(lists, limit);
    },
  };
  const parts = {
    sensors: faultySensors,
    journal,
    world,
    server: { nowMs: () => nowMs },
    log,
    namespace: NAMESPACE,
    fence: FENCE,
    task: () => ready.task,
  };
  let eye = follower(parts);

  const rig = {
    store,
    sensors,
    world,
    log,
    journal,
    faults,
    ready,
    get nowMs() {
      return nowMs;
    },
    advance(durationMs: number): void {
      nowMs += durationMs;
    },
    /** Publishes the fire of the present millisecond. */
    async publish(): Promise<OpenFire> {
      const gap = { dropped: null, fires: [nowMs] };
      const term = { namespace: NAMESPACE, fence: FENCE };
      const [step] = decide(ready, cursorText(world, ready.task.name), gap, term, nowMs);
      const reply = await inner.commit([step!], FENCE);
      if (reply.kind !== "done" || reply.outcomes[0]!.kind !== "committed") {
        throw new Error(`expected the step to be committed, got ${JSON.stringify(reply)}`);
      }
      applyStep(world, step!);
      return step!.publish!.open;
    },
    /** Where the message is; `undefined` when it waits nowhere. */
    find(open: OpenFire): { list: string; bytes: string } | undefined {
      const { tag } = idsOf(open);
      for (const [list, elements] of store.lists) {
        const bytes = elements.find((element) => element.includes(`"${tag}"`));
        if (bytes !== undefined) return { list, bytes };
      }
    },
    /** A worker reserves it. */
    take(open: OpenFire): void {
      const found = rig.find(open);
      if (found === undefined) return;
      const elements = store.lists.get(found.list)!;
      elements.splice(elements.indexOf(found.bytes), 1);
      taken.set(idsOf(open).tag, found);
      sensors.unacked.set(
        idsOf(open).tag,
        found.bytes.includes(`"redelivered":true`) ? "again" : "first",
      );
    },
    /** Kombu gives it back, at the old end; before 5.4 to the plain list. */
    giveBack(open: OpenFire, list: string = open.list): void {
      const { tag } = idsOf(open);
      const found = taken.get(tag);
      if (found === undefined || !sensors.unacked.delete(tag)) return;
      const elements = store.lists.get(list) ?? [];
      elements.push(givenBack(found.bytes));
      store.lists.set(list, elements);
    },
    ack(open: OpenFire): void {
      sensors.unacked.delete(idsOf(open).tag);
    },
    storeResult(open: OpenFire, status: string, own: Partial<TaskResult> = {}): void {
      const isFinal = ["SUCCESS", "FAILURE", "REVOKED"].includes(status);
      const doneMs = isFinal ? nowMs : null;
      const { taskId } = idsOf(open);
      sensors.documents.set(taskId, { status, doneMs, revokedAs: null, worker: null, ...own });
    },
    event(open: OpenFire, type: EventType, isExpired = false, worker = WORKER): void {
      const { taskId } = idsOf(open);
      const runtimeMs = type === "succeeded" ? 12 : null;
      eye.hint({ kind: "event", taskId, type, worker, atMs: nowMs, runtimeMs, isExpired });
    },
    hint: (hint: Hint) => eye.hint(hint),
    beat(worker = WORKER, isOnline = true): void {
      eye.hint({ kind: "worker", worker, isOnline });
    },
    sample: (): Promise<Followed> => eye.sample(),
    glance: (): Promise<Followed> => eye.glance(),
    get hasHints() {
      return eye.hasHints;
    },
    /** Samples once a second for so long. */
    async watch(durationMs: number): Promise<void> {
      for (const endMs = nowMs + durationMs; nowMs < endMs;) {
        nowMs += 1_000;
        await eye.sample();
      }
    },
    /** Another leader takes over with what is in the journal, and nothing else. */
    async changeLeader(): Promise<void> {
      const loaded = await inner.load();
      for (const open of [...world.open.values()]) world.open.remove(openKey(open));
      for (const open of loaded.open) world.open.add(open);
      eye = follower(parts);
    },
    /** `taken unacked`, `finished success`: each row of a fire after its publish, in short. */
    async story(open?: OpenFire): Promise<string[]> {
      const rows = await rowsOf(inner);
      return rows.filter((row) => open === undefined || row.dueMs === open.dueMs)
        .filter(({ type }) => type !== "fire.published")
        .map(({ type, detail }) => {
          const { by, reason, outcome, deliveries } = detail;
          const words = [reason, by, outcome, deliveries].filter((word) => word !== undefined);
          return [type.slice("fire.".length), ...words].join(" ");
        });
    },
  };
  const taken = new Map<string, { list: string; bytes: string }>();
  return rig;
}

export type FollowRig = ReturnType<typeof followRig>;
