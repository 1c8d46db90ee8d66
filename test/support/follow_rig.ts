/** A follower over memory, with a clock and a broker that the test moves by hand. */

import { celeryTaskId, deliveryTag } from "../../src/celery/ids.ts";
import { listOf } from "../../src/celery/message.ts";
import type { Followed } from "../../src/follow/follow.ts";
import { follower } from "../../src/follow/follow.ts";
import type { ReadyTask } from "../../src/core/roster.ts";
import type { World } from "../../src/core/world.ts";
import { applyStep, cursorText } from "../../src/core/world.ts";
import type { OpenFire } from "../../src/open_fire.ts";
import { openKey } from "../../src/open_fire.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import type { MemorySensors } from "../../src/memory/sensors.ts";
import { memorySensors } from "../../src/memory/sensors.ts";
import type { MemoryStore } from "../../src/memory/store.ts";
import type { Journal, Settlement } from "../../src/ports.ts";
import type { Hint, Sensors, TaskResult } from "../../src/sensors.ts";
import type { Task } from "../../src/task.ts";
import { aLog, aReady, aTask, aWorld, publishSteps, rowsOf, T0 } from "./build.ts";

export const NAMESPACE = "test";
export const FENCE = 1;
export const WORKER = "w1@host";

/** The task id of a message of others. */
export const ANOTHER = "00000000-0000-5000-8000-000000000000";

/** Messages of others, more than a sample reads. */
export const OTHERS = Array.from({ length: 150 }, () => "somebody else's");

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
  const sensors = memorySensors(inner.store, { hasResults });
  const world = aWorld();
  const log = aLog();
  const faults = noFaults();
  const journal = faultyJournal(inner, faults);
  const kombu = { sep: sensors.sep, prioritySteps: [0, 3, 6, 9] };
  const task = aTask(own);
  const ready = { ...aReady(own), list: listOf(task.queue, task.priority, kombu) };
  const settled: Settlement[] = [];
  const parts = {
    sensors: faultySensors(sensors, faults),
    journal,
    world,
    server: { nowMs: () => nowMs },
    log,
    namespace: NAMESPACE,
    fence: FENCE,
    task: (name: string) => name === task.name ? ready.task : null,
    onSettled: (each: Settlement) => void settled.push(each),
  };
  let eye = follower(parts);
  return {
    store: inner.store,
    sensors,
    world,
    log,
    journal,
    faults,
    /** What the follower has told, oldest first. */
    settled,
    ...brokerOf(inner.store, sensors, () => nowMs),
    ...tellerOf((hint) => eye.hint(hint), () => nowMs),
    advance: (durationMs: number) => void (nowMs += durationMs),
    /** Publishes the fire of the present millisecond, under another name where it was asked for. */
    publish: (name = task.name) =>
      publish(inner, world, { ...ready, task: { ...ready.task, name } }, nowMs),
    sample: (): Promise<Followed> => eye.sample(),
    glance: (): Promise<Followed> => eye.glance(),
    hasHints: () => eye.hasHints,
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
    story: (open?: OpenFire) => storyOf(inner, open),
  };
}

/** A follower, and a fire that was published a second ago. */
export async function oneFire(options: RigOptions = {}) {
  const rig = followRig(options);
  const open = await rig.publish();
  rig.advance(1_000);
  return { rig, open };
}

/** A fire that a worker runs that can be heard. @param isEarly it acks first */
export async function runningFire(options: RigOptions = {}, isEarly = true) {
  const rig = followRig(options);
  rig.hint({ kind: "line", isUp: true });
  rig.beat();
  const open = await rig.publish();
  rig.take(open);
  rig.event(open, "received");
  if (isEarly) rig.ack(open);
  rig.event(open, "started");
  await rig.watch(2_000);
  return { rig, open };
}

/** A worker says once a second that it lives. */
export async function beatFor(rig: FollowRig, seconds: number, processId = 1): Promise<void> {
  for (let passed = 0; passed < seconds; passed++) {
    await rig.watch(1_000);
    rig.beat(WORKER, true, processId);
  }
}

/** Calls that are to fail, by number; `results` fails until it is put back to 0. `asked` counts results. */
function noFaults() {
  return { settle: 0, loseReply: 0, commit: 0, results: 0, queues: 0, asked: 0 };
}

type Faults = ReturnType<typeof noFaults>;

function faultyJournal(inner: Journal, faults: Faults): Journal {
  return {
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
}

function faultySensors(inner: MemorySensors, faults: Faults): Omit<Sensors, "listen"> {
  const { sep, hasResults } = inner;
  const fail = (what: string) =>
    Promise.reject(new JournalUnavailableError(`${what} away`, "backoff"));
  return {
    sep,
    hasResults,
    sampleQueues: (lists, limit) =>
      faults.queues-- > 0 ? fail("broker") : inner.sampleQueues(lists, limit),
    reservations: (tags) => inner.reservations(tags),
    results(taskIds) {
      faults.asked += taskIds.length;
      return faults.results > 0 ? fail("backend") : inner.results(taskIds);
    },
  };
}

async function publish(journal: Journal, world: World, ready: ReadyTask, nowMs: number) {
  const term = { namespace: NAMESPACE, fence: FENCE };
  const cursor = cursorText(world, ready.task.name);
  const [step] = publishSteps(ready, [nowMs], { cursor, term, nowMs });
  const reply = await journal.commit([step!], FENCE);
  if (reply.kind !== "done" || reply.outcomes[0]!.kind !== "committed") {
    throw new Error(`expected the step to be committed, got ${JSON.stringify(reply)}`);
  }
  applyStep(world, step!);
  return step!.publish!.open;
}

/** Celery's side: what workers do to messages and results. */
function brokerOf({ lists }: MemoryStore, sensors: MemorySensors, nowMs: () => number) {
  const taken = new Map<string, string>();
  /** Where the message is; `undefined` when it waits nowhere. */
  const find = (open: OpenFire) => {
    for (const [list, elements] of lists) {
      const bytes = elements.find((element) => element.includes(`"${idsOf(open).tag}"`));
      if (bytes !== undefined) return { list, bytes };
    }
  };
  return {
    find,
    take(open: OpenFire): void {
      const found = find(open);
      if (found === undefined) return;
      const elements = lists.get(found.list)!;
      elements.splice(elements.indexOf(found.bytes), 1);
      const { tag } = idsOf(open);
      taken.set(tag, found.bytes);
      sensors.unacked.set(tag, found.bytes.includes('"redelivered":true') ? "again" : "first");
    },
    /** Kombu gives it back, at the old end; before 5.4 to the plain list. */
    giveBack(open: OpenFire, list: string = open.list): void {
      const { tag } = idsOf(open);
      const bytes = taken.get(tag);
      if (bytes === undefined || !sensors.unacked.delete(tag)) return;
      lists.set(list, [...lists.get(list) ?? [], givenBack(bytes)]);
    },
    ack: (open: OpenFire) => void sensors.unacked.delete(idsOf(open).tag),
    storeResult(open: OpenFire, status: string, own: Partial<TaskResult> = {}): void {
      const doneMs = ["SUCCESS", "FAILURE", "REVOKED"].includes(status) ? nowMs() : null;
      const result = { status, doneMs, revokedAs: null, worker: null, ...own };
      sensors.documents.set(idsOf(open).taskId, result);
    },
  };
}

/** What workers say. */
function tellerOf(hint: (hint: Hint) => void, nowMs: () => number) {
  return {
    hint,
    event(open: OpenFire, type: EventType, isExpired = false, worker = WORKER): void {
      const { taskId } = idsOf(open);
      const runtimeMs = type === "succeeded" ? 12 : null;
      hint({ kind: "event", taskId, type, worker, atMs: nowMs(), runtimeMs, isExpired });
    },
    beat(worker = WORKER, isOnline = true, processId = 1): void {
      hint({ kind: "worker", worker, isOnline, processId });
    },
  };
}

/** `taken unacked`, `finished success`: each row of a fire after its publish, in short. */
export async function storyOf(journal: Journal, open?: OpenFire): Promise<string[]> {
  return (await rowsOf(journal))
    .filter(({ task, dueMs }) => !open || (task === open.task && dueMs === open.dueMs))
    .filter(({ type }) => type !== "fire.published")
    .map(({ type, detail: { reason, by, outcome, deliveries } }) =>
      [type.slice("fire.".length), reason, by, outcome, deliveries]
        .filter((word) => word !== undefined).join(" ")
    );
}

export type FollowRig = ReturnType<typeof followRig>;
